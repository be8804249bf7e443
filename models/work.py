"""Work in progress: import runs, connection slots and the processes that do the work."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index
from sqlmodel import Field as Col

from models.base import Row, partial_index


class RunState(StrEnum):
    """Where an import run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ImportRunRow(Row, table=True):
    """One import of one account, with counts that add up:

    server_count = before_start + known + imported + skipped + errors + gone.
    """

    __tablename__ = "import_run"
    __table_args__ = (
        CheckConstraint(
            "state IN ('running','done','failed','cancelled')", name="ck_import_run_state"
        ),
        # One open run an account: two programs never import one mailbox at once.
        partial_index(
            "uq_import_run_open",
            "account_id",
            unique=True,
            where="state = 'running'",
        ),
        Index("ix_import_run_account_started", "account_id", "started_at"),
        Index("ix_import_run_started", "started_at"),
    )

    id: int | None = Col(default=None, primary_key=True)
    account_id: uuid.UUID | None = Col(
        sa_column=Column(ForeignKey("email_account.id", ondelete="SET NULL"), nullable=True)
    )
    account_name: str
    state: str = Col(default=RunState.RUNNING)
    trigger: str
    """Who or what started it: ``command``, ``console`` or ``schedule``."""
    claim: int = 1
    """Fencing token: writes of an older holder change nothing."""
    holder: str
    lease_until: datetime
    started_at: datetime
    started_by: str
    finished_at: datetime | None = None
    server_count: int = 0
    before_start: int = 0
    known: int = 0
    imported: int = 0
    skipped: int = 0
    errors: int = 0
    gone: int = 0
    message: str = ""


class ConnectionSlotRow(Row, table=True):
    """A connection to a mailbox that is open now, held under a lease that its holder renews."""

    __tablename__ = "connection_slot"

    mailbox: str = Col(primary_key=True)
    slot: int = Col(primary_key=True)
    holder: str
    purpose: str
    """``import``, ``send`` or ``test``."""
    account_name: str
    token: str
    expires_at: datetime = Col(index=True)


class WorkerRow(Row, table=True):
    """A process that works the outbox off; its heartbeat tells faces whether anybody does."""

    __tablename__ = "worker"

    holder: str = Col(primary_key=True)
    version: str
    started_at: datetime
    seen_at: datetime = Col(index=True)
    doing: str = ""


class VaultKeyRow(Row, table=True):
    """Recognises a key by a value that only its holder can compute."""

    __tablename__ = "vault_key"

    key_id: str = Col(primary_key=True)
    check: bytes
