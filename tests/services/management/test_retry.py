"""Retry: judged again with today's contacts, types and sent mail, whole or not at all."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, update

from models.mail import LedgerRow
from models.outbox import RecipientState
from services.cancel import Cancel
from services.config import Config
from services.errors import Cancelled, ServiceError
from services.importing import examine
from services.importing.recorder import LedgerRecorder
from services.importing.result import Counts
from services.management import record
from services.protocols.base import Surroundings
from services.protocols.imap_mailbox import ImapImporter
from services.results import Result
from tests.servers.tls import Authority
from tests.services.importing.conftest import GUIDE, OURS, bounce, letter
from tests.services.management.conftest import REPLY, STRANGER, Manager


def test_an_error_whose_cause_is_gone_is_imported_with_all_that_hangs_on_it(busy: Manager) -> None:
    before = busy.raw(1).data
    busy.contact(STRANGER)
    (result,) = busy.act("retry", [1])
    assert (result.done, result.became) == (True, "imported")
    row = busy.mail(1)
    assert (row.outcome, row.reason, row.booking) == ("imported", "reply", "TP100")
    assert row.contact_id is not None
    assert row.queue_id is None
    assert (busy.raw(1).data, busy.raw(1).complete) == (before, True)
    assert busy.told() == [2, 3]
    assert busy.told(opened=False) == [1]
    assert busy.actions() == [(1, "retry", "imported: reply")]
    busy.check_books()
    assert {r.mail_id: r.outcome for r in busy.ledger()}[1] == "imported"


def test_still_an_error_says_why_and_changes_nothing_else(busy: Manager) -> None:
    (result,) = busy.act("retry", [1])
    assert (result.done, result.became) == (False, "still in error")
    assert "no known contact" in result.words
    assert busy.mail(1).outcome == "error"
    assert busy.told() == [1, 2, 3]


def test_all_with_the_same_cause_are_retried_and_no_others(busy: Manager) -> None:
    assert busy.services.management.alike(2) == [1, 2]
    busy.contact(STRANGER, "other@else.test")
    results = busy.act("retry", busy.services.management.alike(2))
    assert [r.became for r in results] == ["imported", "imported"]
    assert busy.mail(3).outcome == "error"


def test_skipped_mail_is_fetched_again_byte_by_byte(busy: Manager) -> None:
    assert not busy.raw(4).complete
    (result,) = busy.act("retry", [4])
    assert (result.done, result.became) == (False, "still skipped")
    busy.contact("spam@else.test")
    (result,) = busy.act("retry", [4])
    assert (result.done, result.became, busy.mail(4).reason) == (True, "imported", "enquiry")
    raw = busy.raw(4)
    assert raw.complete
    assert raw.data.endswith(b"\r\n\r\nBuy now\r\n")
    row = next(r for r in busy.ledger() if r.mail_id == 4)
    assert row.content_digest
    assert busy.run(reconcile=True).counts.known == 5


def test_an_error_may_become_skipped_and_leaves_its_queue(busy: Manager) -> None:
    busy.contact(STRANGER, type_="AC")
    (result,) = busy.act("retry", [1])
    assert (result.done, result.became) == (True, "skipped")
    assert (busy.mail(1).reason, busy.mail(1).queue_id) == ("type-not-ticked", None)
    assert busy.raw(1).complete, "no bytes are ever thrown away"
    assert busy.told() == [2, 3]


def test_skipped_mail_may_become_an_error_and_tells_the_queue(manager: Manager) -> None:
    late = "<late@operator.test>"
    manager.mailbox.append(letter(f"In-Reply-To: {late}", sender=STRANGER))
    manager.run()
    assert manager.told() == []
    manager.sent(late, token="zzzzzzzz")
    (result,) = manager.act("retry", [1])
    assert (result.done, result.became) == (False, "now in error")
    assert manager.told() == [1]
    assert manager.mails()[0].queue == "Errors"
    assert manager.raw(1).complete


def test_a_bounce_that_is_understood_later_marks_its_recipient(manager: Manager) -> None:
    late = "<late@operator.test>"
    manager.mailbox.append(bounce(late))
    manager.run()
    assert manager.mails()[0].outcome == "skipped"
    manager.sent(late, token="zzzzzzzz", to=(GUIDE,))
    manager.act("retry", [1])
    assert manager.mails()[0].reason == "not-delivered"
    states = [state for state, _ in manager.all_recipients()]
    assert sorted(states) == [RecipientState.BOUNCED, RecipientState.SENT]


def test_a_message_that_could_not_be_fetched_is_fetched_now(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.contact(GUIDE)
    when = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    manager.mailbox.append(letter(REPLY), when)
    fetch = ImapImporter._tried

    def broken(self: ImapImporter, uids: object, what: str, key: bytes) -> object:
        return iter([(uid, None, "it is locked") for uid in uids])  # type: ignore[attr-defined]

    monkeypatch.setattr(ImapImporter, "_tried", broken)
    manager.run()
    assert (manager.mail(1).reason, manager.raw(1).data) == ("unreadable", b"")
    monkeypatch.setattr(ImapImporter, "_tried", fetch)
    (result,) = manager.act("retry", [1])
    assert result.became == "imported"
    row = manager.mail(1)
    assert (row.from_address, row.received_at, row.booking) == (GUIDE, when, "TP100")
    assert manager.raw(1).complete
    assert manager.run(reconcile=True).counts.known == 1


def test_what_is_too_large_is_imported_once_the_limit_is_raised(manager: Manager) -> None:
    manager.contact(GUIDE)
    manager.mailbox.append(letter(REPLY, body=("x" * 70 + "\r\n") * 50_000))
    manager.run()
    assert manager.act("retry", [1])[0].became == "still in error"
    config = manager.around.config.model_copy(update={"max_message_mb": 5})
    manager.around = Surroundings(config)
    assert manager.act("retry", [1])[0].became == "imported"
    assert len(manager.raw(1).data) > 3_000_000


def test_imported_mail_unknown_mail_and_mail_of_nobody_is_refused(busy: Manager) -> None:
    results = busy.act("retry", [5, 99, 5])
    assert [(r.id, r.became) for r in results] == [(5, "refused"), (99, "refused")]
    assert "imported already" in results[0].words
    busy.services.accounts.delete("DESK")
    (result,) = busy.act("retry", [1])
    assert "account was deleted" in result.words


def test_mail_that_left_the_mailbox_stays_as_it_was(busy: Manager) -> None:
    busy.mailbox.expunge([busy.mailbox.uids[3]])
    busy.contact("spam@else.test")
    (result,) = busy.act("retry", [4])
    assert (result.done, busy.mail(4).outcome) == (False, "skipped")
    assert "in the mailbox no longer" in result.words


def test_a_mailbox_that_was_rebuilt_is_read_only_after_an_import_has_recognised_it(
    busy: Manager,
) -> None:
    busy.mailbox.new_uidvalidity()
    busy.contact("spam@else.test")
    (result,) = busy.act("retry", [4])
    assert result.became == "refused", "under the old UID may stand another message"
    busy.run()
    assert busy.act("retry", [4])[0].became == "imported"
    assert b"Buy now" in busy.raw(4).data


def test_another_message_is_never_taken_for_the_one_that_is_retried(busy: Manager) -> None:
    busy.contact("spam@else.test")
    with busy.services.store.write() as session:
        session.execute(update(LedgerRow).where(col(LedgerRow.mail_id) == 5).values(item="other"))
        theirs = str(busy.mailbox.uids[4])
        session.execute(update(LedgerRow).where(col(LedgerRow.mail_id) == 4).values(item=theirs))
    (result,) = busy.act("retry", [4])
    assert result.words.startswith("The mailbox has another message in its place.")
    assert (busy.mail(4).outcome, busy.raw(4).complete) == ("skipped", False)


def test_without_its_mailbox_only_what_needs_it_is_refused(busy: Manager) -> None:
    busy.contact("spam@else.test", STRANGER)
    busy.around = Surroundings(Config(max_message_mb=3))  # knows nothing of the server's authority
    results = busy.act("retry", [4, 1])
    assert [r.became for r in results] == ["refused", "imported"]
    assert "certificate" in results[0].words


def test_of_two_copies_that_were_skipped_one_is_imported(manager: Manager) -> None:
    same = letter(sender="spam@else.test", message_id="<same@else.test>")
    manager.mailbox.append(b"Received: by one\r\n" + same)
    manager.mailbox.append(b"Received: by another, longer\r\n" + same)
    manager.run()
    assert [line.outcome for line in manager.mails()] == ["skipped", "skipped"]
    manager.contact("spam@else.test")
    results = manager.act("retry", [1, 2])
    assert [r.became for r in results] == ["imported", "still skipped"]
    assert manager.mail(2).reason == "already-here"


def test_a_copy_that_an_import_holds_is_not_imported_beside_what_is_retried_meanwhile(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = letter(sender=STRANGER)
    manager.mailbox.append(skipped)
    manager.run()
    assert [row.outcome for row in manager.mails()] == ["skipped"]
    manager.contact(STRANGER)
    manager.mailbox.append(b"Received: by another way\r\n" + skipped)
    commit, said = LedgerRecorder.commit, list[Result]()

    def overtaken(self: LedgerRecorder, *args: Any) -> Counts:
        if not said:
            said.extend(manager.act("retry", [1]))
        return commit(self, *args)

    monkeypatch.setattr(LedgerRecorder, "commit", overtaken)
    result = manager.run()
    assert [one.done for one in said] == [True]
    assert [row.outcome for row in manager.mails()] == ["imported"]
    assert (result.counts.known, result.counts.imported) == (2, 0)


def test_cancel_stops_between_two_messages(busy: Manager) -> None:
    busy.contact(STRANGER)
    cancel = Cancel()
    with pytest.raises(Cancelled):
        busy.services.management.retry(
            [1, 2],
            Surroundings(busy.around.config, cancel),
            tell=lambda _done, _total: cancel.cancel(),
        )
    assert [busy.mail(n).outcome for n in (1, 2)] == ["imported", "error"]
    busy.check_books()


@pytest.mark.parametrize("broken", ["mark_failed", "update_ledger", "keep_bytes", "close_for_mail"])
def test_a_failure_anywhere_leaves_the_message_as_it_was(
    busy: Manager, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    busy.contact(STRANGER)

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(record, broken, fail)
    with pytest.raises(RuntimeError):
        busy.act("retry", [1])
    assert (busy.mail(1).outcome, busy.actions()) == ("error", [])
    assert busy.told() == [1, 2, 3]
    busy.check_books()


def test_who_is_overtaken_changes_nothing(busy: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    busy.contact(STRANGER)
    drafts = examine.Examiner.drafts

    def slow(self: examine.Examiner, headers: object) -> object:
        monkeypatch.undo()
        busy.services.management.dismiss([1])
        return drafts(self, headers)  # type: ignore[arg-type]

    monkeypatch.setattr(examine.Examiner, "drafts", slow)
    (result,) = busy.act("retry", [1])
    assert "just changed" in result.words
    assert busy.mail(1).outcome == "error"


KILLED = """
import os, signal, sys
from pathlib import Path
from services.management import record
from services.protocols.base import Surroundings
from tests.stores import services_in
from services.config import Config

