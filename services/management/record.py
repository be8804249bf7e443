"""Writing what became of a stored message: mail, bytes, ledger, queue and history together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, update

from models.account import EmailAccountRow
from models.mail import LedgerRow, MailActionRow, MailRow, Outcome, RawMailRow
from models.queue import QueueMessageRow
from services.contacts.people import settle_contacts
from services.importing.ledger import Entry, mail_values, mark_failed
from services.mail.index import write_texts
from services.management.cases import OWN, Case
from services.queues.rows import close_for_mail, raise_for_mail


@dataclass(frozen=True)
class By:
    """Who does something, and when."""

    who: str
    now: datetime


def note(
    session: Session, mail_id: int, action: str, detail: str, by: By, outbox_id: int | None = None
) -> None:
    """Keep in a message's history what was done with it."""
    session.add(
        MailActionRow(
            mail_id=mail_id,
            at=by.now,
            who=by.who,
            action=action,
            detail=detail,
            outbox_id=outbox_id,
        )
    )


def note_all(session: Session, ids: Sequence[int], action: str, by: By) -> None:
    """Keep in the history of many messages what was done with all of them."""
    rows = [
        {"mail_id": mail_id, "at": by.now, "who": by.who, "action": action, "detail": ""}
        for mail_id in ids
    ]
    session.connection().execute(insert(MailActionRow), rows)


def rewrite(session: Session, row: MailRow, case: Case, entry: Entry, by: By) -> None:
    """Make a message what it was judged to be now, everywhere at once; no bytes are ever lost."""
    values = mail_values(entry)
    if entry.complete:
        values["attachments"] = entry.skimmed.attachments
    keep_bytes(session, case, entry.raw, complete=entry.complete)
    change(session, row, values, by)
    prints = entry.prints
    update_ledger(
        session,
        case.id,
        {
            "outcome": entry.verdict.outcome,
            "reason": entry.verdict.reason,
            "size": prints.size,
            "identity_digest": prints.identity,
            "header_digest": prints.header,
            "content_digest": prints.content,
        },
    )
    mark_failed(session, entry.verdict)


def change(session: Session, row: MailRow, values: dict[str, Any], by: By) -> None:
    """Write a message's row and the text it is found by, and tell its queue: of a new error, or
    that one is over."""
    was_error = row.outcome == Outcome.ERROR
    if "contact_id" in values:
        settle_contacts(session, [values])
    for name, value in values.items():
        setattr(row, name, value)
    if row.outcome != Outcome.ERROR:
        row.queue_id = row.dismissed_at = None
        close_for_mail(session, [row.id or 0], by.who, by.now)
    elif was_error:
        _retell(session, row)
    else:
        account = session.get(EmailAccountRow, row.account_id)
        row.queue_id = account.error_queue_id if account else None
        raise_for_mail(session, row.queue_id, [(row.id or 0, row.why)], by.now)
    session.add(row)
    session.flush()
    write_texts(session, [row])


def keep_bytes(session: Session, case: Case, data: bytes, *, complete: bool) -> None:
    """Store what was fetched of a message beyond what was here."""
    if case.complete or not data or (case.data and not complete):
        return
    session.execute(
        update(RawMailRow)
        .where(col(RawMailRow.mail_id) == case.id)
        .values(data=data, complete=complete)
    )


def _retell(session: Session, row: MailRow) -> None:
    session.execute(
        update(QueueMessageRow)
        .where(col(QueueMessageRow.mail_id) == row.id, col(QueueMessageRow.done_at).is_(None))
        .values(text=row.why)
    )


def update_ledger(session: Session, mail_id: int, values: dict[str, Any]) -> None:
    """Write the row of the message itself; digests that are not known now stay as they are."""
    known = {name: value for name, value in values.items() if value != ""}
    session.execute(
        update(LedgerRow)
        .where(col(LedgerRow.mail_id) == mail_id, col(LedgerRow.outcome).in_(OWN))
        .values(**known)
    )
