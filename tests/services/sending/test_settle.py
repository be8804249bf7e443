"""What an attempt comes to, case by case."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.outbox import OutboxState, RecipientState
from services.errors import ConnectionFailed, LoginRefused, ServiceError
from services.protocols.base import Reply, SendDeferred, SendRefused, SendUncertain, Verdict
from services.sending.settle import LOGIN_PAUSE, Attempt, Settlement, overall, retry_delay, settle

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DUE, SENT, UNCERTAIN, FAILED = (
    RecipientState.DUE,
    RecipientState.SENT,
    RecipientState.UNCERTAIN,
    RecipientState.FAILED,
)
YES = Reply(Verdict.ACCEPTED, "250 ok")
LATER = Reply(Verdict.DEFERRED, "451 later")
NO = Reply(Verdict.REFUSED, "550 unknown")


def judge(
    attempt: Attempt, states: dict[str, RecipientState], *, attempts: int = 1, late: bool = False
) -> Settlement:
    give_up = NOW if late else NOW + timedelta(days=4)
    return settle(attempt, states, now=NOW, attempts=attempts, give_up_at=give_up, jitter=0.5)


def states_of(settlement: Settlement) -> dict[str, RecipientState]:
    return {address: state for address, (state, _words) in settlement.recipients.items()}


@pytest.mark.parametrize(
    ("replies", "failure", "expected", "state"),
    [
        ({"a": YES, "b": YES}, None, {"a": SENT, "b": SENT}, OutboxState.SENT),
        ({"a": YES, "b": NO}, None, {"a": SENT, "b": FAILED}, OutboxState.FAILED),
        ({"a": YES, "b": LATER}, None, {"a": SENT, "b": DUE}, OutboxState.QUEUED),
        ({"a": NO, "b": LATER}, None, {"a": FAILED, "b": DUE}, OutboxState.QUEUED),
        ({"a": NO, "b": NO}, None, {"a": FAILED, "b": FAILED}, OutboxState.FAILED),
        ({"a": YES}, None, {"a": SENT, "b": UNCERTAIN}, OutboxState.UNCERTAIN),
        ({}, SendRefused("no"), {"a": FAILED, "b": FAILED}, OutboxState.FAILED),
        ({"a": NO}, SendDeferred("later"), {"a": FAILED, "b": DUE}, OutboxState.QUEUED),
        ({}, ConnectionFailed("gone"), {"a": DUE, "b": DUE}, OutboxState.QUEUED),
        ({}, LoginRefused("no"), {"a": DUE, "b": DUE}, OutboxState.QUEUED),
        ({"a": NO}, SendUncertain("?"), {"a": FAILED, "b": UNCERTAIN}, OutboxState.UNCERTAIN),
        ({"a": LATER}, SendUncertain("?"), {"a": DUE, "b": UNCERTAIN}, OutboxState.QUEUED),
    ],
)
def test_every_recipient_gets_its_own_state(
    replies: dict[str, Reply],
    failure: ServiceError | None,
    expected: dict[str, RecipientState],
    state: OutboxState,
) -> None:
    found = judge(Attempt(replies, failure), {"a": DUE, "b": DUE})
    assert states_of(found) == expected
    assert found.state is state
    assert (found.next_attempt_at is not None) is (state is OutboxState.QUEUED)
    assert bool(found.last_error) is (state is not OutboxState.SENT)


def test_only_those_still_due_are_judged_and_the_others_count() -> None:
    found = judge(Attempt({"b": YES}), {"a": FAILED, "b": DUE, "c": SENT})
    assert states_of(found) == {"b": SENT}
    assert found.state is OutboxState.FAILED


def test_after_the_last_day_what_is_due_fails_with_the_words() -> None:
    found = judge(Attempt({"a": LATER, "b": YES}), {"a": DUE, "b": DUE}, late=True)
    assert found.recipients["a"] == (FAILED, "Given up after 5 days: 451 later")
    assert states_of(found)["b"] is SENT
    assert (found.state, found.next_attempt_at) == (OutboxState.FAILED, None)


def test_the_lists_words_say_whose_they_are() -> None:
    mixed = judge(Attempt({"a": NO, "b": YES}), {"a": DUE, "b": DUE})
    assert mixed.last_error == "a: 550 unknown"
    whole = judge(Attempt({}, SendDeferred("It is full.", "Wait.")), {"a": DUE, "b": DUE})
    assert whole.last_error == "It is full. Wait."


@given(st.integers(1, 500), st.floats(0, 1))
def test_delays_grow_with_attempts_up_to_a_bound(attempts: int, jitter: float) -> None:
    delay = retry_delay(attempts, jitter)
    assert timedelta(seconds=45) <= delay <= timedelta(hours=5)
    assert retry_delay(attempts + 1, jitter) >= delay


def test_jitter_spreads() -> None:
    assert retry_delay(1, 0) < retry_delay(1, 0.5) < retry_delay(1, 1)


def test_a_servers_own_delay_is_obeyed() -> None:
    asked = SendDeferred("busy")
    asked.retry_after = 7200
    assert retry_delay(1, 0.5, asked) == timedelta(hours=2)
    assert retry_delay(9, 0.5, asked) > timedelta(hours=2)


def test_a_refused_login_is_tried_slowly() -> None:
    assert retry_delay(1, 0, LoginRefused("no")) >= LOGIN_PAUSE


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([DUE, UNCERTAIN, FAILED, SENT], OutboxState.QUEUED),
        ([UNCERTAIN, FAILED, SENT], OutboxState.UNCERTAIN),
        ([FAILED, SENT], OutboxState.FAILED),
        ([RecipientState.BOUNCED, SENT], OutboxState.FAILED),
        ([SENT], OutboxState.SENT),
        ([], OutboxState.FAILED),
    ],
)
def test_a_message_stands_where_its_recipients_do(
    states: list[RecipientState], expected: OutboxState
) -> None:
    assert overall(states) is expected
