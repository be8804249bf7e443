"""Why mail went wrong, so that what has one cause is seen, retried and dismissed together.

A cause is a reason plus what distinguishes it: where the sender decides (it is no contact, or its
type is not ticked), the sender's address. Open errors are what nobody has dismissed yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, literal_column, text
from sqlmodel import Session, col, func, select

from models.mail import MailRow, Outcome, Reason

BY_SENDER = (
    Reason.UNKNOWN_SENDER,
    Reason.TYPE_NOT_TICKED,
    Reason.AUTOMATIC,
    Reason.UNRELATED,
)
"""Reasons that hold for one sender, and are gone for all of that sender's mail at once."""

_MOST = 1_000

_ADVICE = {
    Reason.UNKNOWN_SENDER: "Add {sender} to a contact, then Retry.",
    Reason.NOT_DELIVERED: "Correct the contact's address and send the message again.",
    Reason.TOO_LARGE: "Raise TOURMAIL_MAX_MESSAGE_MB, then Retry.",
    Reason.UNREADABLE: "Save it to look at it, or Retry to fetch it again.",
    Reason.TYPE_NOT_TICKED: "Tick its contact type on the account's Import tab, then Retry.",
    Reason.UNRELATED: "If its mail is wanted, add {sender} to a contact, then Retry.",
}


@dataclass(frozen=True)
class Cause:
    """What several messages have in common that were not imported."""

    outcome: Outcome
    reason: str
    sender: str = ""
    """In `address_key` form; "" where the reason alone tells."""


@dataclass(frozen=True)
class CauseLine:
    """A cause of open errors as a list shows it."""

    cause: Cause
    count: int
    newest: datetime
    """When the newest of them was received."""


def cause_of(row: MailRow) -> Cause:
    """Return the cause of a message's outcome."""
    return cause(Outcome(row.outcome), row.reason, row.from_key)


def cause(outcome: Outcome, reason: str, sender: str) -> Cause:
    """Return a cause; `sender` (`address_key` form) counts only where it decides."""
    return Cause(outcome, reason, sender if reason in BY_SENDER else "")


def alike(cause: Cause) -> list[ColumnElement[bool]]:
    """Return the conditions of the mail that has a cause, save for what was dismissed."""
    found = [
        *_undismissed(cause.outcome),
        col(MailRow.reason) == cause.reason,
    ]
    return [*found, col(MailRow.from_key) == cause.sender] if cause.reason in BY_SENDER else found


def is_open_error() -> list[ColumnElement[bool]]:
    """Return the conditions of an error that nobody has dismissed."""
    return [col(MailRow.outcome) == _literal(Outcome.ERROR), col(MailRow.dismissed_at).is_(None)]


def _undismissed(outcome: Outcome) -> list[ColumnElement[bool]]:
    """Say it as the indexes of causes do: else SQLite goes through all of an outcome instead."""
    which = col(MailRow.outcome) + literal_column("''")
    return [which == _literal(outcome), col(MailRow.dismissed_at).is_(None)]


def _literal(outcome: Outcome) -> Any:
    """Return what an index of this outcome alone is chosen by; a parameter may be any other."""
    return literal_column(f"'{outcome.value}'")


def open_reasons(session: Session) -> dict[str, int]:
    """Return how many open errors there are of each reason, the most frequent first."""
    statement = (
        select(MailRow.reason, func.count())
        .where(*_undismissed(Outcome.ERROR))
        .group_by(col(MailRow.reason))
        .order_by(func.count().desc(), col(MailRow.reason))
    )
    return dict(session.exec(statement).all())


def open_causes(session: Session) -> Sequence[CauseLine]:
    """Return the causes of open errors, the most frequent first (at most a thousand)."""
    # First by what an index has in this order; few are left then.
    found = (
        select(
            MailRow.reason,
            MailRow.from_key,
            func.count().label("number"),
            func.max(MailRow.received_at).label("newest"),
        )
        .where(*_undismissed(Outcome.ERROR))
        .group_by(MailRow.reason, MailRow.from_key)
        .subquery()
    )
    decides = case((found.c.reason.in_(BY_SENDER), found.c.from_key), else_="")
    sender = decides.label("sender")
    number, newest = func.sum(found.c.number).label("number"), func.max(found.c.newest)
    # By name: PostgreSQL takes an expression with parameters for another one each time.
    statement = (
        select(found.c.reason, sender, number, newest.label("newest"))
        .group_by(found.c.reason, text("sender"))
        .order_by(text("number DESC, newest DESC"), found.c.reason, text("sender"))
        .limit(_MOST)
    )
    return [
        CauseLine(Cause(Outcome.ERROR, reason, sender), int(count), newest)
        for reason, sender, count, newest in session.exec(statement)
    ]


def advice(reason: str, sender: str) -> str:
    """Return what to do about a reason, in a sentence; "" where there is nothing to do.

    `sender` is the address as people write it.
    """
    return _ADVICE.get(Reason(reason), "").format(sender=sender or "the sender")
