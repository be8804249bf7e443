"""Scheduled Tasks: the schedules that admins keep, how they stand, and what their runs did."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from models.account import EmailAccountRow
from models.fields import name_key
from models.history import Act
from models.schedule import ScheduleForm, ScheduleRow
from models.work import ImportRunRow, RunState
from services.accounts.overview import last_runs
from services.actor import Actor
from services.changes.differences import differences
from services.changes.history import History
from services.errors import InvalidInput
from services.forms import check
from services.importing.result import Counts
from services.paging import Page
from services.schedules.rows import KIND, form_of, note_deletion, schedule_row, schedule_rows
from services.schedules.state import Alarm, importing_now, standing
from services.store.engine import Store
from services.worker.due import Times, next_run


@dataclass(frozen=True)
class RunLine:
    """One import, as the history shows it; its counts add up."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    trigger: str
    """``schedule``, ``console`` or ``command``."""
    started_by: str
    state: RunState
    counts: Counts
    message: str
    """Why it failed, in words."""


@dataclass(frozen=True)
class ScheduleLine:
    """A schedule as the list shows it."""

    account_id: uuid.UUID
    account: str
    form: ScheduleForm
    next_run: datetime | None
    last: RunLine | None
    alarm: Alarm | None
    version: int

    @property
    def enabled(self) -> bool:
        """Whether it is on."""
        return self.form.enabled


@dataclass(frozen=True)
class Schedule:
    """A saved schedule, to be edited."""

    account_id: uuid.UUID
    form: ScheduleForm
    version: int


