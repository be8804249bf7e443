"""What an account's own trouble (no connection, no login) does to all mail that waits for it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, select, update

from models.outbox import OutboxRecipientRow, OutboxRow, OutboxState, RecipientState
from services.chunks import chunks
from services.errors import ServiceError
from services.sending.claims import change_due
from services.sending.settle import GIVE_UP_AFTER, overall, retry_delay


def postpone(
    session: Session,
    due: ColumnElement[bool],
    error: ServiceError,
    now: datetime,
    jitter: Callable[[], float],
) -> Counter[OutboxState]:
    """Count an attempt for each message that is `due`, and fail those tried for long enough.

    Returns how many are in which state by that; those that were put off are queued.
    """
    found = fail(
        session,
        and_(due, col(OutboxRow.give_up_at) <= now),
        f"Given up after {GIVE_UP_AFTER.days} days: {error}",
    )
    # Most attempts first: a message that was put off here is not met again as one more tried.
    tried = select(OutboxRow.attempts).where(due).distinct()
    for attempts in sorted(session.exec(tried).all(), reverse=True):
        delay = retry_delay(attempts + 1, jitter(), error)
        result = session.execute(
            update(OutboxRow)
            .where(due, col(OutboxRow.attempts) == attempts)
            .values(attempts=attempts + 1, next_attempt_at=now + delay, last_error=str(error))
            .returning(col(OutboxRow.id))
            .execution_options(synchronize_session=False)
        )
        found[OutboxState.QUEUED] += len(result.all())
    return found


def wait_for_slot(session: Session, due: ColumnElement[bool], until: datetime, words: str) -> int:
    """Put off what is `due` without counting an attempt: others use the mailbox just now.

    Returns how many were put off.
    """
    result = session.execute(
        update(OutboxRow)
        .where(due)
        .values(next_attempt_at=until, last_error=words)
        .returning(col(OutboxRow.id))
        .execution_options(synchronize_session=False)
    )
    return len(result.all())


def fail(session: Session, which: ColumnElement[bool], words: str) -> Counter[OutboxState]:
    """Give messages up for good; single recipients' fate before stays.

    Returns how many are in which state by that: one whose fate with a recipient is uncertain
    stays so.
    """
    found = Counter[OutboxState]()
    ids = [one or 0 for one in session.exec(select(OutboxRow.id).where(which))]
    change_due(session, ids, RecipientState.FAILED, words)
    for some in chunks(ids):
        for state, those in _by_state(session, some).items():
            found[state] += len(those)
            session.execute(
                update(OutboxRow)
                .where(col(OutboxRow.id).in_(those))
                .values(state=state, last_error=words, next_attempt_at=None)
                .execution_options(synchronize_session=False)
            )
    return found


def _by_state(session: Session, ids: Sequence[int]) -> dict[OutboxState, list[int]]:
    """Return messages by the state that their recipients' states come to."""
    states: dict[int, list[RecipientState]] = {one: [] for one in ids}
    statement = select(OutboxRecipientRow.outbox_id, OutboxRecipientRow.state)
    for one, state in session.exec(statement.where(col(OutboxRecipientRow.outbox_id).in_(ids))):
        states[one].append(RecipientState(state))
    found: dict[OutboxState, list[int]] = {}
    for one, those in states.items():
        found.setdefault(overall(those), []).append(one)
    return found
