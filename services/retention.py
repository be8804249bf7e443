"""Clearing out by age: imported mail, what explains skipped mail, runs, history and drafts.

What waits for somebody stays, however old: open errors, mail of which a queue still has a message,
and mail that is being forwarded. The ledger's rows stay too, with the digests by which a message is
recognised, so that nothing is ever imported twice.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, delete, exists, func, select, update

from models.history import ChangeRow, KeptDraftRow
from models.mail import LedgerRow, MailActionRow, MailRow, Outcome
from models.outbox import OutboxRow, OutboxState
from models.queue import QueueMessageRow
from models.work import ImportRunRow, RunState
from services.errors import InvalidInput
from services.store.engine import Store

MOST_DAYS = 36_500
BATCH = 100
"""Messages deleted in one transaction: a few milliseconds, in which no import can write."""
LEDGER_BATCH = 2_000
PAUSE = 0.01
"""Seconds between two transactions, so that others get their turn."""

_WAITING = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.UNCERTAIN)

Tell = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Ages:
    """How many days are kept, of what is to be cleared out; None leaves it alone."""

    mail: int | None = None
    """Imported mail, and errors that were dismissed."""
    details: int | None = None
    """What the ledger's rows of skipped mail are explained by: headers, sender, subject, why."""
    runs: int | None = None
    """Import runs."""
    history: int | None = None
    """Changes of records, save for each record's last one: by that its versions never repeat."""
    drafts: int | None = None
    """What was typed into forms whose line dropped."""


@dataclass(frozen=True)
class Pruned:
    """How much was cleared out, or would be."""

    mail: int = 0
    details: int = 0
    runs: int = 0
    history: int = 0
    drafts: int = 0


class _Far:
    """How far all of it is."""

    def __init__(self, whole: int, tell: Tell) -> None:
        self._done, self._whole, self._tell = 0, whole, tell

    def more(self, number: int) -> None:
        """Tell that so many more are gone."""
        self._done += number
        self._tell(self._done, self._whole)


