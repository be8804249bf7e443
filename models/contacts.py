"""Agents and suppliers and their contacts, by whom import decides whose mail is wanted."""

from typing import Annotated

from pydantic import Field, field_validator
from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field as Col

from models.base import Row
from models.fields import EmailAddress, Line, Named, References, Section, UpperLine, address_key


class ContactForm(Section):
    """Contact"""

    name: Line = Field("", title="Name", max_length=60)
    """Who the contact is."""

    email: EmailAddress = Field(title="Email", min_length=1, max_length=254)
    """The address that the contact's mail comes from."""

    contact_type: Annotated[Line, References("contact-type"), Named("type")] = Field(
        title="Contact Type", min_length=1
    )
    """What the contact is for; Email Account's Import tab ticks the types to import from."""


class PartyForm(Section):
    """An agent or a supplier."""

    code: UpperLine = Field(title="Code", min_length=1, max_length=6, pattern=r"^[A-Z0-9]+$")
    """Up to six letters and digits. It cannot be changed once saved."""

    name: Line = Field(title="Name", min_length=1, max_length=60)
    """The agent's or supplier's name."""

    contacts: tuple[ContactForm, ...] = Field((), title="Contacts")
    """The people whose mail is imported or explained by this record."""

    @field_validator("contacts")
    @classmethod
    def _unique(cls, value: tuple[ContactForm, ...]) -> tuple[ContactForm, ...]:
        keys = [(address_key(c.email), c.contact_type.upper()) for c in value]
        if len(set(keys)) < len(keys):
            raise ValueError("Each address can be entered once for each contact type.")
        return value


class PartyRow(Row, table=True):
    """An agent or a supplier (Tourplan's debtor and creditor)."""

    __tablename__ = "party"
    __table_args__ = (
        UniqueConstraint("kind", "code", name="uq_party_kind_code"),
        CheckConstraint("kind IN ('agent', 'supplier')", name="ck_party_kind"),
        CheckConstraint("length(code) BETWEEN 1 AND 6", name="ck_party_code"),
        CheckConstraint("length(name) BETWEEN 1 AND 60", name="ck_party_name"),
        Index("ix_party_kind_name", "kind", "name"),
    )

    id: int | None = Col(default=None, primary_key=True)
    kind: str
    code: str
    name: str
    version: int = 1


class PartyTextRow(Row, table=True):
    """What an agent or supplier is found by, folded: code, name and contacts."""

    __tablename__ = "party_text"

    party_id: int = Col(foreign_key="party.id", primary_key=True, ondelete="CASCADE")
    text: str


class ContactRow(Row, table=True):
    """A person at an agent or supplier. One address may have several types: one row each."""

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint(
            "party_id", "email_key", "contact_type_id", name="uq_contact_party_email_type"
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    party_id: int = Col(foreign_key="party.id", ondelete="CASCADE")
    name: str = ""
    email: str
    email_key: str = Col(index=True)
    contact_type_id: int = Col(foreign_key="contact_type.id", index=True)
