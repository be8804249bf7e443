"""Claims and their leases: one holder at a time, and no word of one overtaken."""

import threading

import pytest

from models.outbox import OutboxState, RecipientState
from services.bootstrap import Services
from services.errors import Fenced
from services.protocols.base import Verdict
from services.sending import claims
from services.sending.claims import LEASE
from tests.services.sending.outbox.claiming import (
    TO,
    claim,
    expire,
    mail,
    nothing_due,
    record,
    settled,
)
from tests.stores import Clock


def test_a_claim_takes_the_longest_waiting_one_and_no_other_can(
    services: Services, clock: Clock
) -> None:
    first = services.outbox.accept(mail())
    clock.forward(seconds=1)
    second = services.outbox.accept(mail())
    assert [claim(services).id, claim(services).id] == [first.id, second.id]
    assert nothing_due(services)
    shown = services.outbox.get(first.id)
    assert (shown.state, shown.attempts) == (OutboxState.SENDING, 1)


def test_what_is_not_due_yet_is_not_claimed(services: Services, clock: Clock) -> None:
    services.outbox.accept(mail())
    claimed = claim(services)
    record(services, claimed, settled(services, claimed, anna=Verdict.DEFERRED))
    assert nothing_due(services)
    clock.forward(minutes=2)
    again = claim(services)
    assert (again.attempts, again.claim) == (2, claimed.claim + 1)


def test_a_retry_goes_only_to_those_still_due(services: Services, clock: Clock) -> None:
    services.outbox.accept(mail(cc=("berta@agent.test", "carl@agent.test")))
    claimed = claim(services)
    record(
        services,
        claimed,
        settled(
            services, claimed, anna=Verdict.ACCEPTED, berta=Verdict.REFUSED, carl=Verdict.DEFERRED
        ),
    )
    clock.forward(minutes=2)
    again = claim(services)
    assert again.due == ("carl@agent.test",)
    record(services, again, settled(services, again, carl=Verdict.ACCEPTED))
    shown = services.outbox.get(again.id)
    assert shown.state is OutboxState.FAILED
    assert [one.state for one in shown.recipients] == [
        RecipientState.SENT,
        RecipientState.FAILED,
        RecipientState.SENT,
    ]


def test_two_threads_never_claim_the_same_message(services: Services) -> None:
    for _ in range(30):
        services.outbox.accept(mail())
    taken: list[int] = []

    def work() -> None:
        while True:
            with services.store.write() as session:
                due = claims.is_due(services.now())
                found = claims.claim_next(session, due, services.now(), "me")
            if found is None:
                return
            taken.append(found.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 30


def test_an_expired_lease_leaves_the_message_uncertain_and_is_never_resent(
    services: Services, clock: Clock
) -> None:
    message = services.outbox.accept(mail())
    claim(services)
    clock.forward(seconds=LEASE.total_seconds() - 1)
    assert expire(services) == 0
    clock.forward(seconds=2)
    assert expire(services) == 1
    shown = services.outbox.get(message.id)
    assert shown.state is OutboxState.UNCERTAIN
    assert [one.state for one in shown.recipients] == [RecipientState.UNCERTAIN]
    assert "server may have it" in shown.last_error
    clock.forward(days=30)
    assert nothing_due(services)


def test_a_renewed_lease_does_not_expire(services: Services, clock: Clock) -> None:
    services.outbox.accept(mail())
    claimed = claim(services)
    for _ in range(5):
        clock.forward(seconds=60)
        with services.store.write() as session:
            assert claims.renew(session, claimed, services.now())
        assert expire(services) == 0


def test_whoever_was_overtaken_can_write_nothing_more(services: Services, clock: Clock) -> None:
    message = services.outbox.accept(mail())
    old = claim(services, "old")
    clock.forward(seconds=100)
    expire(services)
    services.outbox.resend(message.id)
    new = claim(services, "new")
    with pytest.raises(Fenced):
        record(services, old, settled(services, old, anna=Verdict.ACCEPTED))
    with services.store.write() as session:
        assert not claims.renew(session, old, services.now())
        claims.hand_back(session, old, services.now())
    shown = services.outbox.get(message.id)
    assert (shown.state, shown.recipients[0].state) == (OutboxState.SENDING, RecipientState.DUE)
    record(services, new, settled(services, new, anna=Verdict.ACCEPTED))
    assert services.outbox.get(message.id).state is OutboxState.SENT


def test_the_servers_answer_settles_what_had_become_uncertain(
    services: Services, clock: Clock
) -> None:
    message = services.outbox.accept(mail())
    claimed = claim(services)
    clock.forward(seconds=100)
    expire(services)
    record(services, claimed, settled(services, claimed, anna=Verdict.ACCEPTED))
    shown = services.outbox.get(message.id)
    assert (shown.state, shown.recipients[0].state) == (OutboxState.SENT, RecipientState.SENT)


def test_what_was_handed_back_goes_out_again_as_if_untried(
    services: Services, clock: Clock
) -> None:
    services.outbox.accept(mail())
    claimed = claim(services)
    clock.forward(seconds=100)
    expire(services)
    with services.store.write() as session:
        claims.hand_back(session, claimed, services.now())
    again = claim(services)
    assert (again.attempts, again.due) == (1, (TO,))
