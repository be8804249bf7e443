"""Why mail went wrong, so that what has one cause is seen, retried and dismissed together.

A cause is a reason plus what distinguishes it: where the sender decides (it is no contact, or its
type is not ticked), the sender's address. Open errors are what nobody has dismissed yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, text
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
        col(MailRow.outcome) == cause.outcome,
        col(MailRow.reason) == cause.reason,
        col(MailRow.dismissed_at).is_(None),
    ]
    return [*found, col(MailRow.from_key) == cause.sender] if cause.reason in BY_SENDER else found


def is_open_error() -> list[ColumnElement[bool]]:
    """Return the conditions of an error that nobody has dismissed."""
    return [col(MailRow.outcome) == Outcome.ERROR, col(MailRow.dismissed_at).is_(None)]


def open_causes(session: Session) -> Sequence[CauseLine]:
    """Return the causes of open errors, the most frequent first (at most a thousand)."""
    decides = case((col(MailRow.reason).in_(BY_SENDER), col(MailRow.from_key)), else_="")
    sender = decides.label("sender")
    number, newest = func.count().label("number"), func.max(MailRow.received_at).label("newest")
    # By name: PostgreSQL takes an expression with parameters for another one each time.
    statement = (
        select(MailRow.reason, sender, number, newest)
        .where(*is_open_error())
        .group_by(MailRow.reason, text("sender"))
        .order_by(text("number DESC, newest DESC"), MailRow.reason, text("sender"))
        .limit(_MOST)
    )
    return [
        CauseLine(Cause(Outcome.ERROR, reason, sender), count, newest)
        for reason, sender, count, newest in session.exec(statement)
    ]


def advice(reason: str, sender: str) -> str:
    """Return what to do about a reason, in a sentence; "" where there is nothing to do.

    `sender` is the address as people write it.
    """
    return _ADVICE.get(Reason(reason), "").format(sender=sender or "the sender")
