"""The test servers keep their word: what a test proves against them is worth no more than that."""

import imaplib
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers import need
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.postfix import GREYLISTED_DOMAIN, MESSAGE_SIZE_LIMIT, REFUSED_DOMAIN, Postfix
from tests.servers.process import greets, wait_until
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority

StartSmtp = Callable[..., SmtpServer]

MAIL = b"Subject: Transfer\r\n\r\nConfirmed.\r\n"
SENDER = "desk@operator.test"


@pytest.fixture
def fetch(mailbox: Mailbox, authority: Authority) -> Iterator[Callable[[str], list[bytes]]]:
    """Return the untagged data of FETCH of all messages, over verified TLS."""
    with imaplib.IMAP4_SSL(
        "localhost", mailbox.tls_port, ssl_context=authority.client_context()
    ) as session:
        session.login(mailbox.user, mailbox.password)

        def run(items: str) -> list[bytes]:
            session.select("INBOX", readonly=True)
            _, data = session.uid("FETCH", "1:*", items)
            return [part for item in data for part in (item if isinstance(item, tuple) else ())]

        yield run


def submit(server: Postfix, authority: Authority) -> smtplib.SMTP:
    """Return a logged-in session on the submission port."""
    session = smtplib.SMTP(server.host, server.port, timeout=10)
    session.starttls(context=authority.client_context())
    session.login(SENDER, "secret")
    return session


def living(group: int) -> list[str]:
    """Return the states of a process group's members, zombies left out (proc(5))."""
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, members_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(members_group) == group and state != "Z":
                states.append(state)
    return states


# Dovecot


def test_dovecot_speaks_starttls_with_a_certificate_of_the_authority(
    mailbox: Mailbox, authority: Authority
) -> None:
    with imaplib.IMAP4(mailbox.host, mailbox.port) as session:
        session.starttls(authority.client_context())
        assert session.login(mailbox.user, mailbox.password)[0] == "OK"


