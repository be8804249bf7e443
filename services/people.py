"""Contacts as one chooses them to write to, and as they are named beside a message."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, tuple_
from sqlmodel import Session, col, select

from models.codes import ContactTypeRow
from models.contacts import ContactRow, PartyRow
from models.fields import address_key
from services.paging import Page


@dataclass(frozen=True)
class Person:
    """A contact as one chooses it."""

    id: int
    name: str
    email: str
    contact_type: str
    party: str
    """The agent's or supplier's name."""

    @property
    def mailbox(self) -> str:
        """Name and address as a recipient is typed."""
        name = "".join(char for char in self.name if char not in '\\"')
        return f'"{name}" <{self.email}>' if name else self.email


def page(session: Session, text: str, after: str | None, limit: int) -> Page[Person]:
    """Return contacts by address; `text` is sought in names, addresses and their companies."""
    place = (col(ContactRow.email_key), col(ContactRow.id))
    statement = _containing(text).order_by(*place).limit(limit + 1)
    if after is not None:
        last, _, key = after.partition(" ")
        statement = statement.where(tuple_(*place) > tuple_(key, int(last)))
    found = session.exec(statement).all()
    rows = [_person(*row) for row in found[:limit]]
    more = len(found) > limit
    return Page(rows, f"{rows[-1].id} {address_key(rows[-1].email)}" if more else None)


def contact_words(session: Session, ids: Collection[int | None]) -> dict[int | None, str]:
    """Return contacts in words by number: name and company."""
    statement = (
        select(ContactRow.id, ContactRow.name, PartyRow.name)
        .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
        .where(col(ContactRow.id).in_(set(ids) - {None}))
    )
    return {
        id_: f"{name}, {party}" if name else party for id_, name, party in session.exec(statement)
    }


def _containing(text: str) -> Any:
    statement = (
        select(ContactRow, PartyRow, ContactTypeRow)
        .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
        .join(ContactTypeRow, col(ContactTypeRow.id) == ContactRow.contact_type_id)
    )
    if not text:
        return statement
    words = (ContactRow.name, PartyRow.name, PartyRow.code)
    return statement.where(
        or_(
            col(ContactRow.email_key).contains(address_key(text), autoescape=True),
            *(col(column).icontains(text, autoescape=True) for column in words),
        )
    )


def _person(contact: ContactRow, party: PartyRow, kind: ContactTypeRow) -> Person:
    return Person(contact.id or 0, contact.name, contact.email, kind.code, party.name)
