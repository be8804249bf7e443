"""What only a person may decide about outgoing mail, where nobody is sending it just now.

A holder whose lease ran out can then write nothing more: the state is no longer its own, and the
next claim has a newer number.
"""

import uuid
from datetime import datetime

from sqlmodel import Session, col, update

from models.outbox import OutboxRecipientRow, OutboxRow, OutboxState, RecipientState
from services.errors import InUse
from services.sending import claims, views
from services.sending.settle import GIVE_UP_AFTER, overall


def resend(session: Session, which: int, now: datetime) -> None:
    """Queue a message for everybody who does not certainly have it. Raises NotFound, InUse."""
    if _free(session, which) is OutboxState.SENT:
        raise InUse("It was sent to every recipient.", "Write a new message instead.")
    _move(session, which, (RecipientState.UNCERTAIN, RecipientState.FAILED), RecipientState.DUE)
    _change(
        session,
        which,
        state=OutboxState.QUEUED,
        attempts=0,
        last_error="",
        next_attempt_at=now,
        give_up_at=now + GIVE_UP_AFTER,
    )


def mark_sent(session: Session, which: int, now: datetime, who: str) -> None:
    """Take an uncertain message's recipients to have it. Raises NotFound, InUse."""
    if _free(session, which) is not OutboxState.UNCERTAIN:
        raise InUse("Only an uncertain message can be marked sent.")
    words = f"Marked sent by {who}."
    _move(session, which, (RecipientState.UNCERTAIN,), RecipientState.SENT, words)
    state = overall(list(claims.recipient_states(session, which).values()))
    _change(session, which, state=state, last_error=words, sent_at=now)


def cancel(session: Session, which: int, who: str) -> None:
    """Send a message to nobody further. Raises NotFound, InUse."""
    if _free(session, which) is OutboxState.SENT:
        raise InUse("It was sent already.")
    words = f"Cancelled by {who}."
    _move(session, which, (RecipientState.DUE,), RecipientState.FAILED, words)
    _change(session, which, state=OutboxState.CANCELLED, last_error=words)


def wake(session: Session, account_id: uuid.UUID, now: datetime) -> None:
    """Make an account's queued mail due."""
    session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.account_id) == account_id, col(OutboxRow.state) == OutboxState.QUEUED)
        .values(next_attempt_at=now)
    )


def _free(session: Session, which: int) -> OutboxState:
    """Return the state of a message that nobody is sending. Raises NotFound, InUse."""
    state = views.one(session, which).state
    if state is OutboxState.SENDING:
        raise InUse("It is being sent just now.", "Look again in a minute.")
    return state


def _move(
    session: Session,
    which: int,
    states: tuple[RecipientState, ...],
    state: RecipientState,
    words: str = "",
) -> None:
    session.execute(
        update(OutboxRecipientRow)
        .where(
            col(OutboxRecipientRow.outbox_id) == which, col(OutboxRecipientRow.state).in_(states)
        )
        .values(state=state, reply=words)
    )


def _change(session: Session, which: int, **values: object) -> None:
    kept = {"next_attempt_at": None, "lease_until": None, **values}
    session.execute(update(OutboxRow).where(col(OutboxRow.id) == which).values(**kept))
