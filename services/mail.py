"""Mail that came in: listed, explained, read and saved to files (Email Management's reading side).

Everything here is foreign text: faces neutralise it before they show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, func, select

from models.account import EmailAccountRow
from models.codes import QueueDestinationRow
from models.contacts import ContactRow, PartyRow
from models.fields import name_key
from models.mail import MailRow, OutboxRecipientRow, OutboxRow, Outcome, RawMailRow
from services.errors import InvalidInput, NotFound
from services.files import file_name, save_new
from services.importing.headers import HeaderFacts, header_part
from services.importing.parse import Attachment, preview
from services.paging import Page
from services.store.engine import Store


@dataclass(frozen=True)
class MailFilter:
    """What a list is narrowed to; an empty filter lets everything through."""

    outcome: Outcome | None = None
    account: str = ""
    """An account's name, regardless of case; of a deleted account, exactly as it was."""
    text: str = ""
    """Sought in subject and people."""


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


@dataclass(frozen=True)
class AnsweredMail:
    """The message of ours that a mail answers, or that came back with it."""

    id: int
    message_id: str
    subject: str
    recipients: str
    sent: datetime | None


@dataclass(frozen=True)
class MailView:
    """A message with everything that a person wants to know of it."""

    line: MailLine
    why: str
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


class MailService:
    """Reads what imports have stored."""

    def __init__(self, store: Store) -> None:
        """Take the store that the mail lies in."""
        self._store = store

    def list(
        self, wanted: MailFilter | None = None, after: str | None = None, limit: int = 200
    ) -> Page[MailLine]:
        """Return a page, newest first; `after` is the `next` of the page before."""
        wanted = wanted or MailFilter()
        order = col(MailRow.received_at).desc(), col(MailRow.id).desc()
        with self._store.read() as session:
            conditions = [*_conditions(session, wanted), *_below(after)]
            statement = select(MailRow).where(*conditions).order_by(*order)
            rows = session.exec(statement.limit(limit + 1)).all()
            lines = _lines(session, rows[:limit])
        more = len(rows) > limit
        return Page(lines, _place(rows[limit - 1]) if more else None)

    def count(self, wanted: MailFilter | None = None) -> int:
        """Return how many messages a list with this filter has."""
        with self._store.read() as session:
            conditions = _conditions(session, wanted or MailFilter())
            statement = select(func.count()).select_from(MailRow).where(*conditions)
            return int(session.exec(statement).one())

    def get(self, mail_id: int) -> MailView:
        """Return a message with its headers, reason and text. Raises NotFound."""
        with self._store.read() as session:
            row, raw = _row(session, mail_id), _raw(session, mail_id)
            (line,) = _lines(session, [row])
            answers = _answered(session, row.answers_id)
        shown = preview(raw.data)
        return MailView(
            line,
            row.why,
            row.recipients,
            shown.date,
            row.size,
            raw.complete,
            HeaderFacts(header_part(raw.data)).all(),
            answers,
            shown.text if raw.complete else "",
            shown.attachments if raw.complete else (),
        )

    def raw(self, mail_id: int) -> bytes:
        """Return a message's bytes exactly as the server gave them. Raises NotFound.

        Of skipped mail, and of mail above the size limit, these are its headers.
        """
        with self._store.read() as session:
            return _raw(session, mail_id).data

    def save(self, mail_id: int, folder: Path) -> Path:
        """Save a message as an .eml file of its own in a folder, and return where.

        No file is ever overwritten, and none is made outside the folder; it is readable for its
        owner alone. Raises NotFound; InvalidInput where there is no such folder; ServiceError
        where it cannot be written.
        """
        with self._store.read() as session:
            row, data = _row(session, mail_id), _raw(session, mail_id).data
        name = file_name(f"{row.received_at:%Y-%m-%d} {row.subject}", f"mail {mail_id}")
        return save_new(folder, name, ".eml", data)


def _conditions(session: Session, wanted: MailFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.outcome is not None:
        found.append(col(MailRow.outcome) == wanted.outcome)
    if wanted.account:
        found.append(_of_account(session, wanted.account.strip()))
    if wanted.text:
        found.append(matching(wanted.text))
    return found


def _of_account(session: Session, name: str) -> ColumnElement[bool]:
    account_id = session.exec(
        select(EmailAccountRow.id).where(EmailAccountRow.name_key == name_key(name))
    ).first()
    if account_id is not None:
        return col(MailRow.account_id) == account_id
    return col(MailRow.account_name) == name


def matching(text: str) -> ColumnElement[bool]:
    """Return the condition that a message has a text in its subject or its people."""
    columns = (MailRow.subject, MailRow.from_name, MailRow.from_address, MailRow.recipients)
    return and_(
        *(
            or_(*(col(column).icontains(word, autoescape=True) for column in columns))
            for word in text.split()
        )
    )


def _below(after: str | None) -> list[ColumnElement[bool]]:
    """Return the condition that a row comes behind a place in the list."""
    if after is None:
        return []
    moment, _, number = after.rpartition("|")
    try:
        received, mail_id = datetime.fromisoformat(moment).astimezone(UTC), int(number)
    except ValueError as error:
        raise InvalidInput({"after": "This is no place in the list."}) from error
    column = col(MailRow.received_at)
    same = and_(column == received, col(MailRow.id) < mail_id)
    # The first part alone is what an index can be entered by.
    return [column <= received, or_(column < received, same)]


def _place(row: MailRow) -> str:
    return f"{row.received_at.isoformat()}|{row.id}"


def _row(session: Session, mail_id: int) -> MailRow:
    row = session.get(MailRow, mail_id)
    if row is None:
        raise NotFound(f"There is no mail {mail_id}.")
    return row


def _raw(session: Session, mail_id: int) -> RawMailRow:
    raw = session.get(RawMailRow, mail_id)
    if raw is None:
        raise NotFound(f"There is no mail {mail_id}.")
    return raw


def _lines(session: Session, rows: Sequence[MailRow]) -> list[MailLine]:
    queues = _names(session, QueueDestinationRow, {row.queue_id for row in rows})
    contacts = _contacts(session, {row.contact_id for row in rows})
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
        )
        for row in rows
    ]


def _names(session: Session, table: Any, ids: set[int | None]) -> dict[int | None, str]:
    statement = select(table.id, table.name).where(col(table.id).in_(ids - {None}))
    return dict(session.exec(statement).all())


def _contacts(session: Session, ids: set[int | None]) -> dict[int | None, str]:
    statement = (
        select(ContactRow.id, ContactRow.name, PartyRow.name)
        .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
        .where(col(ContactRow.id).in_(ids - {None}))
    )
    return {
        id_: f"{name}, {party}" if name else party for id_, name, party in session.exec(statement)
    }


def _answered(session: Session, outbox_id: int | None) -> AnsweredMail | None:
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
