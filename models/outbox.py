"""The outbox: messages accepted for sending, and where each of their recipients stands."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlmodel import Field as Col

from models.base import Row, partial_index


class OutboxState(StrEnum):
    """Where an outgoing message stands; `uncertain` is never left without a person."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RecipientState(StrEnum):
    """Where one recipient of a message stands."""

    DUE = "due"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    BOUNCED = "bounced"


class OutboxRow(Row, table=True):
    """A message that was accepted for sending: committed here before anything else happens.

    `claim` is the fencing token of whoever works on it: a write with an older one changes nothing.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued','sending','sent','uncertain','failed','cancelled')",
            name="ck_outbox_state",
        ),
        Index("ix_outbox_due", "state", "next_attempt_at"),
        Index("ix_outbox_state_id", "state", "id"),
        Index("ix_outbox_account_state", "account_id", "state"),
        partial_index(
            "ix_outbox_contact",
            "contact_id",
            where="contact_id IS NOT NULL",
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    account_id: uuid.UUID | None = Col(
        sa_column=Column(ForeignKey("email_account.id", ondelete="SET NULL"), nullable=True)
    )
    account_name: str
    message_id: str = Col(unique=True)
    """With angle brackets, as in the header."""
    token: str | None = Col(default=None, index=True)
    """The random part of the subject token, in lower case."""
    dedupe_key: str | None = Col(default=None, unique=True)
    """What handed it over, where that may come again after a crash: a dropped file's name."""
    booking: str | None = None
    contact_id: int | None = Col(default=None, foreign_key="contact.id", ondelete="SET NULL")
    envelope_from: str
    header_from: str
    subject: str
    state: str = Col(default=OutboxState.QUEUED)
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_error: str = ""
    claim: int = 0
    holder: str = ""
    lease_until: datetime | None = None
    created_at: datetime
    created_by: str
    give_up_at: datetime
    sent_at: datetime | None = None


class RawOutboxRow(Row, table=True):
    """An outgoing message's bytes, apart from its row, which is written anew with every state."""

    __tablename__ = "raw_outbox"

    outbox_id: int = Col(foreign_key="outbox.id", primary_key=True, ondelete="CASCADE")
    data: bytes = Col(sa_column=Column(LargeBinary, nullable=False))
    """The composed RFC 5322 message, CRLF line ends, without Bcc."""


class OutboxRecipientRow(Row, table=True):
    """One recipient of an outgoing message, with the server's last word about it."""

    __tablename__ = "outbox_recipient"
    __table_args__ = (
        UniqueConstraint("outbox_id", "address_key", name="uq_outbox_recipient_address"),
        CheckConstraint(
            "state IN ('due','sent','uncertain','failed','bounced')",
            name="ck_outbox_recipient_state",
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    outbox_id: int = Col(foreign_key="outbox.id", ondelete="CASCADE")
    address: str
    address_key: str = Col(index=True)
    kind: str
    """``to``, ``cc`` or ``bcc``."""
    state: str = Col(default=RecipientState.DUE)
    reply: str = ""


class OutboxTextRow(Row, table=True):
    """What an outgoing message is found by, folded: subject, booking, ids and recipients."""

    __tablename__ = "outbox_text"

    outbox_id: int = Col(foreign_key="outbox.id", primary_key=True, ondelete="CASCADE")
    text: str
