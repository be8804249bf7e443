"""Where a first import starts, and what the daily comparison makes good."""

from datetime import timedelta

import pytest

from tests.services.importing.conftest import GUIDE, Desk, letter
from tests.stores import START, Clock


@pytest.mark.parametrize(
    ("start", "imported", "before"),
    [("all", 4, 0), ("2026-02-01", 2, 2), ("now", 1, 3)],
)
def test_import_from_decides_where_the_first_import_starts(
    desk: Desk, start: str, imported: int, before: int
) -> None:
    desk.account(start=start)
    desk.contact(GUIDE)
    for days in (-400, -60, -10, 1):
        desk.mailbox.append(letter(), START + timedelta(days=days))
    hints = desk.run(rehearse=True).hints
    assert len(hints) == bool(before)
    assert all(f"{before} messages lie before Import From (2026-" in hint for hint in hints)
    first = desk.run()
    counts = first.counts
    assert first.hints == hints
    assert (counts.imported, counts.before_start, counts.server_count) == (imported, before, 4)
    assert len(desk.ledger()) == imported
    desk.mailbox.append(letter(), START - timedelta(days=900))
    second = desk.run()
    again = second.counts
    assert second.hints == (), "once is enough"
    assert (again.imported, again.before_start, again.known) == (1, before, imported)
    compared = desk.run(reconcile=True).counts
    assert (compared.imported, compared.before_start) == (0, before)
    assert compared.known == imported + 1


def test_the_count_before_the_start_shrinks_with_the_mailbox_on_comparison(desk: Desk) -> None:
    desk.account(start="now")
    desk.contact(GUIDE)
    old = [desk.mailbox.append(letter(), START - timedelta(days=9)) for _ in range(5)]
    desk.mailbox.append(letter(), START + timedelta(days=1))
    desk.run()
    desk.mailbox.expunge(old[:4])
    desk.run()
    counts = desk.run(reconcile=True).counts
    assert (counts.before_start, counts.known) == (1, 1)


def test_the_whole_mailbox_is_compared_once_a_day(desk: Desk, clock: Clock) -> None:
    desk.account()
    assert desk.run().reconciled
    assert not desk.run().reconciled
    clock.forward(hours=25)
    assert desk.run().reconciled
    assert not desk.run().reconciled


def test_a_comparison_imports_what_has_no_row(desk: Desk) -> None:
    from sqlmodel import delete

    from models.mail import LedgerRow

    desk.account()
    desk.contact(GUIDE)
    uids = [desk.mailbox.append(letter()) for _ in range(3)]
    desk.run()
    with desk.services.store.write() as session:
        session.exec(delete(LedgerRow).where(LedgerRow.item == str(uids[1])))  # type: ignore[arg-type]
    result = desk.services.importing.run(
        "DESK", trigger="command", surroundings=desk.around, reconcile=True
    )
    assert (result.counts.known, result.counts.imported) == (2, 1)
    mark = desk.mark()
    assert mark is not None
    assert mark.cursor == str(uids[-1])


def test_mail_that_had_vanished_and_is_there_again_is_imported(desk: Desk) -> None:
    from sqlmodel import col, update

    from models.mail import LedgerRow

    desk.account()
    desk.contact("late@supplier.test")
    desk.mailbox.append(letter(sender="late@supplier.test"))
    desk.run()
    with desk.services.store.write() as session:
        session.exec(
            update(LedgerRow).values(outcome="gone", mail_id=None, identity_digest="")
            .where(col(LedgerRow.outcome) == "imported")
        )  # fmt: skip
    result = desk.services.importing.run(
        "DESK", trigger="command", surroundings=desk.around, reconcile=True
    )
    assert result.ok
    assert result.counts.imported == 1
    assert [row.outcome for row in desk.ledger()] == ["imported"]
