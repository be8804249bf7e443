"""Claims on outgoing messages: leased, fenced, and each one statement.

A claim's number is its fencing token. Whoever holds a newer one has taken the message over, and
writes with an older one change nothing. A message whose lease ran out while it was being sent is
uncertain: nobody can know whether the server has it.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, or_, select, update

from models.mail import OutboxRecipientRow, OutboxRow, OutboxState, RecipientState
from services.errors import Fenced
from services.sending.settle import Settlement

LEASE = timedelta(seconds=90)

_INTERRUPTED = "The program that was sending it ended or lost its store; the server may have it."


@dataclass(frozen=True)
class Claimed:
    """A message that is ours to send, as long as the lease is renewed."""

    id: int
    claim: int
    message_id: str
    envelope_from: str
    states: Mapping[str, RecipientState]
    """Every recipient's, by address; those due are to be sent to."""
    attempts: int
    give_up_at: datetime
    data: bytes

    @property
    def due(self) -> tuple[str, ...]:
        """The addresses to send to now."""
        return tuple(at for at, state in self.states.items() if state is RecipientState.DUE)


def is_due(now: datetime, only: int | None = None) -> ColumnElement[bool]:
    """Say what may be sent now; one message that is asked for by number need not be due."""
    queued = col(OutboxRow.state) == OutboxState.QUEUED
    if only is not None:
        return and_(queued, col(OutboxRow.id) == only)
    return and_(queued, col(OutboxRow.next_attempt_at) <= now)


def due_accounts(session: Session, due: ColumnElement[bool]) -> Sequence[uuid.UUID | None]:
    """Return the accounts for which something waits, the longest waiting one first."""
    return session.exec(
        select(OutboxRow.account_id)
        .where(due)
        .group_by(col(OutboxRow.account_id))
        .order_by(func.min(OutboxRow.next_attempt_at))
    ).all()


def anything(session: Session, due: ColumnElement[bool]) -> bool:
    """Tell whether a connection is worth opening."""
    return session.exec(select(OutboxRow.id).where(due).limit(1)).first() is not None


