"""What a worker takes up of the schedules: the claim, and what to do where it came to nothing.

The claim and the next time are one transaction, so that two workers never take up one due time;
the import itself is fenced by its run (`services.importing.claim`).
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select, update

from models.account import EmailAccountRow
from models.schedule import ScheduleRow
from services.connections.service import MailboxBusy
from services.errors import Cancelled, NotFound
from services.importing.claim import AlreadyRunning, end_expired, expired
from services.importing.result import RunResult
from services.importing.run import ImportService
from services.protocols.base import Surroundings
from services.schedules.service import times_of
from services.schedules.state import importing_now
from services.store.engine import Store
from services.worker.due import next_run

AGAIN_SECONDS = (5.0, 15.0)
"""After how long a mailbox without a free connection is tried again, spread by chance."""


@dataclass(frozen=True)
class Due:
    """An import that is taken up."""

    account_id: uuid.UUID
    account: str


class Sweep:
    """Takes up what is due, and imports it."""

    def __init__(self, store: Store, importing: ImportService, now: Callable[[], datetime]) -> None:
        """Take the store and what imports."""
        self._store, self._importing, self._now = store, importing, now

    def waiting(self, most: int) -> Sequence[uuid.UUID]:
        """Return at most so many accounts that are due, longest due first, taking up none."""
        self._revive()
        with self._store.read() as session:
            return [row.account_id for row, _name in session.exec(_due(self._now(), most))]

    def claim(self, most: int, only: uuid.UUID | None = None) -> Sequence[Due]:
        """Take up at most so many due imports, longest due first, or that of one account."""
        if most < 1:
            return []
        self._revive()
        with self._store.read() as session:  # without a lock first: mostly nothing is due
            if session.exec(_due(self._now(), 1, only)).first() is None:
                return []
        now = self._now()
        with self._store.write() as session:
            busy = importing_now(session, now)
            found = []
            for row, account in session.exec(_due(now, most, only)):
                if row.account_id not in busy:
                    found.append(Due(row.account_id, account))
                    row.owed_since = row.owed_since or row.next_run_at
                row.next_run_at = next_run(times_of(row), now, row.next_run_at)
                session.add(row)
            return found

    def _revive(self) -> None:
        """End runs whose program has died, and make them due at once."""
        now = self._now()
        with self._store.read() as session:
            if not session.exec(expired(now).limit(1)).first():
                return
        with self._store.write() as session:
            died = col(ScheduleRow.account_id).in_(end_expired(session, now))
            later = col(ScheduleRow.next_run_at) > now
            session.execute(update(ScheduleRow).where(died, later).values(next_run_at=now))

    def run(self, due: Due, surroundings: Surroundings) -> RunResult | None:
        """Import what was taken up; None where it came to nothing.

        A busy mailbox is tried again soon. Raises Cancelled after handing the import back, and
        ServiceError where it failed, which its run has recorded.
        """
        try:
            return self._importing.run(
                due.account, trigger="schedule", surroundings=surroundings, if_free=True
            )
        except Cancelled:
            self._set_next(due, self._now())
            raise
        except MailboxBusy:
            pause = random.uniform(*AGAIN_SECONDS)  # noqa: S311 - jitter, not a secret
            self._set_next(due, self._now() + timedelta(seconds=pause))
        except (AlreadyRunning, NotFound):
            pass  # somebody else does it, or the account is gone
        return None

    def _set_next(self, due: Due, moment: datetime) -> None:
        """Move the next run forward, unless the schedule was turned off meanwhile."""
        with self._store.write() as session:
            session.execute(
                update(ScheduleRow)
                .where(
                    col(ScheduleRow.account_id) == due.account_id,
                    col(ScheduleRow.next_run_at) > moment,
                )
                .values(next_run_at=moment)
            )


def _due(now: datetime, most: int, only: uuid.UUID | None = None) -> Any:
    statement = (
        select(ScheduleRow, EmailAccountRow.name)
        .join(EmailAccountRow, col(EmailAccountRow.id) == ScheduleRow.account_id)
        .where(
            ScheduleRow.enabled,
            EmailAccountRow.import_enabled,
            col(ScheduleRow.next_run_at) <= now,
        )
        .order_by(col(ScheduleRow.next_run_at), col(ScheduleRow.id))
        .limit(most)
    )
    return statement if only is None else statement.where(ScheduleRow.account_id == only)
