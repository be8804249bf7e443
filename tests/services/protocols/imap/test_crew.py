"""Several IMAP connections for one import, each asked ahead: quicker, and never less right."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr

from services.config import Config
from services.errors import Cancelled, ConnectionFailed
from services.network import shut
from services.protocols import imap_crew
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from services.protocols.imap_session import ImapSession
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Meddler, Spoil, untouched
from tests.servers.process import wait_until
from tests.servers.tls import Authority
from tests.services.protocols.imap.inbox import cancelling

MAILS = 60


@dataclass
class Slots:
    """Counts the slots that are held."""

    free: int = 10
    held: int = 0
    most: int = 0

    @contextmanager
    def more(self, wanted: int) -> Iterator[int]:
        got = min(wanted, self.free - self.held)
        self.held += got
        self.most = max(self.most, self.held)
        try:
            yield got
        finally:
            self.held -= got


@pytest.fixture(autouse=True)
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_crew, "FAR_SECONDS", 0)


@pytest.fixture
def slots() -> Slots:
    return Slots()


@pytest.fixture
def around(authority: Authority, slots: Slots) -> Surroundings:
    return Surroundings(Config(ca_bundle=authority.bundle), more_slots=slots.more)


@pytest.fixture
def full(mailbox: Mailbox) -> Mailbox:
    for number in range(MAILS):
        mailbox.deliver_raw(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
    return mailbox


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The sessions that fetch anything."""
    seen: set[int] = set()
    ask = ImapSession.ask

    def spy(self: ImapSession, uids: Sequence[int], what: str) -> None:
        seen.add(id(self))
        ask(self, uids, what)

    monkeypatch.setattr(ImapSession, "ask", spy)
    return seen


@contextmanager
def opened(mailbox: Mailbox, around: Surroundings) -> Iterator[tuple[ImapImporter, list[str]]]:
    """An importer whose helpers, as far as they can be had, have connected; and its items."""
    settings = ImapSettings(
        server=mailbox.host,
        port=mailbox.tls_port,
        user=mailbox.user,
        password=SecretStr(mailbox.password),
    )
    with ImapImporter(settings, around) as importer:
        pages = importer.look(None, None).pages
        items = [item for page in pages for item in page.items]
        wait_until(lambda: importer._crew._joining == 0, "all that can help")
        yield importer, items


def check(importer: ImapImporter, items: list[str]) -> None:
    bodies = {body.item: body.data or b"" for body in importer.bodies(items)}
    numbers = [bodies.pop(item).split()[1] for item in items]
    assert numbers == [b"%d" % number for number in range(MAILS)]
    assert bodies == {}


def test_every_connection_brings_its_share(
    full: Mailbox, around: Surroundings, slots: Slots, sessions: set[int]
) -> None:
    with opened(full, around) as (importer, items):
        sessions.clear()
        check(importer, items)
        assert len(sessions) == 3
        assert [header.item for header in importer.headers(items)] == items
    assert (slots.most, slots.held) == (2, 0)


@pytest.mark.parametrize(("free", "expected"), [(0, 1), (1, 2)])
def test_no_more_connections_than_slots(
    full: Mailbox, around: Surroundings, slots: Slots, sessions: set[int], free: int, expected: int
) -> None:
    slots.free = free
    with opened(full, around) as (importer, items):
        check(importer, items)
    assert (len(sessions), slots.held) == (expected, 0)


def test_none_helps_near_the_server(
    full: Mailbox, around: Surroundings, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_crew, "FAR_SECONDS", 1_000)
    with opened(full, around) as (importer, items):
        check(importer, items)
    assert slots.most == 0