class Retention:
    """Clears out the store; stopped at any point it goes on another time."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Take the store, and the time that ages are counted from."""
        self._store, self._now = store, now

    def count(self, ages: Ages) -> Pruned:
        """Return what `prune` would clear out. Raises InvalidInput as it does."""
        _check(ages)
        with self._store.read() as session:
            return Pruned(
                _number(session, MailRow, self._old_mail(ages.mail)),
                _number(session, MailRow, self._old_details(ages.details)),
                _number(session, ImportRunRow, self._old_runs(ages.runs)),
                _number(session, ChangeRow, self._old_changes(ages.history)),
                _number(session, KeptDraftRow, self._old_drafts(ages.drafts)),
            )

    def prune(self, ages: Ages, tell: Tell = lambda _done, _total: None) -> Pruned:
        """Clear out what is older, in short transactions; nothing else is ever touched.

        Raises InvalidInput where there is nothing to clear out, or an age is out of bounds.
        """
        far = _Far(sum(vars(self.count(ages)).values()), tell)
        return Pruned(
            self._delete(MailRow, self._old_mail(ages.mail), far),
            self._delete(MailRow, self._old_details(ages.details), far),
            self._delete_runs(self._old_runs(ages.runs), far),
            self._delete(ChangeRow, self._old_changes(ages.history), far),
            self._delete(KeptDraftRow, self._old_drafts(ages.drafts), far),
        )

    # ------------------------------------------------------------------ what is old

    def _before(self, days: int) -> datetime:
        return self._now() - timedelta(days=days)

    def _old_mail(self, days: int | None) -> Sequence[ColumnElement[bool]] | None:
        if days is None:
            return None
        over = or_(col(MailRow.outcome) == Outcome.IMPORTED, _dismissed())
        return [over, col(MailRow.received_at) < self._before(days), *_settled()]

    def _old_details(self, days: int | None) -> Sequence[ColumnElement[bool]] | None:
        if days is None:
            return None
        skipped = col(MailRow.outcome) == Outcome.SKIPPED
        return [skipped, col(MailRow.received_at) < self._before(days), *_settled()]

    def _old_runs(self, days: int | None) -> Sequence[ColumnElement[bool]] | None:
        """Return the conditions of old runs; an account's last one tells how it stands."""
        if days is None:
            return None
        newest = (
            select(func.max(ImportRunRow.id))
            .where(col(ImportRunRow.account_id).is_not(None))
            .group_by(col(ImportRunRow.account_id))
        )
        return [
            col(ImportRunRow.state) != RunState.RUNNING,
            col(ImportRunRow.started_at) < self._before(days),
            col(ImportRunRow.id).not_in(newest),
        ]

    def _old_changes(self, days: int | None) -> Sequence[ColumnElement[bool]] | None:
        if days is None:
            return None
        newer = aliased(ChangeRow)
        superseded = exists().where(
            col(newer.kind) == col(ChangeRow.kind),
            col(newer.name_key) == col(ChangeRow.name_key),
            col(newer.id) > col(ChangeRow.id),
        )
        return [col(ChangeRow.at) < self._before(days), superseded]

    def _old_drafts(self, days: int | None) -> Sequence[ColumnElement[bool]] | None:
        return None if days is None else [col(KeptDraftRow.kept_at) < self._before(days)]

    # ------------------------------------------------------------------ deleting

    def _delete(self, table: Any, old: Sequence[ColumnElement[bool]] | None, far: "_Far") -> int:
        """Delete rows with what hangs on them: mail goes with its bytes, text and history."""
        done = 0
        while old is not None:
            with self._store.write() as session:
                found = session.exec(select(table.id).where(*old).limit(BATCH)).all()
                session.exec(delete(table).where(col(table.id).in_(found)))
            if not found:
                break
            done += len(found)
            far.more(len(found))
            time.sleep(PAUSE)
        return done

    def _delete_runs(self, old: Sequence[ColumnElement[bool]] | None, far: "_Far") -> int:
        if old is None:
            return 0
        with self._store.read() as session:
            found = session.exec(select(ImportRunRow.id).where(*old)).all()
        for run_id in found:
            while self._detach(run_id or 0):
                time.sleep(PAUSE)
            with self._store.write() as session:
                session.exec(delete(ImportRunRow).where(col(ImportRunRow.id) == run_id))
            far.more(1)
        return len(found)

    def _detach(self, run_id: int) -> int:
        """Let some ledger rows forget their run, which a foreign key would do to all at once."""
        some = select(LedgerRow.id).where(LedgerRow.run_id == run_id).limit(LEDGER_BATCH)
        with self._store.write() as session:
            ids = session.exec(some).all()
            session.exec(update(LedgerRow).where(col(LedgerRow.id).in_(ids)).values(run_id=None))
        return len(ids)


def _check(ages: Ages) -> None:
    given = {name: days for name, days in vars(ages).items() if days is not None}
    if not given:
        raise InvalidInput({"mail": "Say what to clear out, and after how many days."})
    words = f"Keep 1 to {MOST_DAYS:,} days."
    wrong = {name: words for name, days in given.items() if not 1 <= days <= MOST_DAYS}
    if wrong:
        raise InvalidInput(wrong)


def _number(session: Session, table: Any, old: Sequence[ColumnElement[bool]] | None) -> int:
    if old is None:
        return 0
    return int(session.exec(select(func.count()).select_from(table).where(*old)).one())


def _dismissed() -> ColumnElement[bool]:
    error = col(MailRow.outcome) == Outcome.ERROR
    return error & col(MailRow.dismissed_at).is_not(None)


def _settled() -> list[ColumnElement[bool]]:
    """Return the conditions that nobody is at work with a message."""
    told = exists().where(
        col(QueueMessageRow.mail_id) == col(MailRow.id), col(QueueMessageRow.done_at).is_(None)
    )
    forwarding = exists().where(
        col(MailActionRow.mail_id) == col(MailRow.id),
        col(OutboxRow.id) == col(MailActionRow.outbox_id),
        col(OutboxRow.state).in_(_WAITING),
    )
    return [~told, ~forwarding]
