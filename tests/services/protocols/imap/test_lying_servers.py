"""Answers that no honest server gives, through a proxy."""

import itertools
import re
from collections.abc import Iterator

import pytest

from services.errors import ConnectionFailed
from services.protocols import imap_session, imap_wire
from services.protocols.base import Surroundings
from tests.servers.mailbox import Mailbox
from tests.services.protocols.imap.inbox import items_of, mail, swapped, through


def test_a_uid_that_is_listed_twice_is_one_message(mailbox: Mailbox, around: Surroundings) -> None:
    mailbox.append(mail())
    twice = swapped(b"* SEARCH 1\r\n", b"* SEARCH 1 1\r\n")
    with through(mailbox, around, twice) as (_proxy, importer):
        items = items_of(importer.look(None, None))
    assert items == ["1"]


def test_a_size_beyond_all_stores_is_merely_too_large(
    mailbox: Mailbox, around: Surroundings
) -> None:
    mailbox.append(mail())
    huge = re.compile(rb"RFC822.SIZE \d+")
    with through(mailbox, around, lambda c: huge.sub(b"RFC822.SIZE " + b"9" * 40, c)) as (_p, at):
        (header,) = at.headers(items_of(at.look(None, None)))
    assert around.config.max_message_bytes < header.size < 2**63


def test_a_mailbox_beyond_all_stores_is_refused(mailbox: Mailbox, around: Surroundings) -> None:
    mailbox.append(mail())
    many = swapped(b"* 1 EXISTS", b"* " + b"9" * 40 + b" EXISTS")
    with (
        through(mailbox, around, many) as (_proxy, importer),
        pytest.raises(ConnectionFailed, match="no IMAP"),
    ):
        importer.look(None, None)


def test_an_answer_without_end_does_not_fill_the_memory(
    mailbox: Mailbox, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_session, "_LITERAL_SLACK", 0)
    monkeypatch.setattr(imap_wire, "_LONGEST_LINE", 100_000)
    mailbox.append(mail())

    def flood(chunk: bytes) -> Iterator[bytes] | bytes:
        if b"BODY[HEADER]" not in chunk:
            return chunk
        literal = b"* 1 FETCH (BODY[1] {100000}\r\n" + b"x" * 100_000 + b")\r\n"
        return itertools.repeat(literal, 100)

    with through(mailbox, around, flood) as (_proxy, importer):
        items = items_of(importer.look(None, None))
        (header,) = importer.headers(items)
    assert "no end" in header.fault
