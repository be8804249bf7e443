"""An email account: the sections an admin fills in, and the rows they are kept in.

Labels, help and defaults follow the manual page "Email Account"; where it is silent they are ours.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator
from sqlalchemy import JSON, CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field as Col

from models.base import Row, partial_index
from models.fields import (
    Absent,
    EmailAddress,
    Line,
    Named,
    References,
    Section,
    Words,
    address_key,
)

_STARTS = {"now": "now", "all": "all", "everything": "all"}
"""Words for Import From, those of the form among them → how they are kept."""
NO_TYPES = "No contact type is ticked on either side: mail of all known contacts is skipped."
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class AccountIdentity(Section):
    """What the account is called."""

    name: Line = Field(title="Name", min_length=1, max_length=30)
    """Names the account in scheduled tasks and on the command line. It cannot be changed once
    the account is saved."""

    description: Line = Field("", title="Description", max_length=60)
    """Says in your own words what the account is for. It stays editable."""

    is_system: Annotated[bool, Named("system")] = Field(False, title="System Email Account")
    """The one account that all messages are sent from. Ticking it takes the task over from the
    account that has it now."""


class EmailSettings(Section):
    """Email Settings"""

    default_email: EmailAddress = Field(title="Default Email", min_length=1, max_length=254)
    """The address that outgoing email is sent from."""

    send_from_match: Annotated[bool, Named("from-match")] = Field(
        False, title="Send and From Match"
    )
    """Makes the Send address (the envelope) and the From address both the Default Email; another
    From that was asked for becomes Reply-To."""

    allow_cc: bool = Field(True, title="Allow CC")
    """Lets messages from this account have CC (carbon copy) recipients."""

    allow_bcc: bool = Field(True, title="Allow BCC")
    """Lets messages from this account have BCC (blind carbon copy) recipients."""

    allow_docx: bool = Field(False, title="Allow Attachment of Docx")
    """Lets messages from this account carry .docx files."""


class ConnectionLimit(Section):
    """Limit Mailbox Connections"""

    limit_to: Annotated[int | None, Absent("No Limit", "Limit To"), Named("limit")] = Field(
        None, title="Connections", ge=1, le=1000
    )
    """How many connections to the mailbox may be open at once, over all programs and hosts.
    Some email service providers limit it."""


class ForwardAddress(Section):
    """An address that imported mail may be forwarded to from Email Management."""

    email: EmailAddress = Field(title="Email Address", min_length=1, max_length=254)
    """An approved address: imported mail can be forwarded to it from Email Management."""

    name: Line = Field("", title="Name", max_length=60)
    """Whose address it is."""


@dataclass(frozen=True)
class Advice:
    """A set-up that is allowed but suspicious: what to tell, at which field, what may be meant."""

    field: str
    words: str
    suggestion: str | int | None = None
    """A value that one key puts into the field."""


class Advised(Section):
    """A section whose values may be allowed but suspicious."""

    def advice(self) -> tuple[Advice, ...]:
        """Return what to warn about without refusing it."""
        return ()


class ImportSettings(Advised):
    """Import"""

    enabled: Annotated[bool, Named("import")] = Field(False, title="Import")
    """Imports email replies from this mailbox."""

    start: Annotated[
        Literal["now", "all"] | date, Words({"now": "Now", "date": "Date", "all": "Everything"})
    ] = Field("now", title="Import From")
    """Where the first import starts: mail that arrives from the moment of Save on, mail since a
    date, or everything in the mailbox. It is fixed after the first import; to change it then is
    to start over, which is asked before (--yes agrees)."""

    error_queue: Annotated[Line | None, References("queue")] = Field(None, title="Error Queue")
    """The Queue Destination whose members are told of mail that could not be imported. Optional:
    without one such mail appears in Email Management under "no queue"."""

    agent_types: Annotated[tuple[str, ...], References("contact-type"), Named("agent-type")] = (
        Field((), title="Agent Contacts")
    )
    """Replies are imported from agents' contacts of the ticked types."""

    supplier_types: Annotated[
        tuple[str, ...], References("contact-type"), Named("supplier-type")
    ] = Field((), title="Supplier Contacts")
    """Replies are imported from suppliers' contacts of the ticked types."""

    forward: tuple[ForwardAddress, ...] = Field((), title="Forward Email")
    """Approved addresses that imported mail may be forwarded to from Email Management."""

    def advice(self) -> tuple[Advice, ...]:
        """Warn of an import that would skip what it is there for."""
        if self.enabled and not (self.agent_types or self.supplier_types):
            return (Advice("agent_types", NO_TYPES),)
        return ()

    @field_validator("start", mode="before")
    @classmethod
    def _written_as_date(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        word = _STARTS.get(value.strip().casefold())
        # pydantic would take "0" for the first day of 1970, a number of seconds.
        if word is None and not _DAY.fullmatch(value):
            raise ValueError("Enter a date as YYYY-MM-DD, or choose Now or Everything (all).")
        return word or value

    @field_validator("start")
    @classmethod
    def _within_reach(cls, value: str | date) -> str | date:
        """Leave room for a time zone on either side of what a datetime can hold."""
        if isinstance(value, date) and not 1970 <= value.year <= 9998:
            raise ValueError("Enter a date from 1970 on.")
        return value

    @field_validator("forward")
    @classmethod
    def _unique(cls, value: tuple[ForwardAddress, ...]) -> tuple[ForwardAddress, ...]:
        keys = [address_key(entry.email) for entry in value]
        if len(set(keys)) < len(keys):
            raise ValueError("Each forward address can be entered once.")
        return value


class ProtocolSettings(Advised):
    """Configuration: how to reach the service, one subclass for each protocol."""

    def mailbox(self) -> str:
        """Return the key of the mailbox, by which connections are counted."""
        raise NotImplementedError

    def endpoint(self) -> tuple[str, ...]:
        """Return whom the secret is meant for; a stored secret serves no other endpoint."""
        raise NotImplementedError

    def exposure(self) -> int:
        """Return how open the connection lies to others: 0 encrypted, higher is less secure."""
        return 0

    def secret_errors(self, present: frozenset[str]) -> dict[str, str]:
        """Return what is wrong with the secrets at hand (typed or stored): field → sentence."""
        return {}

    def expires(self) -> date | None:
        """Return the day on which the secret ends, where that is known."""
        return None

    def secret_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that hold secrets."""
        return secret_fields(type(self))


def secret_fields(settings: type[Section]) -> tuple[str, ...]:
    """Return the names of a section's secret fields, found by their type."""
    return tuple(
        name for name, info in settings.model_fields.items() if "SecretStr" in str(info.annotation)
    )


class AccountDraft(BaseModel):
    """An account as somebody wants it: what Save, Test Connection and `account add` take.

    A secret that is None is left as it is stored; one named in `clear_secrets` is removed.
    """

    model_config = ConfigDict(frozen=True)

    protocol: str
    identity: AccountIdentity
    settings: SerializeAsAny[ProtocolSettings]
    email: EmailSettings | None = None
    limit: ConnectionLimit = ConnectionLimit()
    importing: ImportSettings | None = None
    clear_secrets: frozenset[str] = frozenset()


class Account(AccountDraft):
    """A saved account, detached from the store. Its secrets are never filled in."""

    id: uuid.UUID
    version: int
    stored_secrets: frozenset[str] = frozenset()
    import_started: bool = False
    """Whether a first import has run, after which Import From is fixed."""
    import_from: datetime | None = None
    """The moment that Import From stands for; None means everything."""
    updated_at: datetime
    updated_by: str

    @property
    def name(self) -> str:
        """The account's name, for messages."""
        return self.identity.name


class ContactSide(StrEnum):
    """Whose contacts: an agent's or a supplier's."""

    AGENT = "agent"
    SUPPLIER = "supplier"


class EmailAccountRow(Row, table=True):
    """An account's row. `settings` is JSON that the protocol's settings model validates."""

    __tablename__ = "email_account"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 30", name="ck_email_account_name"),
        CheckConstraint("length(description) <= 60", name="ck_email_account_description"),
        CheckConstraint(
            "connection_limit IS NULL OR connection_limit >= 1", name="ck_email_account_limit"
        ),
        CheckConstraint(
            "NOT is_system OR default_email IS NOT NULL", name="ck_email_account_system_sends"
        ),
        # At most one System Email Account, held by the database whatever a program does.
        partial_index(
            "uq_email_account_system",
            "is_system",
            unique=True,
            where="is_system",
        ),
    )

    id: uuid.UUID = Col(default_factory=uuid.uuid4, primary_key=True)
    name: str
    name_key: str = Col(unique=True)
    description: str = ""
    protocol: str
    settings: dict[str, Any] = Col(sa_column=Column(JSON, nullable=False))
    mailbox: str = Col(index=True)
    is_system: bool = False
    default_email: str | None = None
    send_from_match: bool = False
    allow_cc: bool = True
    allow_bcc: bool = True
    allow_docx: bool = False
    connection_limit: int | None = None
    import_enabled: bool = False
    import_start: str = "now"
    import_from: datetime | None = None
    error_queue_id: int | None = Col(default=None, foreign_key="queue_destination.id", index=True)
    created_at: datetime
    updated_at: datetime
    updated_by: str
    version: int = 1


