"""Finding the one contact that somebody means by an address, or by part of a name or code."""

from sqlmodel import Session, col, or_, select

from models.contacts import ContactRow, PartyRow
from models.fields import address_key
from services.errors import InvalidInput

_TOLD = 3


def find_contact(session: Session, text: str, field: str) -> tuple[int, str]:
    """Return a contact's number and its name in words.

    An address that a party has under several types counts as one contact, the oldest. Raises
    InvalidInput at `field` where nobody fits, or several do.
    """
    found = _contacts(session, text)
    parties = {(label, party) for _id, label, party in found}
    if not found:
        raise InvalidInput({field: "No contact fits. Enter an address, or part of a name."})
    if len(parties) > 1:
        names = "; ".join(sorted(label for label, _party in parties)[:_TOLD])
        raise InvalidInput({field: f"Several contacts fit: {names}. Enter more of one."})
    return found[0][0], found[0][1]


def _contacts(session: Session, text: str) -> list[tuple[int, str, int]]:
    """Return (contact, its name in words, party) for every word found, exact addresses first."""
    statement = (
        select(ContactRow, PartyRow)
        .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
        .order_by(col(ContactRow.id))
        .limit(100)
    )
    exact = statement.where(col(ContactRow.email_key) == address_key(text))
    for word in text.split():
        columns = (ContactRow.name, ContactRow.email, PartyRow.code, PartyRow.name)
        statement = statement.where(
            or_(*(col(column).icontains(word, autoescape=True) for column in columns))
        )
    rows = session.exec(exact).all() or session.exec(statement).all()
    return [(contact.id or 0, _label(contact, party), contact.party_id) for contact, party in rows]


def _label(contact: ContactRow, party: PartyRow) -> str:
    who = f"{contact.name} <{contact.email}>" if contact.name else contact.email
    return f"{who}, {party.code}"