def test_a_refused_connection_is_no_trouble(
    authority: Authority, around: Surroundings, slots: Slots
) -> None:
    with Dovecot(authority.server, max_connections=1) as server:
        mailbox = Mailbox.create(server, "desk", "secret")
        for number in range(MAILS):
            mailbox.deliver_raw(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
        with opened(mailbox, around) as (importer, items):
            check(importer, items)
            assert slots.most > 0
            assert (len(importer._crew._helpers), slots.held) == (0, 0)


def cut(session: ImapSession) -> None:
    shut(session.sock)


def rebuilt(session: ImapSession) -> None:
    session.close()


@pytest.mark.parametrize("spoil", [cut, rebuilt])
def test_what_a_helper_does_not_bring_is_fetched_all_the_same(
    full: Mailbox, around: Surroundings, slots: Slots, spoil: Callable[[ImapSession], None]
) -> None:
    with opened(full, around) as (importer, items):
        spoil(importer._crew._helpers[0].session())
        check(importer, items)
        assert (len(importer._crew._helpers), slots.held) == (1, 1)
        check(importer, items)


def test_the_own_connection_may_break_too(
    full: Mailbox, around: Surroundings, slots: Slots
) -> None:
    with opened(full, around) as (importer, items):
        shut(importer._own.session.sock)
        check(importer, items)
    assert slots.held == 0


def test_vanished_mail_is_left_out_by_all(full: Mailbox, around: Surroundings) -> None:
    with opened(full, around) as (importer, items):
        full.expunge(map(int, items[3:20]))
        assert [body.item for body in importer.bodies(items)] == items[:3] + items[20:]


def test_slots_are_given_back_after_a_shift(
    full: Mailbox, around: Surroundings, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(full, around) as (importer, items):
        for helper in importer._crew._helpers:
            helper.until = 0
        slots.free = 0  # somebody else takes them at once
        check(importer, items)
        wait_until(lambda: slots.held == 0, "slots given back")


# ------------------------------------------------------------------ asked ahead


@contextmanager
def through(
    mailbox: Mailbox, around: Surroundings, spoil: Spoil
) -> Iterator[tuple[ImapImporter, list[str]]]:
    """An importer without helpers, behind a proxy that spoils the answers."""
    with Meddler((mailbox.host, mailbox.port), spoil) as proxy:
        settings = ImapSettings(
            server=mailbox.host,
            port=proxy.port,
            user=mailbox.user,
            password=SecretStr(mailbox.password),
            security="none",
        )
        with ImapImporter(settings, replace(around, more_slots=Slots(0).more)) as importer:
            yield importer, [i for page in importer.look(None, None).pages for i in page.items]


def test_the_next_messages_are_asked_for_before_the_last_have_come(
    full: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("ask", "answered"):
        step = getattr(ImapSession, name)

        def spy(self: ImapSession, *args: Any, name: str = name, step: Any = step) -> Any:
            steps.append(name)
            return step(self, *args)

        monkeypatch.setattr(ImapSession, name, spy)
    with through(full, around, untouched) as (importer, items):
        check(importer, items)
    assert steps == ["ask", "ask", "answered", "answered"]


def test_answers_that_a_server_mixes_are_told_apart(full: Mailbox, around: Surroundings) -> None:
    """Dovecot answers the second command while the first waits for the line to take more."""
    held: list[bytes] = []

    def mix(chunk: bytes) -> bytes:
        if b" FETCH (" not in chunk:
            return chunk
        held.append(chunk)
        lines = b"".join(held).splitlines(keepends=True)
        ends = [line for line in lines if b" OK Fetch completed" in line]
        if len(ends) < 2:
            return b""
        return b"".join(line for line in lines if line not in ends) + b"".join(ends)

    with through(full, around, mix) as (importer, items):
        check(importer, items)


@pytest.mark.parametrize("answer", [b"NO [SERVERBUG] Internal error", b""])
def test_a_message_to_blame_is_set_apart_from_those_asked_for_with_it(
    full: Mailbox, around: Surroundings, answer: bytes
) -> None:
    def refuse(chunk: bytes) -> bytes | None:
        if b"body 7\r" not in chunk:
            return chunk
        tags = re.findall(rb"^(\S+) OK Fetch", chunk, re.MULTILINE)
        return b"".join(tag + b" " + answer + b"\r\n" for tag in tags) if answer else None

    with through(full, around, refuse) as (importer, items):
        bodies = {body.item: body for body in importer.bodies(items)}
    assert [item for item in items if bodies[item].fault] == [items[7]]


def test_a_cancel_ends_all_that_was_asked_for(full: Mailbox, around: Surroundings) -> None:
    spoil = untouched
    with through(full, around, lambda chunk: spoil(chunk)) as (importer, items):
        spoil = cancelling(around.cancel)
        started = time.monotonic()
        with pytest.raises(Cancelled):
            list(importer.bodies(items))
    assert time.monotonic() - started < 2


def test_a_server_that_goes_away_is_an_error_in_words(
    authority: Authority, around: Surroundings
) -> None:
    with Dovecot(authority.server) as server:
        mailbox = Mailbox.create(server, "desk", "secret")
        for number in range(MAILS):
            mailbox.deliver_raw(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
        with opened(mailbox, around) as (importer, items):
            server.stop()
            with pytest.raises(ConnectionFailed, match="refuses connections"):
                list(importer.bodies(items))