class ForwardAddressRow(Row, table=True):
    """An approved forward address of an account."""

    __tablename__ = "forward_address"
    __table_args__ = (
        UniqueConstraint("account_id", "email_key", name="uq_forward_address_account_email"),
    )

    id: int | None = Col(default=None, primary_key=True)
    account_id: uuid.UUID = Col(foreign_key="email_account.id", ondelete="CASCADE")
    position: int
    email: str
    email_key: str
    name: str = ""


class AccountContactTypeRow(Row, table=True):
    """A contact type that is ticked for an account's agents or suppliers."""

    __tablename__ = "account_contact_type"
    __table_args__ = (
        CheckConstraint("side IN ('agent', 'supplier')", name="ck_account_contact_type_side"),
    )

    account_id: uuid.UUID = Col(
        foreign_key="email_account.id", primary_key=True, ondelete="CASCADE"
    )
    side: str = Col(primary_key=True)
    contact_type_id: int = Col(foreign_key="contact_type.id", primary_key=True)


class SecretRow(Row, table=True):
    """A secret's ciphertext. Owner, kind, key and endpoint are bound to it as AAD."""

    __tablename__ = "secret"

    owner: uuid.UUID = Col(foreign_key="email_account.id", primary_key=True, ondelete="CASCADE")
    kind: str = Col(primary_key=True)
    key_id: str
    nonce: bytes
    ciphertext: bytes
