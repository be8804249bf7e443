"""Messages read by a second process: the same comes out of it, whatever becomes of that process."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from models.mail import LedgerRow, MailRow, MailTextRow, RawMailRow
from services.cancel import Cancel
from services.importing import apart, walk
from services.importing.apart import Apart
from services.importing.fingerprint import identity_digest
from services.importing.headers import header_part
from services.importing.reading import Unread, read
from tests.benchmarks._mails import mails
from tests.corpus import TORTURE
from tests.services.importing.conftest import Desk, letter

Started = list[subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Have the process take the first message already; return the processes that are started."""
    found: Started = []
    start, spawn = Apart._start, apart._started

    def waited_for(self: Apart) -> None:
        start(self)
        if self._sock is not None:
            self._sock.recv(1, socket.MSG_PEEK)

    def noted(fd: int) -> subprocess.Popen[bytes]:
        found.append(spawn(fd))
        return found[-1]

    monkeypatch.setattr(apart, "MANY", 0)
    monkeypatch.setattr(apart, "_CORES", 2)
    monkeypatch.setattr(Apart, "_start", waited_for)
    monkeypatch.setattr(apart, "_started", noted)
    return found


def unread(raw: bytes) -> Unread:
    block = raw[: len(header_part(raw)) + 4]
    return Unread(raw, block, identity_digest(block))


def changed(raw: bytes) -> Unread:
    """Return a message that is no longer the one whose headers came before."""
    return Unread(raw, b"?" + unread(raw).block[1:], "ab")


LETTER = unread(letter())


@pytest.fixture
def other() -> Iterator[Apart]:
    with Apart(Cancel()) as made:
        yield made


def test_reads_malformed_and_usual_mail_as_the_import_itself_does(other: Apart) -> None:
    raws = [*TORTURE.values(), *mails(40)]
    messages = [
        message for raw in raws for message in (unread(raw), Unread(raw, b"", ""), changed(raw))
    ]
    assert list(other.read(messages)) == [read(message) for message in messages]


_PIECES = st.sampled_from(
    [
        b"Subject: a\r\n",
        b"Message-ID: <a@b>\n",
        b"\r\n\r\n",
        b"\n\n",
        b"\r",
        b"Content-Type: text/html; charset=utf-7\r\n",
        b"Content-Type: multipart/mixed; boundary=e\r\n",
        b"\r\n--e\r\n",
        b'Content-Disposition: attachment; filename="',
        b"&#xD800;<p>",
        "ä\u0301\ufb01Ⅷ".encode(),
    ]
)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.one_of(_PIECES, st.binary(max_size=40)), max_size=9), max_size=4))
def test_reads_whatever_bytes_as_the_import_itself_does(
    other: Apart, parts: list[list[bytes]]
) -> None:
    messages = [unread(b"".join(pieces)) for pieces in parts]
    assert list(other.read(messages)) == [read(message) for message in messages]


def test_few_messages_start_nothing(
    monkeypatch: pytest.MonkeyPatch, started: Started, other: Apart
) -> None:
    monkeypatch.setattr(apart, "MANY", 10)
    with Apart(Cancel()) as few:
        assert list(few.read([LETTER] * 10)) == [None] * 10
        assert not started
        assert None not in few.read([LETTER])