def test_dovecot_refuses_a_wrong_password_at_once(mailbox: Mailbox) -> None:
    with (
        imaplib.IMAP4(mailbox.host, mailbox.port, timeout=0.4) as session,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        session.login(mailbox.user, "wrong")


def test_dovecot_appends_with_uid_and_internaldate(
    mailbox: Mailbox, fetch: Callable[[str], list[bytes]]
) -> None:
    when = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert [mailbox.append(MAIL, when), mailbox.append(MAIL, when)] == [1, 2]
    head, body, *_ = fetch("(INTERNALDATE BODY.PEEK[])")
    assert b'INTERNALDATE "04-Mar-2025 05:06:07 +0000"' in head
    assert body == MAIL


def test_dovecot_delivers_raw_bytes_in_order(
    mailbox: Mailbox, fetch: Callable[[str], list[bytes]]
) -> None:
    mails = [b"Subject: \xff\x1b[2J %d\r\n\r\n\x80\rx\r\n" % number for number in range(20)]
    for mail in [*mails, b"", b"no header at all", b"X: \0\r\n\r\n"]:
        mailbox.deliver_raw(mail, datetime(2025, 1, 1, tzinfo=UTC))
    fetched = fetch("(INTERNALDATE BODY.PEEK[])")
    assert fetched[1::2] == [*mails, b"", b"no header at all", b"X: \x80\r\n\r\n"]
    assert all(b'"01-Jan-2025 00:00:00 +0000"' in head for head in fetched[::2])


def test_dovecot_expunges_and_never_gives_a_uid_twice(mailbox: Mailbox) -> None:
    for _ in range(3):
        mailbox.append(MAIL)
    mailbox.expunge([2, 3])
    assert mailbox.uids == [1]
    assert mailbox.append(MAIL) == 4


def test_dovecot_recreates_a_mailbox_with_another_uidvalidity(
    mailbox: Mailbox, fetch: Callable[[str], list[bytes]]
) -> None:
    mailbox.append(b"Subject: gone\r\n\r\n")
    mailbox.append(MAIL)
    mailbox.expunge([1])
    before = mailbox.server.uidvalidity(mailbox.user)
    assert mailbox.new_uidvalidity() > before
    assert mailbox.uids == [1]
    assert fetch("BODY.PEEK[]")[1] == MAIL


def test_mailboxes_are_apart(mailbox: Mailbox, dovecot: Dovecot) -> None:
    other = Mailbox.create(dovecot, f"other-{mailbox.user}", "secret")
    mailbox.append(MAIL)
    assert (mailbox.uids, other.uids) == ([1], [])


def test_dovecot_restarts_on_the_same_ports_with_its_mail(authority: Authority) -> None:
    with Dovecot(authority.server) as server:
        box = Mailbox.create(server, SENDER, "secret")
        box.append(MAIL)
        server.stop()
        assert not greets((server.host, server.port))
        server.restart()
        assert box.uids == [1]
        group = server.process_group
        assert living(group)
    assert living(group) == []
    assert not server.root.exists()


def test_dovecot_limits_the_connections_of_a_user(authority: Authority) -> None:
    with Dovecot(authority.server, max_connections=1) as server:
        server.add_user(SENDER, "secret")
        with imaplib.IMAP4(server.host, server.port) as first:
            first.login(SENDER, "secret")
            second = imaplib.IMAP4(server.host, server.port)
            with pytest.raises(imaplib.IMAP4.error, match=r"\[LIMIT\]"):
                second.login(SENDER, "secret")
            second.shutdown()


def test_dovecot_without_tls(authority: Authority) -> None:
    with Dovecot(authority.server, tls=False) as server:
        with imaplib.IMAP4(server.host, server.port) as session:
            assert "STARTTLS" not in session.capabilities
        assert not greets((server.host, server.tls_port))


def test_dovecot_without_passwords_in_clear(authority: Authority) -> None:
    with Dovecot(authority.server, plaintext_auth=False) as server:
        box = Mailbox.create(server, SENDER, "secret")
        assert box.append(MAIL) == 1
        with imaplib.IMAP4(server.host, server.port) as session:
            assert "LOGINDISABLED" in session.capabilities


_START_AND_WAIT = """
import sys, time
from pathlib import Path
from tests.servers.dovecot import Dovecot
from tests.servers.tls import Authority
server = Dovecot(Authority(Path(sys.argv[1])).server)
print(server.port, server.root, flush=True)
time.sleep(60)
"""


def test_a_server_dies_with_the_tests(tmp_path: Path) -> None:
    need.require("dovecot", "dovecot-imapd")
    need.require("setpriv", "util-linux")
    command = [sys.executable, "-c", _START_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        port, root = tests.stdout.readline().split()
        assert greets(("127.0.0.1", int(port)))
        tests.send_signal(signal.SIGKILL)
    wait_until(lambda: not greets(("127.0.0.1", int(port))), "Dovecot lives on")
    subprocess.run(["rm", "-r", root], check=True)


# Postfix


@pytest.fixture(scope="session")
def submission(postfix: Postfix) -> Postfix:
    postfix.add_user(SENDER, "secret")
    return postfix


def test_postfix_delivers_what_was_submitted_with_its_envelope(
    submission: Postfix, authority: Authority, recipient: str
) -> None:
    with submit(submission, authority) as session:
        session.sendmail(SENDER, [recipient, f"bcc-{recipient}"], MAIL)
    (mail,) = submission.wait_for(recipient)
    (copy,) = submission.wait_for(f"bcc-{recipient}")
    assert (mail.sender, mail.recipient) == (SENDER, recipient)
    assert copy.message["Subject"] == "Transfer"
    assert mail.raw.endswith(b"\nConfirmed.\n")


def test_postfix_speaks_implicit_tls(
    submission: Postfix, authority: Authority, recipient: str
) -> None:
    context = authority.client_context()
    with smtplib.SMTP_SSL("localhost", submission.tls_port, context=context) as session:
        session.login(SENDER, "secret")
        session.sendmail(SENDER, [recipient], MAIL)
    assert submission.wait_for(recipient)


def test_postfix_wants_tls_and_a_password_for_submission(
    submission: Postfix, authority: Authority
) -> None:
    with smtplib.SMTP(submission.host, submission.port) as session:
        session.ehlo()
        assert not session.has_extn("auth")
        assert session.mail(SENDER)[0] == 530
        session.starttls(context=authority.client_context())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login(SENDER, "wrong")
        session.mail(SENDER)
        assert session.rcpt("guide@supplier.test")[0] == 554


def test_postfix_relays_without_tls_or_password(submission: Postfix, recipient: str) -> None:
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        session.sendmail("", [recipient], MAIL)
        assert not session.has_extn("auth")
    assert submission.wait_for(recipient)[0].sender == ""


def test_postfix_refuses_recipients_one_by_one(submission: Postfix, recipient: str) -> None:
    unknown, greylisted = f"who@{REFUSED_DOMAIN}", f"who@{GREYLISTED_DOMAIN}"
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        refused = session.sendmail(SENDER, [unknown, greylisted, recipient], MAIL)
    assert {address: reply[0] for address, reply in refused.items()} == {
        unknown: 550,
        greylisted: 451,
    }
    assert refused[unknown][1].startswith(b"5.1.1 ")
    assert submission.wait_for(recipient)


def test_postfix_changes_its_mind_about_a_recipient(submission: Postfix, recipient: str) -> None:
    local = recipient.partition("@")[0]
    address = f"{local}@{GREYLISTED_DOMAIN}"
    for answer, expected in (("OK", 250), ("450 4.2.1 Mailbox busy", 450)):
        submission.answer(address, answer)
        with smtplib.SMTP(submission.host, submission.relay_port) as session:
            session.ehlo()
            session.mail(SENDER)
            assert session.rcpt(address)[0] == expected


def test_postfix_takes_utf8_addresses(submission: Postfix, recipient: str) -> None:
    address = f"jürgen.{recipient}"
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        session.sendmail(SENDER, [address], MAIL, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    assert submission.wait_for(address)


def test_postfix_limits_the_size(submission: Postfix) -> None:
    with smtplib.SMTP(submission.host, submission.relay_port) as session:
        session.ehlo()
        assert session.mail(SENDER, [f"SIZE={MESSAGE_SIZE_LIMIT + 1}"])[0] == 552


# Certificates


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("expired", "expired"), ("wrong_host", "match"), ("untrusted", "local issuer")],
)
def test_a_verifying_client_refuses_bad_certificates(
    smtp_server: StartSmtp, authority: Authority, kind: str, reason: str
) -> None:
    server = smtp_server(tls="implicit", certificate=getattr(authority, kind))
    with (
        socket.create_connection((server.host, server.port)) as connection,
        pytest.raises(ssl.SSLCertVerificationError, match=reason),
    ):
        authority.client_context().wrap_socket(connection, server_hostname="localhost")


# What a test may rely on


def test_a_missing_server_skips_for_a_user_and_fails_for_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(need, "_REQUIRED", False)
    with pytest.raises(pytest.skip.Exception, match="apt install some-package"):
        need.require("no-such-binary", "some-package")
    monkeypatch.setattr(need, "_REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="no-such-binary is not installed"):
        need.require("no-such-binary", "some-package")


def test_the_developers_settings_are_hidden(tmp_path: Path) -> None:
    assert Path.home().is_relative_to(tmp_path)
    assert not [name for name in os.environ if name.startswith("TOURMAIL_")]
