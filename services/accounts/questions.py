"""What must be agreed to before an account is saved, and what keeps one from being deleted."""

from collections.abc import Collection

from sqlmodel import Session, select

from models.account import AccountDraft, EmailAccountRow
from models.mail import MailboxMarkRow
from services.accounts.overview import Backlog, waiting
from services.errors import InUse, NeedsConsent
from services.protocols import PROTOCOLS
from services.text import count


def ask(
    session: Session, row: EmailAccountRow | None, draft: AccountDraft, consent: Collection[str]
) -> None:
    """Raise NeedsConsent for the first thing that was not agreed to."""
    for word, question in questions(session, row, draft).items():
        if word not in consent:
            raise NeedsConsent(question, word)


def questions(session: Session, row: EmailAccountRow | None, draft: AccountDraft) -> dict[str, str]:
    """Return what saving a draft must be agreed to: the word that agrees → the question."""
    found = {}
    if row and row.protocol != draft.protocol:
        found["protocol"] = (
            f"Change {row.name} from {PROTOCOLS[row.protocol].title} to "
            f"{PROTOCOLS[draft.protocol].title}? Its stored secrets are discarded; mail already "
            "imported is recognised and not imported again."
        )
    if row and draft.importing and session.get(MailboxMarkRow, row.id):
        start = str(draft.importing.start)
        if start != row.import_start:
            found["start-over"] = (
                f"{row.name} has imported before. Start over from the new Import From? Mail "
                "already imported is recognised and not imported again."
            )
    other = other_system(session, row) if draft.identity.is_system else None
    if other:
        number = waiting(session).get(other.id, Backlog()).number
        wait = "waits there and goes" if number == 1 else "wait there and go"
        still = f" {count(number, 'message')} still {wait} out through it."
        found["hand-over"] = (
            f"{other.name} is the System Email Account. Hand over to {draft.identity.name}?"
            f"{still if number else ''}"
        )
    return found


def other_system(
    session: Session, row: EmailAccountRow | None, *, lock: bool = False
) -> EmailAccountRow | None:
    """Return the System Email Account where it is another one than this."""
    statement = select(EmailAccountRow).where(EmailAccountRow.is_system)
    if lock:
        statement = statement.with_for_update()
    if row is not None:
        statement = statement.where(EmailAccountRow.id != row.id)
    return session.exec(statement).first()


def refuse_deletion(session: Session, row: EmailAccountRow) -> None:
    """Raise InUse where an account is needed still."""
    if row.is_system:
        raise InUse(
            f"{row.name} is the System Email Account.", "Hand that over to another account first."
        )
    number = waiting(session).get(row.id, Backlog()).number
    if number:
        raise InUse(
            f"{count(number, 'message')} in the Outbox still "
            f"{'belongs' if number == 1 else 'belong'} to {row.name}.",
            "Wait until they are sent, or cancel them.",
        )
