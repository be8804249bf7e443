"""Mail that came in as faces see it: detached values, read without the messages' bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from models.codes import QueueDestinationRow
from models.mail import MailActionRow, MailRow, Outcome
from models.outbox import OutboxRecipientRow, OutboxRow
from services.contacts.people import contact_words
from services.importing.parse import Attachment


@dataclass(frozen=True)
class MailLine:
    """A message as the list shows it."""

    id: int
    account: str
    received: datetime
    sender: str
    subject: str
    outcome: Outcome
    reason: str
    booking: str
    queue: str
    contact: str
    message_id: str
    attachments: int
    automatic: bool
    unverified: bool
    forwarded: datetime | None
    """When it was last forwarded."""
    dismissed: datetime | None
    """When somebody said that nothing is left to do."""


@dataclass(frozen=True)
class AnsweredMail:
    """The message of ours that a mail answers, or that came back with it."""

    id: int
    message_id: str
    subject: str
    recipients: str
    sent: datetime | None


@dataclass(frozen=True)
class ActionView:
    """What somebody did with a message."""

    at: datetime
    who: str
    action: str
    detail: str


@dataclass(frozen=True)
class MailView:
    """A message with everything that a person wants to know of it."""

    line: MailLine
    why: str
    advice: str
    """What to do about it, "" where there is nothing to do."""
    recipients: str
    date: datetime | None
    """When its sender claims to have written it."""
    size: int
    complete: bool
    """Whether the whole message is kept, not its headers alone."""
    headers: Sequence[tuple[str, str]]
    answers: AnsweredMail | None
    text: str
    """The body as plain text; "" where only headers are kept."""
    attachments: Sequence[Attachment]
    actions: Sequence[ActionView]
    """What was done with it, the newest first."""


def mail_lines(session: Session, rows: Sequence[MailRow]) -> list[MailLine]:
    """Return messages as a list shows them."""
    queues = _names(session, QueueDestinationRow, {row.queue_id for row in rows})
    contacts = contact_words(session, {row.contact_id for row in rows})
    return [
        MailLine(
            row.id or 0,
            row.account_name,
            row.received_at,
            f"{row.from_name} <{row.from_address}>" if row.from_name else row.from_address,
            row.subject,
            Outcome(row.outcome),
            row.reason,
            row.booking or "",
            queues.get(row.queue_id, ""),
            contacts.get(row.contact_id, ""),
            row.message_id,
            row.attachments,
            row.automatic,
            row.unverified,
            row.forwarded_at,
            row.dismissed_at,
        )
        for row in rows
    ]


def _names(session: Session, table: Any, ids: set[int | None]) -> dict[int | None, str]:
    statement = select(table.id, table.name).where(col(table.id).in_(ids - {None}))
    return dict(session.exec(statement).all())


def answered(session: Session, outbox_id: int | None) -> AnsweredMail | None:
    """Return the message of ours that is answered, None where there is none (any more)."""
    statement = select(
        OutboxRow.message_id, OutboxRow.subject, OutboxRow.sent_at, OutboxRow.id
    ).where(OutboxRow.id == outbox_id)
    found = session.exec(statement).first()
    if found is None:
        return None
    message_id, subject, sent, id_ = found
    addresses = session.exec(
        select(OutboxRecipientRow.address).where(OutboxRecipientRow.outbox_id == id_)
    )
    return AnsweredMail(id_ or 0, message_id, subject, ", ".join(addresses), sent)


def actions(session: Session, mail_id: int) -> list[ActionView]:
    """Return what was done with a message, the newest first."""
    statement = select(MailActionRow).where(MailActionRow.mail_id == mail_id)
    rows = session.exec(statement.order_by(col(MailActionRow.id).desc()))
    return [ActionView(row.at, row.who, row.action, _in_words(row)) for row in rows]


def _in_words(row: MailActionRow) -> str:
    """Return what is kept of an action; a retry keeps the reason's key."""
    became, colon, reason = row.detail.partition(": ")
    return f"{became}{colon}{reason.replace('-', ' ')}" if row.action == "retry" else row.detail
