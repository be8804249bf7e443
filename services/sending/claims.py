"""Claims on outgoing messages: leased, fenced, and each one statement.

A claim's number is its fencing token. Whoever holds a newer one has taken the message over, and
writes with an older one change nothing. A message whose lease ran out while it was being sent is
uncertain: nobody can know whether the server has it.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Update, bindparam
from sqlmodel import Session, and_, col, func, or_, select, update

from models.outbox import OutboxRecipientRow, OutboxRow, OutboxState, RecipientState
from services.chunks import chunks
from services.errors import Fenced
from services.sending.settle import Settlement

LEASE = timedelta(seconds=90)

# Statements that run for every message are made once: making one takes longer than running it.
_OUTBOX = OutboxRow.metadata.tables["outbox"]
_RECIPIENT = OutboxRow.metadata.tables["outbox_recipient"]
_RAW = OutboxRow.metadata.tables["raw_outbox"]
_STATES = (
    select(_RECIPIENT.c.address, _RECIPIENT.c.state)
    .where(_RECIPIENT.c.outbox_id == bindparam("message"))
    .order_by(_RECIPIENT.c.id)
)
_SET_STATE = (
    update(_RECIPIENT)
    .where(
        _RECIPIENT.c.outbox_id == bindparam("message"), _RECIPIENT.c.address == bindparam("whom")
    )
    .values(state=bindparam("into"), reply=bindparam("words"))
)

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
    lease_until: datetime
    """As it was when it was claimed, by which this claim is known from any other."""
    data: bytes

    @property
    def due(self) -> tuple[str, ...]:
        """The addresses to send to now."""
        return tuple(at for at, state in self.states.items() if state is RecipientState.DUE)


def whenever(now: Callable[[], datetime]) -> BindParameter[datetime]:
    """Return the moment at which a statement will run."""
    return bindparam(None, callable_=now, type_=_OUTBOX.c.next_attempt_at.type)


def is_due(now: datetime | BindParameter[datetime], only: int | None = None) -> ColumnElement[bool]:
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
    """Claim what has waited longest of what is `due`, in one statement; None: nothing is.

    Quickest with the same `due` again.
    """
    values: dict[str, Any] = {"holder": holder, "lease_until": now + LEASE}
    claimed = session.connection().execute(_claiming(due), values).first()
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
        lease_until=values["lease_until"],
        data=claimed.data,
    )


@lru_cache(maxsize=16)
def _claiming(due: ColumnElement[bool]) -> Update:
    pick = (
        select(_OUTBOX.c.id)
        .where(due)
        .order_by(_OUTBOX.c.next_attempt_at, _OUTBOX.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(_OUTBOX)
        .where(_OUTBOX.c.id == pick)
        .values(
            state=OutboxState.SENDING,
            claim=_OUTBOX.c.claim + 1,
            attempts=_OUTBOX.c.attempts + 1,
            holder=bindparam("holder"),
            lease_until=bindparam("lease_until"),
        )
        .returning(
            _OUTBOX.c.id,
            _OUTBOX.c.claim,
            _OUTBOX.c.message_id,
            _OUTBOX.c.envelope_from,
            _OUTBOX.c.attempts,
            _OUTBOX.c.give_up_at,
            select(_RAW.c.data)
            .where(_RAW.c.outbox_id == _OUTBOX.c.id)
            .scalar_subquery()
            .label("data"),
        )
    )


def recipient_states(session: Session, message: int) -> dict[str, RecipientState]:
    """Return the state of every recipient of a message, by address."""
    rows = session.connection().execute(_STATES, {"message": message})
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


def is_recorded(session: Session, claimed: Claimed, settlement: Settlement) -> bool:
    """Tell whether a commit whose answer was lost has written an attempt down all the same."""
    state = select(_OUTBOX.c.state).where(
        _OUTBOX.c.id == claimed.id, _OUTBOX.c.claim == claimed.claim
    )
    return session.connection().execute(state).scalar() == settlement.state


def take_back(session: Session, claimed: Claimed, now: datetime) -> None:
    """Hand back what a commit has claimed whose answer was lost; do nothing where it was not done.

    Somebody else's claim may have the same number then, but has another lease.
    """
    ours = select(_OUTBOX.c.id).where(
        _OUTBOX.c.id == claimed.id, _OUTBOX.c.lease_until == claimed.lease_until
    )
    if session.connection().execute(ours).first() is not None:
        hand_back(session, claimed, now)


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
    still = update(OutboxRecipientRow).where(col(OutboxRecipientRow.state) == RecipientState.DUE)
    for some in chunks(ids):
        session.execute(
            still.where(col(OutboxRecipientRow.outbox_id).in_(some))
            .values(state=state, reply=words)
            .execution_options(synchronize_session=False)
        )


def _lapsed(now: datetime) -> ColumnElement[bool]:
    ended = or_(col(OutboxRow.lease_until).is_(None), col(OutboxRow.lease_until) < now)
    return and_(col(OutboxRow.state) == OutboxState.SENDING, ended)


def _write(session: Session, claimed: Claimed, **values: object) -> bool:
    """Write to a claimed message; False where somebody has claimed or decided on it since."""
    statement = _writing(tuple(values))
    which = {"message": claimed.id, "ours": claimed.claim}
    return session.connection().execute(statement, values | which).first() is not None


@lru_cache(maxsize=16)
def _writing(names: tuple[str, ...]) -> Update:
    return (
        update(_OUTBOX)
        .where(
            _OUTBOX.c.id == bindparam("message"),
            _OUTBOX.c.claim == bindparam("ours"),
            or_(
                _OUTBOX.c.state == OutboxState.SENDING, _OUTBOX.c.state == OutboxState.UNCERTAIN
            ),  # an IN would be written out anew each time
        )
        .values({name: bindparam(name) for name in names})
        .returning(_OUTBOX.c.id)
    )


def _set_recipients(
    session: Session, claimed: Claimed, states: Mapping[str, tuple[RecipientState, str]]
) -> None:
    values = [
        {"message": claimed.id, "whom": address, "into": state, "words": words}
        for address, (state, words) in states.items()
    ]
    if values:
        session.connection().execute(_SET_STATE, values)
