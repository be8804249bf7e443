"""What every protocol keeps of its ports, whatever the service behind it: one suite for all."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.config import Config
from services.errors import LoginRefused
from services.protocols import PROTOCOLS
from services.protocols.base import (
    Envelope,
    Importer,
    LadderScope,
    Listing,
    Mark,
    Sender,
    Surroundings,
    Verdict,
)
from tests.servers.mailbox import Mailbox
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.services.protocols.office365.graph_desk import Desk, mail, outgoing, settings

OWN = "bookings@contoso.test"
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@dataclass
class Inbox:
    """A mailbox behind a protocol, filled and emptied from the other side."""

    key: str
    values: dict[str, Any]
    around: Surroundings
    deliver: Callable[[bytes, datetime], str]
    remove: Callable[[str], object]

    def open(self, **changes: Any) -> AbstractContextManager[Importer]:
        protocol = PROTOCOLS[self.key]
        assert protocol.importer is not None
        made = protocol.settings.model_validate(self.values | changes)
        return closing(protocol.importer(made, self.around))


@pytest.fixture(params=["imap", "office365"])
def inbox(request: pytest.FixtureRequest, authority: Authority) -> Inbox:
    if request.param == "office365":
        desk = Desk(request.getfixturevalue("contoso"))
        values = settings().model_dump()
        return Inbox("office365", values, desk.around, desk.mailbox.deliver, desk.mailbox.remove)
    box: Mailbox = request.getfixturevalue("mailbox")
    values = {
        "server": box.host,
        "port": box.tls_port,
        "user": box.user,
        "password": box.password,
    }
    return Inbox(
        "imap",
        values,
        Surroundings(Config(ca_bundle=authority.bundle)),
        lambda raw, when: str(box.append(raw, when)),
        lambda item: box.expunge([int(item)]),
    )


def fill(inbox: Inbox, many: int, first: int = 1) -> list[str]:
    return [inbox.deliver(mail(n), NOON) for n in range(first, first + many)]


def walked(listing: Listing) -> tuple[list[str], list[str], Mark]:
    items, early, cursor = [], [], ""
    for page in listing.pages:
        items += page.items
        early += page.early
        cursor = page.cursor or cursor
    return items, early, Mark(listing.scope, cursor)


def test_a_first_look_lists_everything_once_and_gives_a_mark(inbox: Inbox) -> None:
    items = fill(inbox, 7)
    with inbox.open() as importer:
        listing = importer.look(None, None)
        assert (listing.server_count, listing.resumed) == (7, False)
        found, early, mark = walked(listing)
        assert (found, early) == (items, [])
        later = importer.look(mark, None)
        assert (later.server_count, later.resumed, walked(later)[0]) == (7, True, [])


def test_an_empty_mailbox_gives_a_mark_too(inbox: Inbox) -> None:
    with inbox.open() as importer:
        mark = walked(importer.look(None, None))[2]
    (item,) = fill(inbox, 1)
    with inbox.open() as importer:
        assert walked(importer.look(mark, None))[0] == [item]


def test_only_the_first_look_knows_what_is_early(inbox: Inbox) -> None:
    old = inbox.deliver(mail(1), NOON - timedelta(days=3))
    second = inbox.deliver(mail(2), NOON - timedelta(seconds=1))
    start = inbox.deliver(mail(3), NOON)
    with inbox.open() as importer:
        items, early, mark = walked(importer.look(None, NOON))
        assert (items, early) == ([start], [old, second])
        moved_here = inbox.deliver(mail(4), NOON - timedelta(days=9))
        assert walked(importer.look(mark, NOON))[:2] == ([moved_here], [])


def test_the_whole_mailbox_can_be_looked_at_although_the_mark_holds(inbox: Inbox) -> None:
    items = fill(inbox, 4)
    with inbox.open() as importer:
        mark = walked(importer.look(None, None))[2]
        items += fill(inbox, 1, 5)
        listing = importer.look(mark, None, whole=True)
        assert listing.resumed
        found, _early, mark = walked(listing)
        assert found == items
        assert walked(importer.look(mark, None))[0] == []


def test_headers_and_bodies_are_those_of_the_message_and_what_vanished_is_left_out(
    inbox: Inbox,
) -> None:
    raw = mail(1, "Grüße")
    kept, gone = inbox.deliver(raw, NOON), inbox.deliver(mail(2), NOON)
    with inbox.open() as importer:
        items, _early, _mark = walked(importer.look(None, None))
        headers = {header.item: header for header in importer.headers(items)}
        inbox.remove(gone)
        bodies = list(importer.bodies(items))
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert (headers[kept].block, headers[kept].received) == (head, NOON)
    assert headers[kept].size == len(raw)
    assert [(body.item, body.data) for body in bodies] == [(kept, raw)]


def test_single_items_are_fetched_without_a_listing_in_the_scope_that_holds(inbox: Inbox) -> None:
    raw = mail(1)
    item = inbox.deliver(raw, NOON)
    with inbox.open() as importer:
        mark = walked(importer.look(None, None))[2]
    inbox.deliver(mail(2), NOON)
    for known in (mark, None):
        with inbox.open() as importer:
            assert importer.scope(known) == mark.scope
            assert [header.item for header in importer.headers([item])] == [item]
            assert [body.data for body in importer.bodies([item])] == [raw]


def test_a_wrong_secret_is_a_refused_login_at_its_field(inbox: Inbox) -> None:
    secret = PROTOCOLS[inbox.key].settings.model_validate(inbox.values).secret_fields()[0]
    with pytest.raises(LoginRefused) as error, inbox.open(**{secret: "wrong-one"}):
        pass
    assert error.value.field == f"settings.{secret}"
    assert "wrong-one" not in str(error.value) + repr(error.value)


def test_the_ladder_of_an_importer_ends_at_the_inbox(inbox: Inbox) -> None:
    fill(inbox, 2)
    protocol = PROTOCOLS[inbox.key]
    made = protocol.settings.model_validate(inbox.values)
    steps = list(protocol.ladder(made, LadderScope(None, imports=True), inbox.around))
    assert all(step.ok for step in steps)
    assert (steps[-1].step, "2 messages" in steps[-1].detail) == ("Inbox", True)


# ------------------------------------------------------------------ sending


@dataclass
class Exit:
    """A way out behind a protocol; `seen` is what the service delivered: recipients, bytes."""

    open: Callable[[], Sender]
    seen: Callable[[], list[tuple[tuple[str, ...], bytes]]]


@pytest.fixture(params=["smtp", "office365"])
def way(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Exit]:
    if request.param == "office365":
        desk = Desk(request.getfixturevalue("contoso"))
        yield Exit(lambda: _sender("office365", settings(), desk.around), lambda: desk.delivered)
        return
    with SmtpServer(authority.server) as server:
        made = PROTOCOLS["smtp"].settings.model_validate(
            {"server": server.host, "port": server.port}
        )
        around = Surroundings(Config(ca_bundle=authority.bundle))
        yield Exit(
            lambda: _sender("smtp", made, around),
            lambda: [(each.recipients, each.content) for each in server.mails],
        )


def _sender(key: str, made: Any, around: Surroundings) -> Sender:
    opened = PROTOCOLS[key].sender
    assert opened is not None
    return opened(made, around)


def test_every_recipient_is_answered_and_a_hidden_one_seen_by_nobody(way: Exit) -> None:
    to = Envelope(OWN, ("ann@b.test", "hidden@c.test"), "<one@contoso.test>", OWN)
    with closing(way.open()) as sender:
        replies = sender.send(to, outgoing())
    assert {who: reply.verdict for who, reply in replies.items()} == {
        "ann@b.test": Verdict.ACCEPTED,
        "hidden@c.test": Verdict.ACCEPTED,
    }
    assert all(reply.words for reply in replies.values())
    assert way.seen() == [(("ann@b.test", "hidden@c.test"), outgoing())]


def test_several_messages_go_out_through_one_sender(way: Exit) -> None:
    with closing(way.open()) as sender:
        for number in range(3):
            to = Envelope(OWN, ("ann@b.test",), f"<{number}@contoso.test>", OWN)
            sender.send(to, outgoing(body=f"Number {number}"))
    assert [raw for _who, raw in way.seen()] == [outgoing(body=f"Number {n}") for n in range(3)]


def test_a_body_of_dots_and_long_lines_arrives_as_it_was(way: Exit) -> None:
    data = outgoing(body=".\r\n..two\r\n" + "x" * 900 + "\r\n.")
    with closing(way.open()) as sender:
        sender.send(Envelope(OWN, ("ann@b.test",), "<1@contoso.test>", OWN), data)
    assert way.seen()[0][1] == data
