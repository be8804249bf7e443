"""What a list of mail is narrowed to, and how that is looked up at the speed of an index.

A list is read in its order until a page is full. That is quick where much of it is wanted, and
slow where next to nothing is; so what is scarce is looked up first, and then only that is read.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, func, select

from models.account import EmailAccountRow
from models.codes import ContactTypeRow, QueueDestinationRow
from models.fields import name_key
from models.mail import MailRow, Outcome
from services.errors import InvalidInput, NotFound
from services.mail.causes import Cause, alike, is_open_error
from services.store.folding import place, terms
from services.store.search import MAIL, Plan, Search, having, search_in

FEW = 1_000
"""Up to so many messages are looked at one by one rather than through a longer list."""


class Shown(StrEnum):
    """What can be listed by itself."""

    IMPORTED = "imported"
    SKIPPED = "skipped"
    ERROR = "error"
    """Errors that nobody has dismissed."""
    FORWARDED = "forwarded"
    DISMISSED = "dismissed"


@dataclass(frozen=True)
class MailFilter:
    """What a list is narrowed to; an empty filter lets everything through."""

    outcome: Shown | Outcome | None = None
    account: str = ""
    """An account's name, regardless of case; of a deleted account, exactly as it was."""
    text: str = ""
    """Words sought in subject, people and body; see `services.store.folding.terms`."""
    queue: str | None = None
    """A Queue Destination's name; "" for errors that are in none."""
    contact_type: str = ""
    """The code of the contact's type."""
    cause: Cause | None = None


Conditions = list[ColumnElement[bool]]
Place = tuple[datetime, int]
"""When a message was received, and its number."""


def selection(session: Session, wanted: MailFilter, columns: Any = MailRow) -> "Selection":
    """Return how to read what a filter lets through. Raises NotFound for names of nothing."""
    conditions = _conditions(session, wanted)
    asked = terms(wanted.text)
    plan = search_in(session, MAIL).plan(session, asked, narrowed=bool(conditions))
    if plan.indexed and conditions and _are_few(session, conditions):
        plan = Plan((), asked)
    return Selection(columns, conditions, plan)


def _are_few(session: Session, conditions: Conditions) -> bool:
    """Tell whether so little fits that each can be looked at."""
    newest = col(MailRow.received_at).desc()  # by the index that the list is read by
    some = select(MailRow.id).where(*conditions).order_by(newest).limit(FEW + 1).subquery()
    return session.exec(select(func.count()).select_from(some)).one() <= FEW


@dataclass(frozen=True)
class Selection:
    """Mail that a filter lets through, ready to be read page by page or counted."""

    columns: Any
    conditions: Conditions
    sought: Plan

    def statement(self, session: Session, *, backwards: bool, after: str | None) -> Any:
        """Return the statement that reads from a place on, newest first or backwards."""
        start = None if after is None else _read_place(after)
        conditions = [*self.conditions, *having(MAIL, self.sought.compared)]
        if self.sought.indexed:
            return self._hits(search_in(session, MAIL), conditions, backwards, start)
        order = [col(MailRow.received_at), col(MailRow.id)]
        return (
            select(self.columns)
            .where(*conditions, *_beyond(backwards, start))
            .order_by(*(column if backwards else column.desc() for column in order))
        )

    def _hits(
        self, search: Search, conditions: Conditions, backwards: bool, start: Place | None
    ) -> Any:
        statement = select(self.columns).select_from(search.mail_hits())
        statement = statement.where(search.has(self.sought.indexed), *conditions)
        if start is not None:
            edge = place(*start)
            statement = statement.where(search.number > edge if backwards else search.number < edge)
        return statement.order_by(search.number if backwards else search.number.desc())


def place_of(row: MailRow) -> str:
    """Return a message's place in every list of mail."""
    return f"{row.received_at.isoformat()}|{row.id}"


def _read_place(token: str) -> Place:
    moment, _, number = token.rpartition("|")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), int(number)
    except ValueError as error:
        raise InvalidInput({"after": "This is no place in the list."}) from error


def _beyond(backwards: bool, start: Place | None) -> Conditions:
    """Return the conditions that a row comes behind a place, or before it."""
    if start is None:
        return []
    (received, mail_id), column, number = start, col(MailRow.received_at), col(MailRow.id)
    same = column == received
    # The first part alone is what an index can be entered by.
    if backwards:
        return [column >= received, or_(column > received, and_(same, number > mail_id))]
    return [column <= received, or_(column < received, and_(same, number < mail_id))]


# ----------------------------------------------------------------------------- conditions


def _conditions(session: Session, wanted: MailFilter) -> Conditions:
    found: Conditions = []
    if wanted.outcome is not None:
        found += _shown(Shown(wanted.outcome))
    if wanted.account:
        found += _of_account(session, wanted.account.strip())
    if wanted.queue is not None:
        found += _in_queue(session, wanted.queue.strip())
    if wanted.contact_type.strip():
        found += _of_type(session, wanted.contact_type.strip())
    if wanted.cause is not None:
        found += alike(wanted.cause)
    return found


def _shown(what: Shown) -> Conditions:
    if what is Shown.ERROR:
        return is_open_error()
    if what is Shown.FORWARDED:
        return [col(MailRow.forwarded_at).is_not(None)]
    if what is Shown.DISMISSED:
        return [col(MailRow.dismissed_at).is_not(None)]
    return [col(MailRow.outcome) == what.value]


def _of_account(session: Session, name: str) -> Conditions:
    account_id = session.exec(
        select(EmailAccountRow.id).where(EmailAccountRow.name_key == name_key(name))
    ).first()
    if account_id is not None:
        return [col(MailRow.account_id) == account_id]
    return [col(MailRow.account_id).is_(None), col(MailRow.account_name) == name]


def _in_queue(session: Session, name: str) -> Conditions:
    if not name:
        return [col(MailRow.outcome) == Outcome.ERROR, col(MailRow.queue_id).is_(None)]
    queue_id = session.exec(
        select(QueueDestinationRow.id).where(QueueDestinationRow.key == name_key(name))
    ).first()
    if queue_id is None:
        raise NotFound(f"There is no queue {name}.")
    return [col(MailRow.queue_id) == queue_id]


def _of_type(session: Session, code: str) -> Conditions:
    type_id = session.exec(
        select(ContactTypeRow.id).where(ContactTypeRow.key == name_key(code))
    ).first()
    if type_id is None:
        raise NotFound(f"There is no contact type {code}.")
    return [col(MailRow.contact_type_id) == type_id, col(MailRow.contact_id).is_not(None)]
