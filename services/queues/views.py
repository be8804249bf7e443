"""Queue messages as faces see them: detached values, with the mail that they are about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from models.codes import QueueDestinationRow, UserRow
from models.mail import MailRow
from models.queue import QueueMessageRow
from services.paging import Page


@dataclass(frozen=True)
class QueueMessage:
    """One thing to look after, as a list shows it."""

    id: int
    queue: str
    text: str
    """What happened; of mail, why it is an error. Foreign text."""
    kind: str
    """What happened in a word: a mail's reason, or an event's kind such as ``failing``."""
    object: str
    """What an event is about, such as an account's id; "" of mail."""
    mail_id: int | None
    """None where the system itself reports something."""
    account: str
    sender: str
    subject: str
    assigned: str
    """The user whom it was given to; "" means every member."""
    created_at: datetime
    done_at: datetime | None
    done_by: str
    may_reassign: bool
    """Whether whoever asks may give it to somebody."""


def page(
    session: Session,
    where: Sequence[ColumnElement[bool]],
    text: str,
    after: str | None,
    limit: int,
    own: Collection[int | None],
) -> Page[QueueMessage]:
    """Return messages newest first; `own` are the queues whose messages may be given away."""
    statement = (
        select(QueueMessageRow, QueueDestinationRow.name, MailRow, UserRow.name)
        .join(QueueDestinationRow, col(QueueDestinationRow.id) == QueueMessageRow.queue_id)
        .outerjoin(MailRow, col(MailRow.id) == QueueMessageRow.mail_id)
        .outerjoin(UserRow, col(UserRow.id) == QueueMessageRow.user_id)
        .where(*where, *_containing(text))
        .order_by(col(QueueMessageRow.id).desc())
    )
    if after is not None:
        statement = statement.where(col(QueueMessageRow.id) < int(after))
    found = session.exec(statement.limit(limit + 1)).all()
    rows = [
        _message(row, queue, mail, user, row.queue_id in own)
        for row, queue, mail, user in found[:limit]
    ]
    return Page(rows, str(rows[-1].id) if len(found) > limit else None)


def _containing(text: str) -> list[ColumnElement[bool]]:
    columns: tuple[Any, ...] = (
        QueueMessageRow.text,
        MailRow.subject,
        MailRow.from_name,
        MailRow.from_address,
        MailRow.account_name,
    )
    return [
        or_(*(col(column).icontains(word, autoescape=True) for column in columns))
        for word in text.split()
    ]


def _message(
    row: QueueMessageRow, queue: str, mail: MailRow | None, user: str | None, allowed: bool
) -> QueueMessage:
    sender, (event, _, about) = "", row.event.partition(":")
    if mail is not None:
        named = f"{mail.from_name} <{mail.from_address}>"
        sender = named if mail.from_name else mail.from_address
    return QueueMessage(
        id=row.id or 0,
        queue=queue,
        text=row.text,
        kind=mail.reason if mail else event,
        object=about.partition(":")[0],
        mail_id=row.mail_id,
        account=mail.account_name if mail else "",
        sender=sender,
        subject=mail.subject if mail else "",
        assigned=user or "",
        created_at=row.created_at,
        done_at=row.done_at,
        done_by=row.done_by,
        may_reassign=allowed,
    )
