"""What an attempt to send comes to, recipient by recipient (pure)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.outbox import OutboxState, RecipientState
from services.errors import LoginRefused, ServiceError
from services.protocols.base import Reply, SendDeferred, SendRefused, SendUncertain, Verdict

GIVE_UP_AFTER = timedelta(days=5)
"""For how long a message is tried (RFC 5321 §4.5.4.1)."""

LOGIN_PAUSE = timedelta(hours=1)
"""Between attempts with a login that was refused: more of them may lock the account."""

_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(hours=4)


@dataclass(frozen=True)
class Attempt:
    """What sending one message met: answers, and what went wrong with all that got none."""

    replies: Mapping[str, Reply] = field(default_factory=dict)
    failure: ServiceError | None = None


@dataclass(frozen=True)
class Settlement:
    """What to write down after an attempt."""

    state: OutboxState
    next_attempt_at: datetime | None
    last_error: str
    recipients: Mapping[str, tuple[RecipientState, str]]
    """New state and the server's words for each address that was due."""


def retry_delay(attempts: int, jitter: float, failure: ServiceError | None = None) -> timedelta:
    """Return how long to wait after `attempts` attempts: doubling, spread by `jitter` in 0..1.

    A server that says how long to wait is obeyed; a refused login is tried slowly.
    """
    doubled = _FIRST_DELAY * (1 << min(max(attempts - 1, 0), 20))
    delay = min(doubled, _LONGEST_DELAY) * (0.75 + jitter / 2)
    if isinstance(failure, LoginRefused):
        delay = max(delay, LOGIN_PAUSE)
    if isinstance(failure, SendDeferred) and failure.retry_after:
        delay = max(delay, timedelta(seconds=failure.retry_after))
    return delay


def overall(states: Collection[RecipientState]) -> OutboxState:
    """Return where a message stands as its recipients do: what still moves comes first."""
    if RecipientState.DUE in states:
        return OutboxState.QUEUED
    if RecipientState.UNCERTAIN in states:
        return OutboxState.UNCERTAIN
    if states and set(states) <= {RecipientState.SENT}:
        return OutboxState.SENT
    return OutboxState.FAILED


def settle(
    attempt: Attempt,
    states: Mapping[str, RecipientState],
    *,
    now: datetime,
    attempts: int,
    give_up_at: datetime,
    jitter: float,
) -> Settlement:
    """Judge an attempt to reach the recipients that were due among `states` (address → state)."""
    due = [address for address, state in states.items() if state is RecipientState.DUE]
    found = {address: _of_one(attempt, address) for address in due}
    if now >= give_up_at:
        found = {address: _given_up(*entry) for address, entry in found.items()}
    state = overall([*{**states, **{at: new for at, (new, _words) in found.items()}}.values()])
    again = now + retry_delay(attempts, jitter, attempt.failure)
    return Settlement(
        state,
        again if state is OutboxState.QUEUED else None,
        _worst(attempt, found),
        found,
    )


def _of_one(attempt: Attempt, address: str) -> tuple[RecipientState, str]:
    if (reply := attempt.replies.get(address)) is not None:
        states = {Verdict.ACCEPTED: RecipientState.SENT, Verdict.REFUSED: RecipientState.FAILED}
        return states.get(reply.verdict, RecipientState.DUE), reply.words
    words = attempt.failure.message if attempt.failure else "no answer for this recipient"
    if isinstance(attempt.failure, SendUncertain) or attempt.failure is None:
        return RecipientState.UNCERTAIN, words
    if isinstance(attempt.failure, SendRefused):
        return RecipientState.FAILED, words
    return RecipientState.DUE, words


def _given_up(state: RecipientState, words: str) -> tuple[RecipientState, str]:
    if state is not RecipientState.DUE:
        return state, words
    return RecipientState.FAILED, f"Given up after {GIVE_UP_AFTER.days} days: {words}"


def _worst(attempt: Attempt, found: Mapping[str, tuple[RecipientState, str]]) -> str:
    """Return the words that the outbox's list shows: of all recipients, or of those without."""
    bad = {at: words for at, (state, words) in found.items() if state is not RecipientState.SENT}
    if attempt.failure is not None and len(set(bad.values())) == 1:
        return " ".join(filter(None, (*set(bad.values()), attempt.failure.hint)))
    return "; ".join(f"{address}: {words}" for address, words in bad.items())
