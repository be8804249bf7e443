import smtplib
import ssl
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from services.demo.servers import DemoServers
from services.errors import ServiceError
from tests.servers.process import wait_until

SUPPLIER = "hemi@supplier.example"
RAW = b"Subject: \xff \x1b[2J\r\nX-Nul: \0\r\n\r\nbare\nlf, \rcr and no end"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[DemoServers]:
    with DemoServers(tmp_path / "demo") as servers:
        yield servers


def trusting(demo: DemoServers) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(demo.ca_bundle))


@pytest.fixture
def inbox(demo: DemoServers) -> Iterator[IMAPClient]:
    with open_inbox(demo, demo.user) as client:
        yield client


def open_inbox(demo: DemoServers, user: str) -> IMAPClient:
    client = IMAPClient("localhost", demo.imap_port, ssl_context=trusting(demo), timeout=10)
    client.login(user, demo.password)
    client.select_folder("INBOX", readonly=True)
    return client


def submit(demo: DemoServers, *recipients: str, sender: str | None = None) -> None:
    sender = demo.user if sender is None else sender
    mail = f"From: {demo.user}\r\nTo: {SUPPLIER}\r\nMessage-ID: <a@x>\r\n\r\n.Transfer?\r\n"
    with smtplib.SMTP("localhost", demo.smtp_port, timeout=10) as session:
        session.starttls(context=trusting(demo))
        session.login(demo.user, demo.password)
        session.sendmail(sender, recipients, mail)


def arrived(client: IMAPClient) -> list[bytes]:
    client.noop()
    uids = client.search("ALL")
    found = client.fetch(uids, ["BODY.PEEK[]"])
    return [found[uid][b"BODY[]"] for uid in uids]


def test_a_mail_to_a_supplier_is_answered_into_the_mailbox(
    demo: DemoServers, inbox: IMAPClient
) -> None:
    submit(demo, SUPPLIER)
    wait_until(lambda: bool(arrived(inbox)), "no answer", seconds=1)
    (raw,) = arrived(inbox)
    answer = message_from_bytes(raw, policy=default)
    assert (answer["From"], answer["To"]) == (SUPPLIER, demo.user)
    assert answer["In-Reply-To"] == "<a@x>"
    assert answer["Return-Path"] == f"<{SUPPLIER}>"


def test_the_envelope_decides_who_gets_a_mail(demo: DemoServers, inbox: IMAPClient) -> None:
    blind = "blind@guide.example"
    submit(demo, blind, f"sales@{demo.user.partition('@')[2]}", sender="")
    with open_inbox(demo, blind) as copy, open_inbox(demo, SUPPLIER) as named:
        for client in (copy, inbox):
            (raw,) = arrived(client)
            assert raw.endswith(b"\r\n\r\n.Transfer?\r\n")
            assert raw.startswith(b"Return-Path: <>\r\n")
        assert arrived(named) == []


def test_a_bounce_is_not_answered(demo: DemoServers, inbox: IMAPClient) -> None:
    submit(demo, "blind@guide.example", sender="")
    submit(demo, SUPPLIER)
    wait_until(lambda: bool(arrived(inbox)), "no answer", seconds=1)
    (answer,) = arrived(inbox)
    assert answer.startswith(f"Return-Path: <{SUPPLIER}>".encode())


def test_a_prepared_mail_keeps_bytes_and_date(demo: DemoServers, inbox: IMAPClient) -> None:
    demo.deliver(RAW, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    inbox.normalise_times = False
    inbox.noop()
    (fetched,) = inbox.fetch(inbox.search("ALL"), ["BODY.PEEK[]", "INTERNALDATE"]).values()
    assert fetched[b"BODY[]"] == RAW
    assert fetched[b"INTERNALDATE"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_importer_can_rely_on_the_mailbox(demo: DemoServers) -> None:
    for number in range(5):
        demo.deliver(b"Subject: %d\r\nFrom: a@b.example\r\n\r\nBody\r\n" % number)
    with open_inbox(demo, demo.user) as client:
        first = client.select_folder("INBOX", readonly=True)
        uids = client.search("ALL")
        assert (first[b"EXISTS"], first[b"UIDNEXT"]) == (5, uids[-1] + 1)
        assert client.search(["UID", f"{uids[2]}:*"]) == uids[2:]
        # RFC 3501, 6.4.8: the star is the last message even where the range begins behind it.
        assert client.search(["UID", f"{uids[-1] + 1}:*"]) == uids[-1:]
        items = ["BODY.PEEK[HEADER]", "RFC822.SIZE", "INTERNALDATE", "FLAGS"]
        fetched = client.fetch(uids, items)
        assert fetched[uids[3]][b"BODY[HEADER]"] == b"Subject: 3\r\nFrom: a@b.example\r\n\r\n"
        assert fetched[uids[3]][b"RFC822.SIZE"] == 39
        assert fetched[uids[3]][b"FLAGS"] == ()
    demo.deliver(b"Subject: 5\r\n\r\n")
    with open_inbox(demo, demo.user) as client:
        second = client.select_folder("INBOX", readonly=True)
        assert second[b"UIDVALIDITY"] == first[b"UIDVALIDITY"]
        assert client.search("ALL") == [*uids, uids[-1] + 1]
        assert client.fetch(uids, ["FLAGS"])[uids[0]][b"FLAGS"] == ()


def test_only_the_password_opens_it_and_only_over_tls(demo: DemoServers) -> None:
    with smtplib.SMTP("localhost", demo.smtp_port, timeout=10) as session:
        session.ehlo()
        assert session.mail(demo.user) == (530, b"Must issue a STARTTLS command first")
        session.starttls(context=trusting(demo))
        session.ehlo()
        assert session.mail(demo.user)[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login(demo.user, "wrong")
    client = IMAPClient("localhost", demo.imap_port, ssl_context=trusting(demo), timeout=10)
    with client, pytest.raises(LoginError):
        client.login(demo.user, "wrong")


def test_its_certificate_is_of_its_own_authority_alone(demo: DemoServers) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        IMAPClient("localhost", demo.imap_port, timeout=10)


def test_the_key_is_for_its_owner_alone(demo: DemoServers) -> None:
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in demo.ca_bundle.parent.iterdir()
    }
    assert modes["server.pem"] == 0o600
    keys = [p.name for p in demo.ca_bundle.parent.iterdir() if b"PRIVATE KEY" in p.read_bytes()]
    assert keys == ["server.pem"]


def test_it_ends_while_a_client_is_connected(tmp_path: Path) -> None:
    with DemoServers(tmp_path) as servers:
        client = open_inbox(servers, servers.user)
    with pytest.raises(client.AbortError):
        client.noop()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("localhost", servers.smtp_port, timeout=10)
    client.shutdown()


@pytest.mark.parametrize("module", ["mail_devel.auth", "trustme"])
def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.delitem(sys.modules, "services.demo.mail_host", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ServiceError) as caught:
        DemoServers(tmp_path)
    assert "tourmail[demo]" in caught.value.hint
