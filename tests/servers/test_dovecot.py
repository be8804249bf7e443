"""The Dovecot of the tests keeps its word: what a test proves against it is worth no more."""

import imaplib
import signal
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
from tests.servers.process import greets, wait_until
from tests.servers.tls import Authority

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


def living(group: int) -> list[str]:
    """Return the states of a process group's members, zombies left out (proc(5))."""
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, members_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(members_group) == group and state != "Z":
                states.append(state)
    return states


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
