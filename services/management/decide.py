"""What a person decides about a message: whom it belongs to, and that nothing is left to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select, update

from models.assignment import Assignment
from models.mail import MailRow, Outcome, Reason
from services.contacts import people
from services.errors import InvalidInput
from services.importing.fingerprint import content_digest
from services.importing.parse import skim
from services.management.cases import Case, unchanged
from services.management.record import By, change, keep_bytes, note, note_all, update_ledger
from services.queues.rows import close_for_mail, raise_for_mail
from services.results import REFUSED, Result


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


@dataclass(frozen=True)
class Decision:
    """What a person decides about many messages at once, each of which may be refused."""

    action: str
    became: str
    words: str
    refuse: Callable[[MailRow], str]
    """Returns why a message is refused, "" where it is not."""
    write: Callable[[Session, Sequence[MailRow], By], None]


def decide(session: Session, ids: Sequence[int], what: Decision, by: By) -> list[Result]:
    """Decide about messages, and keep that in their history."""
    found = session.exec(select(MailRow).where(col(MailRow.id).in_(ids)))
    rows = {row.id: row for row in found}
    wrong = {mail_id: _refusal(what, rows.get(mail_id), mail_id) for mail_id in ids}
    taken = [rows[mail_id] for mail_id in ids if not wrong[mail_id]]
    if taken:
        what.write(session, taken, by)
        note_all(session, [row.id or 0 for row in taken], what.action, by)
    return [
        Result(mail_id, False, REFUSED, wrong[mail_id])
        if wrong[mail_id]
        else Result(mail_id, True, what.became, what.words)
        for mail_id in ids
    ]


def _refusal(what: Decision, row: MailRow | None, mail_id: int) -> str:
    if row is None:
        return f"There is no mail {mail_id}."
    if row.outcome != Outcome.ERROR:
        return f"It is no error: it was {row.outcome}."
    return what.refuse(row)


def _date(session: Session, rows: Sequence[MailRow], moment: datetime | None) -> None:
    ids = [row.id for row in rows]
    session.execute(
        update(MailRow)
        .where(col(MailRow.id).in_(ids))
        .values(dismissed_at=moment)
        .execution_options(synchronize_session=False)
    )


def _dismiss(session: Session, rows: Sequence[MailRow], by: By) -> None:
    _date(session, rows, by.now)
    close_for_mail(session, [row.id or 0 for row in rows], by.who, by.now)


def _reopen(session: Session, rows: Sequence[MailRow], by: By) -> None:
    _date(session, rows, None)
    for queue_id in {row.queue_id for row in rows}:
        mails = [(row.id or 0, row.why) for row in rows if row.queue_id == queue_id]
        raise_for_mail(session, queue_id, mails, by.now)


DISMISS = Decision(
    "dismiss",
    "dismissed",
    "It is no open error any more; under Outcome “dismissed” it can be reopened.",
    lambda row: "It is dismissed already." if row.dismissed_at is not None else "",
    _dismiss,
)
REOPEN = Decision(
    "reopen",
    "reopened",
    "It is an open error again.",
    lambda row: "It is not dismissed." if row.dismissed_at is None else "",
    _reopen,
)
