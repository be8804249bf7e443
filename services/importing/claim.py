"""Who may import an account now: one open run, under a lease that a thread renews.

Every write of a run carries its fencing token (`claim`). A run whose lease ran out is ended by the
next one, and whatever its program writes afterwards changes nothing.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select, update
from sqlmodel.sql.expression import SelectOfScalar

from models.account import Account, EmailAccountRow
from models.work import ImportRunRow, RunState
from services.errors import Fenced, ServiceError
from services.importing.result import Counts
from services.schedules.state import note_end
from services.store.engine import Store

LEASE = timedelta(seconds=90)
RENEW_SECONDS = 30.0


# Made once, since every batch asks. Values for columns come with the parameters.
_PASS = update(ImportRunRow).where(
    col(ImportRunRow.id) == bindparam("us"),
    col(ImportRunRow.claim) == bindparam("token"),
    col(ImportRunRow.state) == RunState.RUNNING,
    col(ImportRunRow.account_id) == bindparam("ours"),
)
_VERSION = select(EmailAccountRow.version).where(EmailAccountRow.id == bindparam("ours"))


class AlreadyRunning(ServiceError):
    """Another program imports this account just now."""


@dataclass(frozen=True)
class Claim:
    """A run that is ours as long as the fence lets us through."""

    run_id: int
    token: int
    account_id: uuid.UUID
    account_version: int

    def pass_fence(self, session: Session, **values: Any) -> None:
        """Update the run in the transaction that the fence protects.

        Raises Fenced where the run was taken over or the account deleted; ServiceError where the
        account was changed, so that its new settings do not meet the old mailbox's mark.
        """
        us = {"us": self.run_id, "token": self.token, "ours": self.account_id}
        done = session.connection().execute(_PASS, us | values)
        if done.rowcount != 1:
            raise Fenced("Another program has taken this import over, or its account is gone.")

    def check_account(self, session: Session) -> None:
        """Raise ServiceError where the account was changed since the run began."""
        ours = {"ours": self.account_id}
        version = session.connection().execute(_VERSION, ours).scalar_one_or_none()
        if version != self.account_version:
            raise ServiceError(
                "The account was changed during the import.",
                "What was imported is kept; the next import uses the new settings.",
            )


class Claims:
    """Opens and ends runs."""

    def __init__(self, store: Store, holder: str, who: str, now: Callable[[], datetime]) -> None:
        """Take this process's name among all holders, and who works with it."""
        self._store, self._holder, self._who, self._now = store, holder, who, now

    def begin(self, account: Account, trigger: str) -> Claim:
        """Open a run. Raises AlreadyRunning; a run whose lease ran out is ended and replaced."""
        try:
            with self._store.write() as session:
                self._end_expired(session, account)
                row = self._row(account, trigger)
                session.add(row)
                session.flush()
                return Claim(row.id or 0, row.claim, account.id, account.version)
        except IntegrityError as error:  # on PostgreSQL two may come here at once
            raise AlreadyRunning(
                f"{account.name} is being imported already, by another program.",
                "Wait until that import has ended.",
            ) from error

    def _row(self, account: Account, trigger: str) -> ImportRunRow:
        now = self._now()
        return ImportRunRow(
            account_id=account.id,
            account_name=account.name,
            trigger=trigger,
            holder=self._holder,
            lease_until=now + LEASE,
            started_at=now,
            started_by=self._who,
        )

    def _end_expired(self, session: Session, account: Account) -> None:
        row = session.exec(
            select(ImportRunRow).where(
                ImportRunRow.account_id == account.id, ImportRunRow.state == RunState.RUNNING
            )
        ).first()
        if row is None:
            return
        if row.lease_until > self._now():
            free = f"{row.lease_until.astimezone():%H:%M:%S}"
            raise AlreadyRunning(
                f"{account.name} is being imported already, by {row.started_by} ({row.trigger}).",
                f"Wait until that import has ended; if its program was killed, until {free}.",
            )
        _end_for_dead(session, row, self._now())

    @contextmanager
    def renewed(self, claim: Claim) -> Iterator[None]:
        """Renew the lease from a thread of its own, so that a slow server does not outlive it."""
        done = threading.Event()
        thread = threading.Thread(target=self._renew, args=(claim, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()

    def _renew(self, claim: Claim, done: threading.Event) -> None:
        while not done.wait(RENEW_SECONDS):
            try:
                with self._store.write(shared=True) as session:
                    claim.pass_fence(session, lease_until=self._now() + LEASE)
            except Fenced:
                return  # the run's next write finds out too
            except ServiceError:
                continue  # the store is away for a moment; the lease bears two missed renewals

    def finish(
        self,
        claim: Claim,
        state: RunState,
        counts: Counts,
        message: str = "",
        also: Callable[[Session], None] | None = None,
    ) -> None:
        """End a run, and do in the same transaction what `also` does. Raises Fenced."""
        ended = {"state": state, "message": message, "finished_at": self._now()}
        with self._store.write() as session:
            claim.pass_fence(session, **ended, **asdict(counts))
            note_end(session, claim.account_id, state, self._now())
            if also is not None:
                also(session)

    def withdraw(self, claim: Claim) -> None:
        """Forget a run that never reached its mailbox. Raises Fenced."""
        with self._store.write() as session:
            claim.pass_fence(session, state=RunState.CANCELLED)
            session.exec(delete(ImportRunRow).where(col(ImportRunRow.id) == claim.run_id))


def expired(now: datetime) -> SelectOfScalar[ImportRunRow]:
    """Return what selects the runs whose program has died."""
    return select(ImportRunRow).where(
        ImportRunRow.state == RunState.RUNNING, ImportRunRow.lease_until <= now
    )


def end_expired(session: Session, now: datetime) -> list[uuid.UUID]:
    """End every run whose program has died, and return their accounts."""
    rows = session.exec(expired(now)).all()
    for row in rows:
        _end_for_dead(session, row, now)
    return [row.account_id for row in rows if row.account_id is not None]


def _end_for_dead(session: Session, row: ImportRunRow, now: datetime) -> None:
    row.claim, row.state, row.finished_at = row.claim + 1, RunState.FAILED, now
    row.message = "Its program ended in the middle. What it had imported is kept."
    session.add(row)
    session.flush()
