"""Mail that came in, and the account of every message that a mailbox showed us."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlmodel import Field as Col

from models.base import Row, partial_index


class Outcome(StrEnum):
    """What became of a message that a mailbox showed."""

    IMPORTED = "imported"
    SKIPPED = "skipped"
    ERROR = "error"
    KNOWN = "known"
    GONE = "gone"


class Reason(StrEnum):
    """The rule that decided, as a stable word for filters and grouping.

    The README's "What becomes of a message" has the rules.
    """

    ALREADY_HERE = "already-here"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    SENT_BY_US = "sent-by-us"
    NOT_DELIVERED = "not-delivered"
    REPLY = "reply"
    TYPE_NOT_TICKED = "type-not-ticked"
    UNKNOWN_SENDER = "unknown-sender"
    AUTOMATIC = "automatic"
    ENQUIRY = "enquiry"
    UNRELATED = "unrelated"
    VANISHED = "vanished"
    ASSIGNED = "assigned"
    """Not a rule but a person decided: assigned by hand to a contact or a booking."""


class MailRow(Row, table=True):
    """A message that came in and was imported, skipped or errored: what Email Management lists."""

    __tablename__ = "mail"
    __table_args__ = (
        CheckConstraint("outcome IN ('imported','skipped','error')", name="ck_mail_outcome"),
        Index("ix_mail_received", "received_at", "id"),
        Index("ix_mail_outcome_received", "outcome", "received_at", "id"),
        Index("ix_mail_account_received", "account_id", "received_at", "id"),
        Index("ix_mail_account_outcome_received", "account_id", "outcome", "received_at", "id"),
        partial_index(
            "ix_mail_contact",
            "contact_id",
            where="contact_id IS NOT NULL",
        ),
        partial_index(
            "ix_mail_type_received",
            "contact_type_id",
            "received_at",
            "id",
            where="contact_id IS NOT NULL",
        ),
        Index("ix_mail_queue_received", "queue_id", "received_at", "id"),
        partial_index(
            "ix_mail_skipped_cause",
            "reason",
            "from_key",
            where="outcome || '' = 'skipped' AND dismissed_at IS NULL",
        ),
        partial_index(
            "ix_mail_forwarded",
            "received_at",
            "id",
            where="forwarded_at IS NOT NULL",
        ),
        partial_index(
            "ix_mail_dismissed",
            "received_at",
            "id",
            where="dismissed_at IS NOT NULL",
        ),
        # Open errors: what Home counts and what no clearing out may touch.
        partial_index(
            "ix_mail_open_error",
            "received_at",
            "id",
            where="outcome = 'error' AND dismissed_at IS NULL",
        ),
        partial_index(
            "ix_mail_open_cause",
            "reason",
            "from_key",
            "received_at",
            "outcome",
            "dismissed_at",
            where="outcome || '' = 'error' AND dismissed_at IS NULL",
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    account_id: uuid.UUID | None = Col(
        sa_column=Column(ForeignKey("email_account.id", ondelete="SET NULL"), nullable=True)
    )
    account_name: str
    outcome: str
    reason: str
    why: str
    """The rule in words: which header, which contact, and what the receiving server verified."""
    received_at: datetime
    from_name: str = ""
    from_address: str = ""
    from_key: str = ""
    recipients: str = ""
    subject: str = ""
    message_id: str = ""
    booking: str | None = None
    contact_id: int | None = Col(default=None, foreign_key="contact.id", ondelete="SET NULL")
    contact_type_id: int | None = None
    """The contact's type, by which mail is listed; says nothing where the contact is gone."""
    queue_id: int | None = Col(default=None, foreign_key="queue_destination.id")
    answers_id: int | None = Col(default=None, foreign_key="outbox.id", ondelete="SET NULL")
    automatic: bool = False
    unverified: bool = False
    """Whether the receiving server's Authentication-Results named a failed check."""
    size: int
    attachments: int = 0
    forwarded_at: datetime | None = None
    """When it was last forwarded to an approved address."""
    dismissed_at: datetime | None = None
    """When somebody said that nothing is left to do; an error that is dismissed is not open."""
    created_at: datetime


class MailActionRow(Row, table=True):
    """What somebody did with a message that came in: kept, and shown with it."""

    __tablename__ = "mail_action"
    __table_args__ = (
        CheckConstraint(
            "action IN ('forward','retry','assign','dismiss','reopen')",
            name="ck_mail_action_action",
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    mail_id: int = Col(foreign_key="mail.id", ondelete="CASCADE", index=True)
    at: datetime
    who: str
    action: str
    detail: str = ""
    """In words: to whom, to what, with which result."""
    outbox_id: int | None = Col(
        default=None, foreign_key="outbox.id", ondelete="SET NULL", index=True
    )
    """The message that a forward made."""


class MailTextRow(Row, table=True):
    """What a message is found by: subject, people and the beginning of its body, folded.

    Both stores index `text` for full-text search (see the second revision of the schema).
    """

    __tablename__ = "mail_text"

    place: int = Col(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    """Orders hits as the list is ordered: the second it was received, then the mail's number."""
    mail_id: int = Col(foreign_key="mail.id", ondelete="CASCADE", unique=True)
    text: str


class RawMailRow(Row, table=True):
    """A message's bytes exactly as the server gave them, stored before anybody parsed them."""

    __tablename__ = "raw_mail"

    mail_id: int = Col(foreign_key="mail.id", primary_key=True, ondelete="CASCADE")
    complete: bool
    """False where only the header block is kept (skipped mail, mail above the size limit)."""
    data: bytes = Col(sa_column=Column(LargeBinary, nullable=False))


class LedgerRow(Row, table=True):
    """One message that a mailbox showed: exactly one row for each (account, scope, item)."""

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("account_id", "scope", "item", name="uq_ledger_account_scope_item"),
        Index("ix_ledger_identity", "account_id", "identity_digest"),
    )

    id: int | None = Col(default=None, primary_key=True)
    account_id: uuid.UUID = Col(foreign_key="email_account.id", ondelete="CASCADE")
    scope: str
    """Within which `item` is unique: IMAP's UIDVALIDITY, or a constant for immutable ids."""
    item: str
    """IMAP's UID or Graph's immutable id."""
    run_id: int | None = Col(
        default=None, foreign_key="import_run.id", ondelete="SET NULL", index=True
    )
    """The run that wrote it; None once that run's history was cleared out."""
    outcome: str
    reason: str
    identity_digest: str = ""
    """Of the headers that survive a copy; finds candidates, of which the other two decide."""
    header_digest: str = ""
    """Of the whole header block."""
    content_digest: str = ""
    """Of the whole message; empty where its body was never fetched."""
    size: int = 0
    """Octets, as the server says."""
    mail_id: int | None = Col(default=None, foreign_key="mail.id", ondelete="SET NULL", index=True)


class MailboxMarkRow(Row, table=True):
    """Below which everything in an account's mailbox is settled; moved only with its rows."""

    __tablename__ = "mailbox_mark"

    account_id: uuid.UUID = Col(
        foreign_key="email_account.id", primary_key=True, ondelete="CASCADE"
    )
    scope: str
    cursor: str
    """The importer's own: a UID, or a delta link. Never shown (a delta link opens a mailbox)."""
    before_start: int = 0
    """How many messages lie before Import From and so have no rows."""
    reconciled_at: datetime | None = None
