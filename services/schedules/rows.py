"""The rows of schedules, found with the account that each one belongs to."""

from typing import Any

from sqlmodel import Session, col, select

from models.account import EmailAccountRow
from models.fields import name_key
from models.history import Act
from models.schedule import ScheduleForm, ScheduleRow
from services.changes.differences import differences
from services.changes.history import History
from services.errors import NotFound

KIND = "schedule"
"""What the history calls a schedule."""


def schedule_rows() -> Any:
    """Return the statement that finds every schedule with its account, by name."""
    return (
        select(ScheduleRow, EmailAccountRow)
        .join(EmailAccountRow, col(EmailAccountRow.id) == ScheduleRow.account_id)
        .order_by(col(EmailAccountRow.name_key))
    )


def schedule_row(
    session: Session, account: str, *, lock: bool = False
) -> tuple[ScheduleRow, EmailAccountRow]:
    """Return a schedule and its account; what is to be changed is locked, so that versions hold.

    Raises NotFound.
    """
    statement = schedule_rows().where(EmailAccountRow.name_key == name_key(account))
    if lock:
        statement = statement.with_for_update(of=ScheduleRow)
    found = session.exec(statement).first()
    if found is None:
        raise NotFound(f"{account} has no schedule.")
    return found[0], found[1]


def note_deletion(
    history: History, session: Session, row: ScheduleRow, owner: EmailAccountRow
) -> None:
    """Write down that a schedule is deleted, by itself or with its account."""
    gone = differences(ScheduleForm, form_of(row, owner), None)
    history.note(session, Act.DELETE, KIND, owner.name, row.version + 1, gone)


def form_of(row: ScheduleRow, owner: EmailAccountRow) -> ScheduleForm:
    """Return a schedule as it is edited."""
    # What is stored was valid when it was saved; a later, stricter rule must not hide it.
    return ScheduleForm.model_construct(
        account=owner.name,
        enabled=row.enabled,
        every=row.every_minutes,
        cron=row.cron,
        zone=row.zone,
    )
