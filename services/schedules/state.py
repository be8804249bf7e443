"""How schedules stand: when they run next, and whether somebody should look.

The list of schedules and the list of accounts both read it here, and so cannot disagree.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select, update

from models.account import EmailAccountRow
from models.schedule import ScheduleRow
from models.work import ImportRunRow, RunState

OVERDUE_AFTER = timedelta(minutes=15)
"""How long a run may be owed before that is an alarm: no worker, or never a free connection."""


@dataclass(frozen=True)
class Alarm:
    """Why somebody should look at a schedule."""

    words: str
    """``failing``, ``no run`` or ``account does not import``."""
    since: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """What an account's schedule promises, and its alarm."""

    next_run: datetime | None = None
    """None where it is off, or the account does not import."""
    alarm: Alarm | None = None


def standings(session: Session, now: datetime) -> Mapping[uuid.UUID, Standing]:
    """Return the standing of every account that has a schedule."""
    busy = importing_now(session, now)
    statement = select(ScheduleRow, EmailAccountRow.import_enabled).join(
        EmailAccountRow, col(EmailAccountRow.id) == ScheduleRow.account_id
    )
    return {
        row.account_id: standing(row, now, imports=imports, busy=row.account_id in busy)
        for row, imports in session.exec(statement)
    }


def importing_now(session: Session, now: datetime) -> set[uuid.UUID | None]:
    """Return the accounts that somebody imports from at this moment."""
    alive = select(ImportRunRow.account_id).where(
        ImportRunRow.state == RunState.RUNNING, ImportRunRow.lease_until > now
    )
    return set(session.exec(alive))


def standing(row: ScheduleRow, now: datetime, *, imports: bool, busy: bool) -> Standing:
    """Return the standing of one schedule: pure."""
    if not row.enabled:
        return Standing()
    if not imports:
        return Standing(None, Alarm("account does not import"))
    return Standing(row.next_run_at, _alarm(row, now, busy=busy))


def _alarm(row: ScheduleRow, now: datetime, *, busy: bool) -> Alarm | None:
    owed = row.owed_since or row.next_run_at
    if owed is not None and not busy and now - owed > OVERDUE_AFTER:
        return Alarm("no run", owed)
    return Alarm("failing", row.failing_since) if row.failing_since else None


def note_end(session: Session, account_id: uuid.UUID, state: RunState, now: datetime) -> None:
    """Note in the schedule how a run ended, whoever started it; a stop proves nothing."""
    since = {RunState.DONE: None, RunState.FAILED: func.coalesce(ScheduleRow.failing_since, now)}
    if state in since:
        session.execute(
            update(ScheduleRow)
            .where(col(ScheduleRow.account_id) == account_id)
            .values(owed_since=None, failing_since=since[state])
        )
