"""What an admin decides about a message: resend, mark as sent, cancel."""

from datetime import timedelta
from typing import Any

import pytest

from models.outbox import OutboxState, RecipientState
from services.bootstrap import Services
from services.errors import InUse, NotFound
from services.protocols.base import Verdict
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


def uncertain(services: Services, clock: Clock, **fields: Any) -> int:
    message = services.outbox.accept(mail(**fields))
    claim(services)
    clock.forward(seconds=100)
    expire(services)
    return message.id


def test_resend_goes_out_anew_under_the_same_message_id(services: Services, clock: Clock) -> None:
    which = uncertain(services, clock)
    before = services.outbox.get(which)
    after = services.outbox.resend(which)
    assert (after.state, after.attempts, after.message_id) == (
        OutboxState.QUEUED,
        0,
        before.message_id,
    )
    assert (before.last_error != "", after.last_error) == (True, "")
    assert after.give_up_at == services.now() + timedelta(days=5)
    assert claim(services).due == (TO,)


def test_resend_spares_those_who_have_it(services: Services) -> None:
    message = services.outbox.accept(mail(cc=("berta@agent.test",)))
    claimed = claim(services)
    record(
        services, claimed, settled(services, claimed, anna=Verdict.ACCEPTED, berta=Verdict.REFUSED)
    )
    services.outbox.resend(message.id)
    assert claim(services).due == ("berta@agent.test",)


def test_mark_sent_settles_an_uncertain_message_only(services: Services, clock: Clock) -> None:
    which = uncertain(services, clock)
    shown = services.outbox.mark_sent(which)
    assert (shown.state, shown.recipients[0].state) == (OutboxState.SENT, RecipientState.SENT)
    assert services.actor.who in shown.last_error
    with pytest.raises(InUse):
        services.outbox.mark_sent(which)


def test_cancel_keeps_a_queued_message_from_going_out(services: Services, clock: Clock) -> None:
    message = services.outbox.accept(mail())
    assert services.outbox.cancel(message.id).state is OutboxState.CANCELLED
    clock.forward(days=1)
    assert nothing_due(services)


@pytest.mark.parametrize("verb", ["resend", "mark_sent", "cancel"])
def test_what_is_being_sent_is_left_alone(services: Services, verb: str) -> None:
    message = services.outbox.accept(mail())
    claim(services)
    with pytest.raises(InUse, match="being sent"):
        getattr(services.outbox, verb)(message.id)


@pytest.mark.parametrize("verb", ["resend", "cancel"])
def test_what_was_sent_stays_sent(services: Services, verb: str) -> None:
    message = services.outbox.accept(mail())
    claimed = claim(services)
    record(services, claimed, settled(services, claimed, anna=Verdict.ACCEPTED))
    with pytest.raises(InUse, match="sent"):
        getattr(services.outbox, verb)(message.id)
    assert services.outbox.get(message.id).sent_at == services.now()


@pytest.mark.parametrize("verb", ["get", "raw", "resend", "mark_sent", "cancel"])
def test_an_unknown_number_is_told(services: Services, verb: str) -> None:
    with pytest.raises(NotFound):
        getattr(services.outbox, verb)(7)
    with pytest.raises(NotFound):
        getattr(services.outbox, verb)(10**30)
