"""Scheduled Tasks: when an account's mail is imported, as an admin says it and as it is kept."""

import uuid
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from sqlalchemy import CheckConstraint, Column, ForeignKey
from sqlmodel import Field as Col

from models.base import Row
from models.fields import Absent, Line, References, Section, Unit

MINUTES_MAX = 7 * 24 * 60
_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_SHAPE = "Five fields are needed: minute, hour, day of the month, month, day of the week."


def _cron(text: str) -> str:
    """Check a cron expression as Debian's crontab(5) reads it, and return it in single spaces."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{_SHAPE} Such as 0 7-18 * * 1-5.")
    for place, name in enumerate(_FIELDS):
        alone = ["*"] * 5
        alone[place] = fields[place]
        if not _is_cron(" ".join(alone)):
            raise ValueError(f"The {name} {fields[place]} is not one that cron knows.")
    if not _is_cron(" ".join(fields)):
        raise ValueError("No day in the calendar fits this.")
    return " ".join(fields)


def _is_cron(text: str) -> bool:
    from cronsim import CronSim, CronSimError  # only schedules pay for it

    try:
        next(CronSim(text, datetime(2024, 1, 1)))
    except (CronSimError, StopIteration):
        return False
    return True


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key if text else ""
    except (LookupError, ValueError, OSError):  # a folder of zones is an OSError
        raise ValueError("This is not the name of a time zone, such as Europe/Berlin.") from None


class ScheduleForm(Section):
    """Scheduled Task"""

    account: Annotated[Line, References("account")] = Field(title="Import Emails", min_length=1)
    """The account whose mail is imported. It cannot be changed once the task is saved."""

    enabled: bool = Field(True, title="On")
    """Whether the task runs. What is off keeps its times."""

    every: Annotated[int | None, Absent("By cron", "Every"), Unit("minutes")] = Field(
        5, title="Times", ge=1, le=MINUTES_MAX
    )
    """Every so many minutes, or at the times that a cron expression names."""

    cron: Line = Field("", title="Cron Expression", max_length=100, validate_default=True)
    """Minute, hour, day of the month, month, day of the week, such as 0 7-18 * * 1-5: on the hour
    from seven to six, Monday to Friday."""

    zone: Annotated[Line, AfterValidator(_zone)] = Field("", title="Time Zone", max_length=50)
    """Whose clock the cron expression means, such as Europe/Berlin. Blank: this host's. A time
    that a clock change skips runs right after it, one that comes twice runs once."""

    @field_validator("cron")
    @classmethod
    def _timed(cls, text: str, info: ValidationInfo) -> str:
        """The minutes go before the expression, which must be there without them."""
        if info.data.get("every", 0) is not None:
            return "" if "every" in info.data else text
        if not text:
            raise ValueError("Enter a cron expression, or choose Every.")
        return _cron(text)

    @property
    def words(self) -> str:
        """The times in a few words."""
        return f"{self.every} min" if self.every is not None else self.cron


class ScheduleRow(Row, table=True):
    """An account's schedule, and what it owes.

    `next_run_at` is when a worker takes it up; None where it is off.
    """

    __tablename__ = "schedule"
    __table_args__ = (
        CheckConstraint(
            "(every_minutes IS NOT NULL AND cron = '') OR (every_minutes IS NULL AND cron <> '')",
            name="ck_schedule_times",
        ),
        CheckConstraint(
            f"every_minutes IS NULL OR every_minutes BETWEEN 1 AND {MINUTES_MAX}",
            name="ck_schedule_every",
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    account_id: uuid.UUID = Col(
        sa_column=Column(
            ForeignKey("email_account.id", ondelete="CASCADE"), nullable=False, unique=True
        )
    )
    enabled: bool
    every_minutes: int | None = None
    cron: str = ""
    zone: str = ""
    """The clock that `cron` means, an IANA name."""
    next_run_at: datetime | None = Col(default=None, index=True)
    owed_since: datetime | None = None
    """When the run was due that was begun or put off since, until a run ends."""
    failing_since: datetime | None = None
    """When the first of the runs ended that have failed without a success in between."""
    updated_at: datetime
    updated_by: str
    version: int = 1
