"""Several IMAP connections for one import: quicker where they help, and never less right."""

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from pydantic import SecretStr

from services.config import Config
from services.network import shut
from services.protocols import imap_crew
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_mailbox import ImapImporter
from services.protocols.imap_session import ImapSession
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority

MAILS = 30


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
    fetch = ImapSession.fetch

    def spy(self: ImapSession, uids: object, what: str) -> object:
        seen.add(id(self))
        return fetch(self, uids, what)  # type: ignore[arg-type]

    monkeypatch.setattr(ImapSession, "fetch", spy)
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
        for _ in range(imap_crew.MOST + 1):
            list(importer.bodies(items))
            wait([importer._crew._hiring] if importer._crew._hiring else [])
        yield importer, items


def check(importer: ImapImporter, items: list[str]) -> None:
    bodies = list(importer.bodies(items))
    assert [body.item for body in bodies] == items
    numbers = [(body.data or b"").split()[1] for body in bodies]
    assert numbers == [b"%d" % number for number in range(MAILS)]


def test_every_connection_brings_its_share_in_order(
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
    with Dovecot(authority.server, max_connections=2) as server:
        mailbox = Mailbox.create(server, "desk", "secret")
        for number in range(MAILS):
            mailbox.deliver_raw(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
        with opened(mailbox, around) as (importer, items):
            check(importer, items)
            assert (len(importer._crew._helpers), slots.held) == (1, 1)
    assert slots.held == 0


def cut(session: ImapSession) -> None:
    shut(session.sock)


def rebuilt(session: ImapSession) -> None:
    session.close()


@pytest.mark.parametrize("spoil", [cut, rebuilt])
def test_what_a_helper_does_not_bring_is_fetched_all_the_same(
    full: Mailbox, around: Surroundings, slots: Slots, spoil: Callable[[ImapSession], None]
) -> None:
    with opened(full, around) as (importer, items):
        spoil(importer._crew._helpers[0].session)
        check(importer, items)
        assert (len(importer._crew._helpers), slots.held) == (1, 1)
        check(importer, items)


def test_the_own_connection_may_break_too(
    full: Mailbox, around: Surroundings, slots: Slots
) -> None:
    with opened(full, around) as (importer, items):
        shut(importer._session.sock)
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
        helpers = importer._crew._helpers
        helpers[:] = [replace(helper, until=0) for helper in helpers]
        slots.free = 0  # somebody else takes them at once
        check(importer, items)
        assert slots.held == 0
