"""What others change while an import is under way, or while mail is judged again."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.importing import walk
from services.importing.examine import Examiner
from services.protocols import imap_listing
from services.retention import Ages
from tests.services.importing.conftest import GUIDE, Desk, letter
from tests.services.importing.test_interruptions import at_commit
from tests.stores import Clock

MAILS = 12


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 4)
    monkeypatch.setattr(walk, "BATCH_MESSAGES", 2)


def forget(desk: Desk) -> None:
    desk.services.contacts.delete("supplier", "C0")


def test_a_contact_that_is_deleted_meanwhile_stops_no_import(full: Desk) -> None:
    counts = full.run(progress=at_commit(1, lambda: forget(full))).counts
    assert counts.imported + counts.skipped == MAILS
    assert counts.imported > 2, "what was judged before is kept as it was judged"
    assert [mail for mail in full.mails() if mail.contact] == []


def test_a_contact_that_is_deleted_meanwhile_stops_no_retry(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.account()
    desk.mailbox.append(letter())
    desk.run()
    (mail,) = desk.mails()
    desk.contact(GUIDE)
    drafts = Examiner.drafts

    def late(self: Examiner, headers: Sequence[Any]) -> Any:
        found = drafts(self, headers)
        forget(desk)
        return found

    monkeypatch.setattr(Examiner, "drafts", late)
    (result,) = desk.services.management.retry([mail.id], desk.around)
    assert (result.done, result.became) == (True, "imported")
    assert [(mail.outcome, mail.contact) for mail in desk.mails()] == [("imported", "")]


def test_mail_that_is_cleared_out_meanwhile_stops_no_import(full: Desk, clock: Clock) -> None:
    """Its copies stay known, by the ledger."""
    full.run()
    full.mailbox.new_uidvalidity()
    clock.forward(days=400)
    ages = Ages(mail=30)
    counts = full.services.importing.run(
        "DESK",
        trigger="command",
        surroundings=full.around,
        progress=at_commit(1, lambda: full.services.retention.prune(ages)),
    ).counts
    assert (counts.known, counts.accounted) == (MAILS, MAILS)
    assert full.mails() == []
