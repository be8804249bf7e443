"""What a person decides about a message: whom it belongs to, and that nothing is left to do."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from models.assignment import Assignment
from models.mail import MailRow, Outcome, Reason
from services import people
from services.errors import InvalidInput, ServiceError
from services.importing.fingerprint import content_digest
from services.importing.parse import skim
from services.management.cases import Case, mail_of, unchanged
from services.management.record import By, change, keep_bytes, note, update_ledger
from services.queue_rows import close_for_mail, raise_for_mail
from services.results import Result


@dataclass(frozen=True)
class Target:
    """What messages are assigned to; None leaves that as it is."""

    booking: str | None
    contact_id: int | None
    words: str
    """Such as ``booking KT1 and Walter Nkosi <walter@lodge.example>, Safari Lodge``."""


def target(session: Session, wanted: Assignment) -> Target:
    """Return what is meant. Raises InvalidInput at the field."""
    if not (wanted.booking or wanted.contact):
        raise InvalidInput({"booking": "Enter a booking, a contact, or both."})
    person = people.find(session, wanted.contact, "contact") if wanted.contact else None
    booking = f"booking {wanted.booking}" if wanted.booking else ""
    words = " and ".join(filter(None, (booking, person.words if person else "")))
    return Target(wanted.booking or None, person.id if person else None, words)


def assign(session: Session, case: Case, to: Target, data: bytes | None, by: By) -> Result:
    """Assign a message; one that was in error or skipped is imported by that.

    `data` is all of it, where it was fetched for this. Raises ServiceError, NotFound.
    """
    row = unchanged(session, case)
    values: dict[str, Any] = {}
    if to.booking is not None:
        values["booking"] = to.booking
    if to.contact_id is not None:
        values["contact_id"] = to.contact_id
    if row.outcome != Outcome.IMPORTED:
        values |= _import_values(row, to, by)
        _keep_whole(session, case, data, values)
    change(session, row, values, by)
    note(session, case.id, "assign", f"to {to.words}", by)
    whole = case.complete or data is not None
    return Result(case.id, True, "assigned", _said(to, whole=whole))


def _import_values(row: MailRow, to: Target, by: By) -> dict[str, Any]:
    why = f"Assigned to {to.words} by {by.who}. Before that: {row.why}"
    return {"outcome": Outcome.IMPORTED, "reason": Reason.ASSIGNED, "why": why}


def _keep_whole(session: Session, case: Case, data: bytes | None, values: dict[str, Any]) -> None:
    told: dict[str, Any] = {"outcome": Outcome.IMPORTED, "reason": Reason.ASSIGNED}
    if data is not None:
        keep_bytes(session, case, data, complete=True)
        values["attachments"] = skim(data).attachments
        told["content_digest"] = content_digest(data)
    update_ledger(session, case.id, told)


def _said(to: Target, *, whole: bool) -> str:
    rest = "" if whole else " Of the message only its headers are kept."
    return f"To {to.words}.{rest}"


def dismiss(session: Session, mail_id: int, by: By) -> Result:
    """Say that nothing is left to do about an error. Raises ServiceError, NotFound."""
    row = _error(session, mail_id)
    if row.dismissed_at is not None:
        raise ServiceError("It is dismissed already.")
    row.dismissed_at = by.now
    session.add(row)
    close_for_mail(session, mail_id, by.who, by.now)
    note(session, mail_id, "dismiss", "", by)
    return Result(mail_id, True, "dismissed", "It is no open error any more.")


def reopen(session: Session, mail_id: int, by: By) -> Result:
    """Make a dismissed error an open one again, told to its queue anew.

    Raises ServiceError, NotFound.
    """
    row = _error(session, mail_id)
    if row.dismissed_at is None:
        raise ServiceError("It is not dismissed.")
    row.dismissed_at = None
    session.add(row)
    session.flush()
    raise_for_mail(session, row.queue_id, [(mail_id, row.why)], by.now)
    note(session, mail_id, "reopen", "", by)
    return Result(mail_id, True, "reopened", "It is an open error again.")


def _error(session: Session, mail_id: int) -> MailRow:
    row = mail_of(session, mail_id)
    if row.outcome != Outcome.ERROR:
        raise ServiceError(f"It is no error: it was {row.outcome}.")
    return row
