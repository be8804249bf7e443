"""Sending that must wait or ends: told, and each message sent once."""

import pytest

from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.protocols.base import SendDeferred, SendFailure, SendRefused
from tests.servers.cloud.faults import Fault
from tests.servers.process import as_soon_as
from tests.services.protocols.office365.graph_desk import Desk, envelope, outgoing
from tests.services.protocols.office365.outgoing import send


@pytest.mark.parametrize(("status", "as_date"), [(429, False), (503, True)])
def test_a_storm_is_waited_out_told_and_sends_once(desk: Desk, status: int, as_date: bool) -> None:
    desk.cloud.fail("sendMail", Fault(status=status, retry_after=1, as_date=as_date), times=2)
    send(desk)
    assert len(desk.delivered) == 1
    assert desk.cloud.early_retries == []
    assert desk.cloud.requests_while_throttled == []
    assert all(said.startswith("waiting ") for said in desk.said)
    assert len(desk.said) == 2


def test_a_long_pause_is_left_to_the_outbox_with_its_time(desk: Desk) -> None:
    desk.cloud.fail("sendMail", Fault(status=429, retry_after=900))
    with desk.sender() as sender:
        for _ in range(2):
            with pytest.raises(SendDeferred, match="throttling") as error:
                sender.send(envelope(), outgoing())
            assert 895 < (error.value.retry_after or 0) <= 900
    assert desk.calls("sendMail") == 1


def test_a_cancel_while_waiting_has_sent_nothing(desk: Desk) -> None:
    desk.cloud.fail("sendMail", Fault(status=429, retry_after=3))
    as_soon_as(lambda: desk.said, desk.cancel.cancel)
    with pytest.raises(Cancelled):
        send(desk)
    assert desk.delivered == []


def test_a_bad_address_is_named_and_the_connection_goes_on(desk: Desk) -> None:
    with desk.sender() as sender:
        with pytest.raises(SendRefused, match="'ann' is not resolved"):
            sender.send(envelope("ann"), outgoing("ann"))
        sender.send(envelope(), outgoing())
    assert len(desk.delivered) == 1


def test_an_app_that_may_not_send_is_the_accounts_trouble(desk: Desk) -> None:
    desk.contoso.app.roles = frozenset({"Mail.Read"})
    with pytest.raises(LoginRefused, match="ErrorAccessDenied") as error:
        send(desk)
    assert not isinstance(error.value, SendFailure)


def test_a_token_that_has_ended_is_renewed_once_and_the_message_sent_once(desk: Desk) -> None:
    with desk.sender() as sender:
        desk.cloud.expire_tokens()
        sender.send(envelope(), outgoing())
    assert (len(desk.delivered), desk.cloud.token_requests) == (1, 2)


def test_a_token_that_is_never_accepted_is_not_asked_for_for_ever(desk: Desk) -> None:
    desk.cloud.fail("sendMail", Fault(status=401, code="InvalidAuthenticationToken"), times=None)
    with pytest.raises(LoginRefused, match="InvalidAuthenticationToken"):
        send(desk)
    assert (desk.calls("sendMail"), desk.cloud.token_requests) == (2, 2)


def test_a_service_out_of_reach_defers(desk: Desk) -> None:
    with desk.sender() as sender:
        desk.cloud.close()
        with pytest.raises(SendDeferred, match=r"refuses connections|broke"):
            sender.send(envelope(), outgoing())


def test_opening_without_a_network_says_which_host(desk: Desk) -> None:
    desk.cloud.close()
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1"):
        desk.sender()
