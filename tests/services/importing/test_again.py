"""Imports of mail that is here already: known, counted, and never doubled."""

from typing import Any

import pytest

from tests.services.importing.conftest import GUIDE, REPLY, Desk, letter


def test_a_second_run_imports_nothing_and_knows_everything(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    for _ in range(5):
        desk.mailbox.append(letter())
    assert desk.run().counts.imported == 5
    again = desk.run().counts
    assert (again.server_count, again.known, again.imported) == (5, 5, 0)
    desk.mailbox.append(letter())
    third = desk.run().counts
    assert (third.server_count, third.known, third.imported) == (6, 5, 1)


def test_expunged_mail_is_no_longer_counted_and_stays_here(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    uids = [desk.mailbox.append(letter()) for _ in range(4)]
    desk.run()
    desk.mailbox.expunge(uids[:3])
    counts = desk.run().counts
    assert (counts.server_count, counts.known) == (1, 1)
    assert len(desk.mails()) == 4


def test_the_same_mail_delivered_twice_is_imported_once(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    raw = letter()
    for headers in (b"", b"Received: by a\r\n", b"Delivered-To: desk\r\n"):
        desk.mailbox.append(headers + raw)
    counts = desk.run().counts
    assert (counts.imported, counts.known) == (1, 2)
    desk.mailbox.append(raw)
    counts = desk.run().counts
    assert (counts.imported, counts.known) == (0, 4)


def test_equal_headers_and_size_with_another_body_are_two_mails(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.mailbox.append(letter(message_id="<a@b>", body="one"))
    desk.mailbox.append(letter(message_id="<a@b>", body="two"))
    assert desk.run().counts.imported == 2


def test_of_skipped_mail_equal_headers_of_another_size_are_two_mails(desk: Desk) -> None:
    desk.account()
    for body in ("one", "one", "longer"):
        desk.mailbox.append(letter(sender="spam@else.test", message_id="<a@b>", body=body))
    counts = desk.run().counts
    assert (counts.skipped, counts.known) == (2, 1)


def test_mail_without_a_message_id_is_told_apart_by_its_bytes(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    for body in ("one", "two", "one"):
        desk.mailbox.append(letter(message_id=None, body=body))
    counts = desk.run().counts
    assert (counts.imported, counts.known) == (2, 1)


def test_a_rebuilt_mailbox_is_recognised_and_only_new_mail_imported(desk: Desk) -> None:
    desk.account()
    desk.contact(GUIDE)
    desk.sent()
    for raw in (
        letter(REPLY),
        letter(message_id=None),
        letter(sender="spam@else.test"),
        letter(REPLY, sender="stranger@else.test"),
        letter(REPLY, body="x" * 3_000_100),
        b"\r\nno headers\r\n",
    ):
        desk.mailbox.deliver_raw(raw)
    desk.run()
    before = [line.id for line in desk.mails()]
    desk.mailbox.new_uidvalidity()
    desk.mailbox.append(letter())
    result = desk.run()
    assert (result.counts.known, result.counts.imported) == (6, 1)
    assert result.counts.skipped + result.counts.errors == 0
    assert len(desk.mails()) == len(before) + 1
    assert desk.run().counts.known == 7


def test_messages_that_cannot_be_told_apart_are_never_taken_for_copies(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults leave no fingerprints: two of them must be two errors."""
    from services.protocols.imap_mailbox import ImapImporter

    desk.account()
    for _ in range(2):
        desk.mailbox.append(letter())

    def broken(self: ImapImporter, uid: int, _answer: Any, _fault: str) -> Any:
        return whole(self, uid, None, "the server does not give it")

    whole = ImapImporter._header
    monkeypatch.setattr(ImapImporter, "_header", broken)
    counts = desk.run().counts
    assert (counts.errors, counts.known) == (2, 0)
    assert {line.reason for line in desk.mails()} == {"unreadable"}