class ScheduleService:
    """Keeps the schedules; `services.worker.sweep` takes up what they say is due."""

    def __init__(
        self, store: Store, actor: Actor, now: Callable[[], datetime], history: History
    ) -> None:
        """Take the store, who is at work, and the history of what is done."""
        self._store, self._actor, self._now = store, actor, now
        self._history = history

    # ------------------------------------------------------------------ reading

    def list(self, text: str = "") -> Sequence[ScheduleLine]:
        """Return the schedules whose account's name contains the text, by name."""
        now, wanted = self._now(), name_key(text)
        with self._store.read() as session:
            busy, last = importing_now(session, now), last_runs(session)
            found = []
            for row, account in session.exec(schedule_rows()):
                if wanted in account.name_key:
                    state = standing(
                        row, now, imports=account.import_enabled, busy=account.id in busy
                    )
                    run = last.get(account.id)
                    found.append(_line(row, account, run, state.next_run, state.alarm))
        return found

    def get(self, account: str) -> Schedule:
        """Return an account's schedule, by its name regardless of case. Raises NotFound."""
        with self._store.read() as session:
            return _schedule(*schedule_row(session, account))

    def candidates(self) -> Sequence[str]:
        """Return the accounts that import and have no schedule yet."""
        with self._store.read() as session:
            statement = (
                select(EmailAccountRow.name)
                .outerjoin(ScheduleRow, col(ScheduleRow.account_id) == EmailAccountRow.id)
                .where(EmailAccountRow.import_enabled, col(ScheduleRow.id).is_(None))
                .order_by(col(EmailAccountRow.name_key))
            )
            return session.exec(statement).all()

    def history(
        self, account_id: uuid.UUID, after: str | None = None, limit: int = 200
    ) -> Page[RunLine]:
        """Return a page of an account's imports, whoever started them, newest first."""
        statement = (
            select(ImportRunRow)
            .where(ImportRunRow.account_id == account_id)
            .order_by(col(ImportRunRow.id).desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(col(ImportRunRow.id) < int(after))
        with self._store.read() as session:
            rows = [run_line(row) for row in session.exec(statement)]
        return Page(rows, str(rows[-1].id) if len(rows) == limit else None)

    # ------------------------------------------------------------------ writing

    def save(
        self, raw: Mapping[str, Any], account: str | None = None, seen_version: int | None = None
    ) -> Schedule:
        """Save a new schedule, or the changes of the one of `account`.

        A new interval runs at once, and then on. Raises InvalidInput, NotFound, and Stale where
        somebody has changed it since `seen_version`.
        """
        form = _zoned(check(ScheduleForm, raw))
        with self._store.write() as session:
            if account is None:
                row, owner = _new(session, form)
                row.version = self._history.first_version(session, KIND, owner.name)
                old = None
            else:
                row, owner = self._to_change(session, account, seen_version)
                _refuse_other(form, owner)
                old = form_of(row, owner)
            self._fill(row, form)
            session.add(row)
            session.flush()
            self._note(session, row, owner, old)
            return _schedule(row, owner)

    def switch(self, account: str, *, on: bool) -> Schedule:
        """Turn a schedule on or off. Raises NotFound."""
        found = self.get(account)
        values = found.form.model_dump() | {"enabled": on}
        return self.save(values, found.form.account, found.version)

    def delete(self, account: str, seen_version: int | None = None) -> None:
        """Delete a schedule; the account and its runs stay.

        Raises NotFound, and Stale where somebody has changed it since `seen_version`.
        """
        with self._store.write() as session:
            row, owner = self._to_change(session, account, seen_version)
            note_deletion(self._history, session, row, owner)
            session.delete(row)

    def _to_change(
        self, session: Session, account: str, seen_version: int | None
    ) -> tuple[ScheduleRow, EmailAccountRow]:
        with self._history.telling_deletion(session, KIND, account):
            row, owner = schedule_row(session, account, lock=True)
        self._history.refuse_stale(session, KIND, owner.name, row.version, seen_version)
        return row, owner

    def _note(
        self, session: Session, row: ScheduleRow, owner: EmailAccountRow, old: ScheduleForm | None
    ) -> None:
        """Write down what a save changed."""
        changes = differences(ScheduleForm, old, form_of(row, owner))
        if changes:
            row.updated_at, row.updated_by = self._now(), self._actor.who
            row.version += 1
            act = Act.CHANGE if old else Act.INSERT
            self._history.note(session, act, KIND, owner.name, row.version, changes)

    def _fill(self, row: ScheduleRow, form: ScheduleForm) -> None:
        now = self._now()
        old = row.next_run_at
        row.enabled, row.every_minutes = form.enabled, form.every
        row.cron, row.zone = form.cron, form.zone
        row.next_run_at = _first_run(form, old, now) if form.enabled else None
        if not form.enabled:
            row.owed_since = row.failing_since = None


def times_of(row: ScheduleRow) -> Times:
    """Return when a schedule runs."""
    return Times(row.every_minutes, row.cron, row.zone)


def run_line(row: ImportRunRow) -> RunLine:
    """Return an import detached from the store."""
    counts = Counts(**{name: getattr(row, name) for name in Counts.__dataclass_fields__})
    return RunLine(
        row.id or 0,
        row.started_at,
        row.finished_at,
        row.trigger,
        row.started_by,
        RunState(row.state),
        counts,
        row.message,
    )


def _first_run(form: ScheduleForm, old: datetime | None, now: datetime) -> datetime:
    """Return when a schedule just saved runs: an interval that begins, at once."""
    times = Times(form.every, form.cron, form.zone)
    if form.every is None:
        return next_run(times, now)
    return min(old, next_run(times, now)) if old is not None else now


def _zoned(form: ScheduleForm) -> ScheduleForm:
    """Name this host's zone where none is: the expression means the same on every host."""
    if form.every is not None or form.zone:
        return form
    from tzlocal import get_localzone_name

    return form.model_copy(update={"zone": get_localzone_name() or "UTC"})


def _new(session: Session, form: ScheduleForm) -> tuple[ScheduleRow, EmailAccountRow]:
    """Return the row of a new schedule, not yet filled in. Raises InvalidInput at the account."""
    owner = session.exec(
        select(EmailAccountRow).where(EmailAccountRow.name_key == name_key(form.account))
    ).first()
    if owner is None:
        raise InvalidInput({"account": f"There is no account {form.account}."})
    if not owner.import_enabled:
        raise InvalidInput({"account": f"{owner.name} does not import: tick Import there first."})
    taken = select(ScheduleRow.id).where(ScheduleRow.account_id == owner.id)
    if session.exec(taken).first() is not None:
        raise InvalidInput({"account": f"{owner.name} has a schedule already."})
    row = ScheduleRow(account_id=owner.id, enabled=False, updated_at=owner.updated_at,
                      updated_by="", version=0)  # fmt: skip
    return row, owner


def _refuse_other(form: ScheduleForm, owner: EmailAccountRow) -> None:
    if name_key(form.account) != owner.name_key:
        raise InvalidInput({"account": "Import Emails cannot be changed once saved."})


def _schedule(row: ScheduleRow, owner: EmailAccountRow) -> Schedule:
    return Schedule(owner.id, form_of(row, owner), row.version)


def _line(
    row: ScheduleRow,
    owner: EmailAccountRow,
    run: ImportRunRow | None,
    next_at: datetime | None,
    alarm: Alarm | None,
) -> ScheduleLine:
    last = run_line(run) if run else None
    return ScheduleLine(
        owner.id, owner.name, form_of(row, owner), next_at, last, alarm, row.version
    )
