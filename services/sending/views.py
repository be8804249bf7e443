"""Outgoing mail as faces see it: detached values, read without the messages' bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from models.outbox import OutboxRecipientRow, OutboxRow, OutboxState, RecipientState
from services.contacts.people import contact_words
from services.errors import NotFound
from services.paging import Page, cut, direction
from services.store.counting import counted_each
from services.store.search import OUTBOX, matching


@dataclass(frozen=True)
class RecipientView:
    """One recipient and the server's last words about it."""

    address: str
    kind: str
    """``to``, ``cc`` or ``bcc``."""
    state: RecipientState
    reply: str


@dataclass(frozen=True)
class OutboxMessage:
    """An outgoing message without its bytes."""

    id: int
    message_id: str
    state: OutboxState
    subject: str
    booking: str | None
    contact_id: int | None
    contact: str
    """The contact it is for, in words."""
    account_name: str
    header_from: str
    envelope_from: str
    recipients: tuple[RecipientView, ...]
    attempts: int
    next_attempt_at: datetime | None
    last_error: str
    created_at: datetime
    created_by: str
    give_up_at: datetime
    sent_at: datetime | None

    @property
    def to(self) -> str:
        """The recipients in one line, the first one and how many more."""
        first, *more = [one.address for one in self.recipients] or [""]
        return f"{first} +{len(more)}" if more else first


def page(
    session: Session, text: str, state: OutboxState | None, after: str | None, limit: int
) -> Page[OutboxMessage]:
    """Return messages newest first; `text` is sought in subjects, bookings, ids and recipients.

    What is sought is read as `services.store.folding.terms` does.
    """
    backwards, place = direction(after)
    where = [] if state is None else [col(OutboxRow.state) == state]
    where += matching(session, OUTBOX, text).conditions
    if place is not None:
        number = col(OutboxRow.id)
        where.append(number > int(place) if backwards else number < int(place))
    found = _read(session, where, limit + 1, backwards=backwards)
    return cut(found, limit, backwards, lambda row: str(row.id))


def counts(session: Session, states: Sequence[OutboxState]) -> dict[OutboxState, int]:
    """Return how many messages are in each state; above `COUNTED`, one more than that."""
    each = [select(OutboxRow.id).where(OutboxRow.state == state) for state in states]
    return dict(zip(states, counted_each(session, each), strict=True))


def one(session: Session, which: int) -> OutboxMessage:
    """Return a message. Raises NotFound."""
    if not (found := _read(session, [col(OutboxRow.id) == which], 1)):
        raise NotFound(f"There is no message {which} in the outbox.")
    return found[0]


def _read(
    session: Session, where: Sequence[ColumnElement[bool]], limit: int, *, backwards: bool = False
) -> list[OutboxMessage]:
    rows = session.exec(
        select(OutboxRow)
        .where(*where)
        .order_by(col(OutboxRow.id).asc() if backwards else col(OutboxRow.id).desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    ).all()
    recipients = _recipients(session, [row.id or 0 for row in rows])
    contacts = contact_words(session, {row.contact_id for row in rows})
    return [_view(row, recipients[row.id or 0], contacts.get(row.contact_id, "")) for row in rows]


def _view(row: OutboxRow, recipients: tuple[RecipientView, ...], contact: str) -> OutboxMessage:
    return OutboxMessage(
        id=row.id or 0,
        message_id=row.message_id,
        state=OutboxState(row.state),
        subject=row.subject,
        booking=row.booking,
        contact_id=row.contact_id,
        contact=contact,
        account_name=row.account_name,
        header_from=row.header_from,
        envelope_from=row.envelope_from,
        recipients=recipients,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        created_at=row.created_at,
        created_by=row.created_by,
        give_up_at=row.give_up_at,
        sent_at=row.sent_at,
    )


def _recipients(session: Session, ids: Sequence[int]) -> dict[int, tuple[RecipientView, ...]]:
    found: dict[int, tuple[RecipientView, ...]] = dict.fromkeys(ids, ())
    rows = session.exec(
        select(OutboxRecipientRow)
        .where(col(OutboxRecipientRow.outbox_id).in_(ids))
        .order_by(col(OutboxRecipientRow.id))
    )
    for row in rows:
        view = RecipientView(row.address, row.kind, RecipientState(row.state), row.reply)
        found[row.outbox_id] += (view,)
    return found
