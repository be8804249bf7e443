"""Contacts as one chooses them, finds one by a few words, and names them beside a message."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, or_, tuple_
from sqlmodel import Session, col, select

from models.codes import ContactTypeRow
from models.contacts import ContactRow, PartyRow
from models.fields import address_key
from services.errors import InvalidInput
from services.paging import Page
from services.store.folding import check_number
from services.store.search import PARTIES, matching
from services.text import plain


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

    @property
    def words(self) -> str:
        """Name, address and company, as people read them; `find` finds the contact by them."""
        who = f"{self.name} <{self.email}>" if self.name else self.email
        return f"{who}, {self.party}"


_TOLD = 3
"""Contacts that are named where several fit."""


def find(session: Session, text: str, field: str) -> Person:
    """Return the contact that is meant by its address, or by words out of `Person.words`.

    What a company has under several types is one contact, the oldest. Raises InvalidInput at
    `field` where nobody fits, or several do.
    """
    exact = _containing("").where(col(ContactRow.email_key) == address_key(text))
    some = _fitting(session, text)[0].limit(_TOLD * 9)
    rows = session.exec(exact).all() or session.exec(some).all()
    found = sorted((_person(*row) for row in rows), key=lambda person: person.id)
    words = dict.fromkeys(person.words for person in found)
    if not found:
        raise InvalidInput({field: "No contact fits. Enter an address, or part of a name."})
    if len(words) > 1:
        names = "; ".join(list(words)[:_TOLD])
        raise InvalidInput({field: f"Several contacts fit: {names}. Enter more of one."})
    return found[0]


def page(session: Session, text: str, after: str | None, limit: int) -> Page[Person]:
    """Return contacts by address; words are sought in names, addresses and their companies.

    What begins with them is found by an index; only where nothing does, what contains them.
    """
    statement, place = _fitting(session, text)
    statement = statement.order_by(*place).limit(limit + 1)
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


_TYPES = select(ContactRow.id, ContactRow.contact_type_id).where(
    col(ContactRow.id).in_(bindparam("some", expanding=True))
)


def settle_contacts(session: Session, mails: Collection[dict[str, Any]]) -> None:
    """Give mails' values the type of their contact; one that was deleted since is none."""
    ids = sorted({mail["contact_id"] for mail in mails} - {None})
    found = session.connection().execute(_TYPES, {"some": ids}).all() if ids else ()
    types = {row.id: row.contact_type_id for row in found}
    for mail in mails:
        mail["contact_type_id"] = types.get(mail["contact_id"])
        if mail["contact_type_id"] is None:
            mail["contact_id"] = None


def _fitting(session: Session, text: str) -> tuple[Any, tuple[Any, Any]]:
    """Return the contacts that fit a text, and what orders them by address."""
    address, number = col(ContactRow.email_key), col(ContactRow.id)
    sought = matching(session, PARTIES, text)
    found = _containing(text).where(*sought.conditions)
    if sought.conditions and session.exec(found.limit(1)).first() is None:
        return _containing(text), (address, number)
    # An expression, or SQLite goes through all addresses rather than through the hits.
    return found, (address + "" if sought.indexed else address, number)


def _containing(text: str) -> Any:
    statement = (
        select(ContactRow, PartyRow, ContactTypeRow)
        .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
        .join(ContactTypeRow, col(ContactTypeRow.id) == ContactRow.contact_type_id)
    )
    words = plain(text).replace(",", " ").split()
    check_number(len(words))
    for word in words:
        columns = (ContactRow.name, PartyRow.name, PartyRow.code)
        statement = statement.where(
            or_(
                col(ContactRow.email_key).contains(address_key(word.strip("<>")), autoescape=True),
                *(col(column).icontains(word, autoescape=True) for column in columns),
            )
        )
    return statement


def _person(contact: ContactRow, party: PartyRow, kind: ContactTypeRow) -> Person:
    return Person(contact.id or 0, contact.name, contact.email, kind.code, party.name)