def claim_next(
    session: Session, due: ColumnElement[bool], now: datetime, holder: str
) -> Claimed | None:
    """Claim what has waited longest of what is `due`, in one statement; None: nothing is."""
    pick = (
        select(OutboxRow.id)
        .where(due)
        .order_by(col(OutboxRow.next_attempt_at), col(OutboxRow.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claimed = session.execute(
        update(OutboxRow)
        .where(col(OutboxRow.id) == pick)
        .values(
            state=OutboxState.SENDING,
            claim=OutboxRow.claim + 1,
            attempts=OutboxRow.attempts + 1,
            holder=holder,
            lease_until=now + LEASE,
        )
        .returning(
            col(OutboxRow.id),
            col(OutboxRow.claim),
            col(OutboxRow.message_id),
            col(OutboxRow.envelope_from),
            col(OutboxRow.attempts),
            col(OutboxRow.give_up_at),
            col(OutboxRow.data),
        )
        .execution_options(synchronize_session=False)
    ).first()
    if claimed is None:
        return None
    return Claimed(
        id=claimed.id,
        claim=claimed.claim,
        message_id=claimed.message_id,
        envelope_from=claimed.envelope_from,
        states=recipient_states(session, claimed.id),
        attempts=claimed.attempts,
        give_up_at=claimed.give_up_at,
        data=claimed.data,
    )


def recipient_states(session: Session, message: int) -> dict[str, RecipientState]:
    """Return the state of every recipient of a message, by address."""
    rows = session.exec(
        select(OutboxRecipientRow.address, OutboxRecipientRow.state)
        .where(OutboxRecipientRow.outbox_id == message)
        .order_by(col(OutboxRecipientRow.id))
    )
    return {address: RecipientState(state) for address, state in rows}


def renew(session: Session, claimed: Claimed, now: datetime) -> bool:
    """Prolong a lease, even one that ran out unless somebody acted on it; False: it is lost."""
    return _write(session, claimed, state=OutboxState.SENDING, lease_until=now + LEASE)


def record(session: Session, claimed: Claimed, settlement: Settlement, now: datetime) -> None:
    """Write down what an attempt came to, and give the claim up. Raises Fenced.

    Where the lease ran out meanwhile but nobody acted on it, what we know replaces "uncertain".
    """
    done = _write(
        session,
        claimed,
        state=settlement.state,
        next_attempt_at=settlement.next_attempt_at,
        last_error=settlement.last_error,
        lease_until=None,
        holder="",
        **({"sent_at": now} if settlement.state is OutboxState.SENT else {}),
    )
    if not done:
        raise Fenced(f"Somebody else has taken over message {claimed.id}.")
    _set_recipients(session, claimed, settlement.recipients)


def hand_back(session: Session, claimed: Claimed, now: datetime) -> None:
    """Queue a message again that was certainly not sent, as if it had not been tried."""
    mine = _write(
        session,
        claimed,
        state=OutboxState.QUEUED,
        attempts=claimed.attempts - 1,
        next_attempt_at=now,
        last_error="",
        lease_until=None,
        holder="",
    )
    if mine:  # where the lease had run out, they were taken for uncertain
        _set_recipients(session, claimed, dict.fromkeys(claimed.due, (RecipientState.DUE, "")))


def any_lapsed(session: Session, now: datetime) -> bool:
    """Tell whether a lease has run out, without the write lock that `expire` takes."""
    return session.exec(select(OutboxRow.id).where(_lapsed(now)).limit(1)).first() is not None


def expire(session: Session, now: datetime) -> int:
    """Turn messages whose lease ran out uncertain and return how many; they are never resent."""
    lapsed = session.execute(
        update(OutboxRow)
        .where(_lapsed(now))
        .values(state=OutboxState.UNCERTAIN, last_error=_INTERRUPTED, next_attempt_at=None)
        .returning(col(OutboxRow.id))
        .execution_options(synchronize_session=False)
    ).scalars()
    ids = list(lapsed)
    change_due(session, ids, RecipientState.UNCERTAIN, _INTERRUPTED)
    return len(ids)


def change_due(session: Session, ids: Sequence[int], state: RecipientState, words: str) -> None:
    """Give every recipient of these messages that is still due another state."""
    session.execute(
        update(OutboxRecipientRow)
        .where(
            col(OutboxRecipientRow.outbox_id).in_(ids),
            col(OutboxRecipientRow.state) == RecipientState.DUE,
        )
        .values(state=state, reply=words)
    )


def _lapsed(now: datetime) -> ColumnElement[bool]:
    ended = or_(col(OutboxRow.lease_until).is_(None), col(OutboxRow.lease_until) < now)
    return and_(col(OutboxRow.state) == OutboxState.SENDING, ended)


def _write(session: Session, claimed: Claimed, **values: object) -> bool:
    """Write to a claimed message; False where somebody has claimed or decided on it since."""
    done = session.execute(
        update(OutboxRow)
        .where(
            col(OutboxRow.id) == claimed.id,
            col(OutboxRow.claim) == claimed.claim,
            col(OutboxRow.state).in_((OutboxState.SENDING, OutboxState.UNCERTAIN)),
        )
        .values(**values)
        .returning(col(OutboxRow.id))
        .execution_options(synchronize_session=False)
    )
    return done.first() is not None


def _set_recipients(
    session: Session, claimed: Claimed, states: Mapping[str, tuple[RecipientState, str]]
) -> None:
    for address, (state, words) in states.items():
        session.execute(
            update(OutboxRecipientRow)
            .where(
                col(OutboxRecipientRow.outbox_id) == claimed.id,
                col(OutboxRecipientRow.address) == address,
            )
            .values(state=state, reply=words)
        )
