"""Contacts one by one, over all agents and suppliers, as the command line lists them."""

from dataclasses import dataclass

from sqlmodel import col, select

from models.codes import ContactTypeRow
from models.contacts import ContactRow, PartyRow
from models.fields import address_key, name_key
from services.store.engine import Store


@dataclass(frozen=True)
class ContactLine:
    """A contact with whose it is; the fields are the columns of `ContactService.load`."""

    kind: str
    code: str
    name: str
    """The agent's or supplier's."""
    contact: str
    email: str
    type: str


def contact_lines(store: Store, text: str = "") -> list[ContactLine]:
    """Return the contacts in which the text occurs, by kind, code and age."""
    statement = (
        select(PartyRow, ContactRow, ContactTypeRow.code)
        .where(ContactRow.party_id == PartyRow.id)
        .where(ContactRow.contact_type_id == ContactTypeRow.id)
        .order_by(col(PartyRow.kind), col(PartyRow.code), col(ContactRow.id))
    )
    with store.read() as session:
        lines = [
            ContactLine(party.kind, party.code, party.name, contact.name, contact.email, type_)
            for party, contact, type_ in session.exec(statement)
        ]
    wanted = name_key(text)
    return [line for line in lines if wanted in name_key(_words(line))]


def contacts_at(store: Store, email: str) -> list[ContactLine]:
    """Return the contacts with an address, compared as import compares it."""
    wanted = address_key(email)
    return [line for line in contact_lines(store) if address_key(line.email) == wanted]


def _words(line: ContactLine) -> str:
    return " ".join((line.code, line.name, line.contact, line.email, line.type))