services = services_in(Path(sys.argv[1]))
where, real = sys.argv[2], getattr(record, sys.argv[2])

def killed(*args, **options):
    real(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(record, where, killed)
config = Config(ca_bundle=Path(sys.argv[3]), max_message_mb=3)
services.management.retry([4, 1], Surroundings(config))
"""


@pytest.mark.parametrize("where", ["change", "update_ledger", "mark_failed"])
def test_a_kill_inside_the_writing_loses_nothing_and_a_second_retry_does_it(
    busy: Manager, tmp_path: Path, authority: Authority, where: str
) -> None:
    busy.contact(STRANGER, "spam@else.test")
    program = [sys.executable, "-c", KILLED, str(tmp_path), where, str(authority.bundle)]
    ended = subprocess.run(program, timeout=60, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert [busy.mail(n).outcome for n in (4, 1)] == ["skipped", "error"]
    assert not busy.raw(4).complete
    busy.check_books()
    results = busy.act("retry", [4, 1])
    assert [r.became for r in results] == ["imported", "imported"]
    busy.check_books()
    assert busy.run(reconcile=True).counts.known == 5


def test_a_refusal_of_the_mailbox_is_told_for_all_who_need_it(busy: Manager) -> None:
    def refuse(*_args: object) -> None:
        raise ServiceError("No mailbox today.")

    busy.services.importing.mailbox = refuse  # type: ignore[method-assign, assignment]
    busy.contact("spam@else.test")
    assert busy.act("retry", [4])[0].words == "No mailbox today."


def test_the_token_of_a_booking_links_what_is_retried(manager: Manager) -> None:
    manager.mailbox.append(letter(sender=STRANGER, subject="Re: Rooms [#TP100-bcdfghjk]"))
    manager.run()
    manager.contact(STRANGER)
    manager.act("retry", [1])
    assert (manager.mail(1).booking, manager.mail(1).reason) == ("TP100", "reply")
    assert OURS in manager.mail(1).why
