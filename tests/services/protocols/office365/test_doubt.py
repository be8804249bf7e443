"""Answers that do not come: found in Sent Items, or in doubt."""

import time
from dataclasses import replace

import pytest

from services.protocols.base import SendUncertain
from tests.servers.cloud.faults import Fault
from tests.servers.process import as_soon_as
from tests.services.protocols.office365.graph_desk import SWIFT, Desk, envelope, outgoing
from tests.services.protocols.office365.outgoing import send, with_files


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop="after"),
        Fault(status=504, after_work=True),
        Fault(status=500, after_work=True),
        Fault(status=200, after_work=True),
        Fault(hang=8, after_work=True, status=504),
    ],
)
@pytest.mark.parametrize("draft", [False, True])
def test_what_was_sent_without_a_word_is_found_in_sent_items(
    desk: Desk, fault: Fault, draft: bool
) -> None:
    desk.patience = replace(SWIFT, submit=1)
    desk.cloud.settings.sent_items_delay = 0.1
    desk.cloud.fail("send(Mail)?$", fault)
    replies = send(desk, with_files(3_500_000) if draft else None)
    assert "found in Sent Items" in replies["ann@b.test"].words
    assert len(desk.delivered) == 1
    assert desk.calls("sendMail") + desk.calls("/send") == (1 if draft else 2)


@pytest.mark.parametrize(
    "fault", [Fault(drop="before"), Fault(status=504), Fault(status=500), Fault(status=200)]
)
def test_what_is_not_there_stays_uncertain_and_is_not_sent_again(desk: Desk, fault: Fault) -> None:
    desk.cloud.fail("sendMail", fault)
    with pytest.raises(SendUncertain, match="did not confirm"):
        send(desk)
    assert (desk.delivered, desk.calls("sendMail")) == ([], 1)
    assert desk.calls("sentitems") == 4


def test_where_sent_items_cannot_be_read_it_is_uncertain(desk: Desk) -> None:
    desk.contoso.app.roles = frozenset({"Mail.Send"})
    desk.cloud.fail("sendMail", Fault(drop="after"))
    with pytest.raises(SendUncertain):
        send(desk)
    assert len(desk.delivered) == 1


def test_a_cancel_while_the_message_is_handed_over_leaves_it_uncertain_at_once(
    desk: Desk,
) -> None:
    rule = desk.cloud.fail("sendMail", Fault(hang=20))
    as_soon_as(lambda: rule.hits, desk.cancel.cancel)
    started = time.monotonic()
    with pytest.raises(SendUncertain):
        send(desk)
    assert time.monotonic() - started < 5


def test_a_connection_that_idled_away_sends_once(desk: Desk) -> None:
    with desk.sender() as sender:
        sender.send(envelope(), outgoing())
        desk.cloud.drop_connections()
        time.sleep(0.1)
        sender.send(envelope(), outgoing())
    assert len(desk.delivered) == 2
