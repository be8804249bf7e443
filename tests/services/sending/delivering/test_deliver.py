"""The outbox worked off through real SMTP servers."""

import pytest

from models.outbox import OutboxState, RecipientState
from services.bootstrap import Services
from services.cancel import Cancel
from services.errors import Cancelled
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from tests.servers.postfix import GREYLISTED_DOMAIN, REFUSED_DOMAIN, Postfix
from tests.servers.process import as_soon_as
from tests.servers.smtp import SmtpServer
from tests.services.sending.delivering.sent_mail import PASSWORD, USER, account, queue, run
from tests.stores import Clock


def test_everything_due_goes_out_over_one_connection(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    ids = [queue(services, "a@b.test", bcc=(f"hidden{n}@c.test",)) for n in range(5)]
    assert run(services) == Tally(sent=5)
    assert server.connections == 1
    assert [mail.recipients for mail in server.mails] == [
        ("a@b.test", f"hidden{n}@c.test") for n in range(5)
    ]
    assert all(mail.sender == "office@example.com" for mail in server.mails)
    for which, mail in zip(ids, server.mails, strict=True):
        assert mail.content == services.outbox.raw(which)
        assert services.outbox.get(which).state is OutboxState.SENT
    assert run(services) == Tally()
    assert services.connections.gauge() == []


def test_through_postfix_every_recipient_gets_its_own_outcome(
    services: Services, clock: Clock, postfix: Postfix, recipient: str
) -> None:
    postfix.add_user(USER, PASSWORD)
    account(services, postfix.port)
    which = queue(services, recipient, f"x@{REFUSED_DOMAIN}", f"y@{GREYLISTED_DOMAIN}")
    assert run(services) == Tally(queued=1)
    shown = services.outbox.get(which)
    assert [(one.state, one.reply[:3]) for one in shown.recipients] == [
        (RecipientState.SENT, "250"),
        (RecipientState.FAILED, "550"),
        (RecipientState.DUE, "451"),
    ]
    clock.forward(minutes=2)
    assert run(services) == Tally(queued=1)
    assert len(postfix.wait_for(recipient)) == 1
    assert services.outbox.get(which).attempts == 2
    clock.forward(days=5)
    assert run(services) == Tally(failed=1)
    assert "Given up after 5 days" in services.outbox.get(which).last_error


def test_a_refused_message_does_not_hold_up_the_others(
    services: Services, server: SmtpServer
) -> None:
    server.script.recipients["gone@b.test"] = "550 5.1.1 unknown"
    account(services, server.port)
    refused, sent = queue(services, "gone@b.test"), queue(services)
    assert run(services) == Tally(sent=1, failed=1)
    assert "550 5.1.1 unknown" in services.outbox.get(refused).last_error
    assert services.outbox.get(sent).state is OutboxState.SENT
    assert server.connections == 1


def test_a_deferred_message_does_not_hold_up_the_others(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    queue(services)
    server.script.replies["DATA"] = "451 4.3.0 later"
    assert run(services) == Tally(queued=1)
    server.script.replies.clear()
    queue(services)
    assert run(services) == Tally(sent=1)


def test_an_unanswered_final_dot_is_uncertain_and_not_sent_again(
    services: Services, clock: Clock, server: SmtpServer
) -> None:
    server.script.drops.add("DOT")
    account(services, server.port)
    which = queue(services)
    assert run(services) == Tally(uncertain=1)
    server.script.drops.clear()
    clock.forward(days=1)
    assert run(services) == Tally()
    assert services.outbox.get(which).recipients[0].state is RecipientState.UNCERTAIN
    services.outbox.resend(which)
    assert run(services) == Tally(sent=1)
    assert services.outbox.get(which).message_id.encode() in server.mails[0].content


def test_only_one_message_is_tried_once_whether_due_or_not(
    services: Services, server: SmtpServer
) -> None:
    account(services, server.port)
    first, second = queue(services), queue(services)
    server.script.recipients["anna@agent.test"] = "451 4.3.0 later"
    assert run(services, second) == Tally(queued=1)
    assert run(services, second) == Tally(queued=1)
    assert services.outbox.get(second).attempts == 2
    server.script.recipients.clear()
    assert run(services, second) == Tally(sent=1)
    assert run(services, second) == Tally()
    assert services.outbox.get(first).attempts == 0


def test_cancel_hands_the_message_back_untried(services: Services, server: SmtpServer) -> None:
    server.script.hangs["MAIL"] = 30
    account(services, server.port)
    which = queue(services)
    cancel = Cancel()
    as_soon_as(lambda: "MAIL" in server.reached, cancel.cancel)
    with pytest.raises(Cancelled):
        run(services, cancel=cancel)
    shown = services.outbox.get(which)
    assert (shown.state, shown.attempts) == (OutboxState.QUEUED, 0)
    assert services.connections.gauge() == []
    server.script.hangs.clear()
    assert run(services) == Tally(sent=1)


def test_a_stop_is_heeded_between_two_messages(services: Services, server: SmtpServer) -> None:
    account(services, server.port)
    for _ in range(5):
        queue(services)
    tally = services.outbox.run_due(
        Surroundings(services.config), stop=lambda: len(server.mails) >= 2
    )
    assert tally == Tally(sent=2)
    assert services.outbox.counts()[OutboxState.QUEUED] == 3