@pytest.mark.parametrize("what", ["one core", "every core taken", "no interpreter"])
def test_goes_without_where_nothing_can_be_started(
    what: str, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    if what == "one core":
        monkeypatch.setattr(apart, "_CORES", 1)
    if what == "every core taken":
        monkeypatch.setattr(apart, "_FREE", threading.BoundedSemaphore(1))
        apart._FREE.acquire()
    if what == "no interpreter":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Apart(Cancel()) as alone:
        assert list(alone.read([LETTER, LETTER])) == [None, None]
        assert list(alone.read([LETTER])) == [None]
    assert not started


def test_takes_a_core_no_longer_than_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_FREE", threading.BoundedSemaphore(1))
    for _ in range(2):
        with Apart(Cancel()) as made:
            assert None not in made.read([LETTER])


def test_the_process_knows_no_secret_and_has_no_terminal(
    monkeypatch: pytest.MonkeyPatch, started: Started, other: Apart
) -> None:
    monkeypatch.setenv("TOURMAIL_DATABASE_URL", "postgresql://u:secret@h/d")
    other.read([LETTER])
    place = Path(f"/proc/{started[0].pid}")
    assert b"secret" not in (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
    files = {int(fd.name): str(fd.readlink()) for fd in (place / "fd").iterdir()}
    assert [files.pop(fd) for fd in range(3)] == ["/dev/null"] * 3
    (rest,) = files.values()
    assert rest.startswith("socket:")
    assert os.getsid(started[0].pid) == started[0].pid
    assert not any(name in (place / "maps").read_text() for name in ("sqlite", "pydantic", "ssl"))


def test_a_process_that_is_killed_is_gone_without(started: Started, other: Apart) -> None:
    assert None not in other.read([LETTER])
    started[0].send_signal(signal.SIGKILL)
    for _ in range(2):
        assert list(other.read([LETTER] * 3)) == [None] * 3
    assert len(started) == 1
    assert started[0].returncode == -signal.SIGKILL


def test_a_process_that_stands_still_is_given_up(
    monkeypatch: pytest.MonkeyPatch, started: Started, other: Apart
) -> None:
    monkeypatch.setattr(apart, "SECONDS", 0.2)
    other.read([LETTER])
    started[0].send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert list(other.read([LETTER])) == [None]
    assert time.monotonic() - began < 10
    assert started[0].returncode == -signal.SIGKILL


def test_cancelling_waits_for_no_process(started: Started) -> None:
    cancel = Cancel()
    with Apart(cancel) as made:
        made.read([LETTER])
        started[0].send_signal(signal.SIGSTOP)
        threading.Timer(0.2, cancel.cancel).start()
        began = time.monotonic()
        assert list(made.read([LETTER])) == [None]
        assert time.monotonic() - began < 10
    assert started[0].returncode is not None


_PARENT = """
import sys, time
from services.cancel import Cancel
from services.importing import apart, walk
from tests.services.importing.test_apart import LETTER
apart.MANY, apart._CORES = 0, 2
spawn = apart._started
def told(fd):
    process = spawn(fd)
    print(process.pid, flush=True)
    return process
apart._started = told
with apart.Apart(Cancel()) as made:
    while made.read([LETTER]) == [None]:
        time.sleep(0.01)
    print("read", flush=True)
    time.sleep(60)
"""


def test_the_process_ends_with_its_parent_even_where_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, word = int(parent.stdout.readline()), parent.stdout.readline()
    assert word == "read\n"
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < until
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("dies", [False, True])
def test_an_import_keeps_the_same_whoever_reads(
    dies: bool, desk: Desk, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    monkeypatch.setattr(walk, "BATCH_MESSAGES", 5)
    desk.account()
    desk.contact(*(f"guide{number}@supplier.test" for number in range(20)))
    for raw in mails(40):
        desk.mailbox.deliver_raw(raw)
    assert desk.run(progress=lambda _: started[0].kill() if dies else None).counts.imported == 20
    (process,) = started
    assert process.returncode == -signal.SIGKILL  # whether it died or was done with
    with desk.services.store.read() as session:
        kept = session.exec(
            select(RawMailRow.data, LedgerRow.content_digest, MailRow.attachments, MailTextRow.text)
            .join(LedgerRow, col(LedgerRow.mail_id) == RawMailRow.mail_id)
            .join(MailRow, col(MailRow.id) == RawMailRow.mail_id)
            .join(MailTextRow, col(MailTextRow.mail_id) == RawMailRow.mail_id)
            .where(RawMailRow.complete)
        ).all()
    assert len(kept) == 20
    for raw, content, attachments, text in kept:
        reading = read(unread(raw))
        assert (content, attachments) == (reading.content, reading.skimmed.attachments)
        assert text.endswith(reading.skimmed.words)
