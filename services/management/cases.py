"""Stored mail as an action takes it up: its rows, its bytes, and where its mailbox has it."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from models.mail import LedgerRow, MailRow, Outcome, RawMailRow
from services.chunks import chunks
from services.errors import NotFound, ServiceError
from services.results import Result

OWN = (Outcome.IMPORTED, Outcome.SKIPPED, Outcome.ERROR)
"""What the ledger's row of a message itself says; rows of its copies say otherwise."""


@dataclass(frozen=True)
class Brief:
    """What is known of a message before it is taken up."""

    mail_id: int
    account_id: uuid.UUID | None
    size: int


@dataclass(frozen=True)
class Case:
    """One message. What is done with it holds only while its row is as it was read."""

    mail: MailRow
    data: bytes
    """All of it where `complete`, else its header block, which may be blank."""
    complete: bool

    @property
    def id(self) -> int:
        """The message's number."""
        return self.mail.id or 0


def briefs(session: Session, ids: Sequence[int]) -> list[Brief]:
    """Return what is known of these messages, in their order, each once; others are left out."""
    found: dict[int, Brief] = {}
    for chunk in chunks(ids):
        statement = select(MailRow.id, MailRow.account_id, MailRow.size)
        for mail_id, account_id, size in session.exec(statement.where(col(MailRow.id).in_(chunk))):
            found[mail_id or 0] = Brief(mail_id or 0, account_id, size)
    return [found[mail_id] for mail_id in dict.fromkeys(ids) if mail_id in found]


def named(session: Session, results: Sequence[Result]) -> list[Result]:
    """Return results that say which messages they are about."""
    subjects: dict[int, str] = {}
    for chunk in chunks(result.id for result in results):
        statement = select(MailRow.id, MailRow.subject).where(col(MailRow.id).in_(chunk))
        subjects |= {mail_id or 0: subject for mail_id, subject in session.exec(statement)}
    return [replace(result, about=subjects.get(result.id, "")) for result in results]


def mail_of(session: Session, mail_id: int) -> MailRow:
    """Return a message's row. Raises NotFound."""
    row = session.get(MailRow, mail_id)
    if row is None:
        raise NotFound(f"There is no mail {mail_id}.")
    return row


def case_of(session: Session, mail_id: int) -> Case:
    """Return a message with its bytes. Raises NotFound."""
    row, raw = mail_of(session, mail_id), session.get(RawMailRow, mail_id)
    return Case(row, raw.data if raw else b"", bool(raw and raw.complete))


def items(session: Session, ids: Collection[int], scope: str) -> dict[int, str]:
    """Return under which names a mailbox has messages now; those that it does not are left out.

    A mailbox that was rebuilt has another `scope`, in which an import has recognised them.
    """
    statement = select(LedgerRow.mail_id, LedgerRow.item, LedgerRow.outcome).where(
        col(LedgerRow.mail_id).in_(ids),
        LedgerRow.scope == scope,
        LedgerRow.outcome != Outcome.GONE,
    )
    found: dict[int, str] = {}
    for mail_id, item, outcome in session.exec(statement):
        if outcome in OWN or mail_id not in found:  # a copy serves where the message itself left
            found[mail_id or 0] = item
    return found


def unchanged(session: Session, case: Case) -> MailRow:
    """Return the row to write to. Raises NotFound; ServiceError where it is no longer as read."""
    statement = select(MailRow).where(MailRow.id == case.id).with_for_update()
    row = session.exec(statement).first()
    if row is None:
        raise NotFound(f"There is no mail {case.id}.")
    seen = case.mail
    if (row.outcome, row.reason, row.dismissed_at) != (
        seen.outcome,
        seen.reason,
        seen.dismissed_at,
    ):
        raise ServiceError("Somebody else has just changed what became of it.", "Look again.")
    return row
