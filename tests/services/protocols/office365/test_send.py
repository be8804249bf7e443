"""The Office 365 sender: to the whole envelope, or refused in words."""

import pytest

from services.protocols.base import Envelope, SendDeferred, SendRefused, Verdict
from tests.servers.cloud.contoso import ADDRESS
from tests.services.protocols.office365.graph_desk import Desk, envelope, outgoing
from tests.services.protocols.office365.outgoing import send

FOREIGN = "sales@fabrikam.test"


def test_the_composed_bytes_go_out_to_the_whole_envelope(desk: Desk) -> None:
    replies = send(desk)
    assert desk.delivered == [(("ann@b.test",), outgoing())]
    assert {a: r.verdict for a, r in replies.items()} == {"ann@b.test": Verdict.ACCEPTED}
    assert "request-id" in replies["ann@b.test"].words
    desk.assert_well_behaved()


def test_who_stands_in_the_envelope_alone_becomes_bcc_that_nobody_sees(desk: Desk) -> None:
    replies = send(desk, to=envelope("ann@B.test", "boss@c.test", "x@d.test"))
    assert desk.delivered == [(("ann@b.test", "boss@c.test", "x@d.test"), outgoing())]
    assert list(replies) == ["ann@B.test", "boss@c.test", "x@d.test"]
    assert b"Bcc: boss@c.test,\r\n x@d.test\r\n" in desk.mailbox.sent[0].raw


def test_a_message_to_bcc_alone_goes_out(desk: Desk) -> None:
    send(desk, outgoing("undisclosed-recipients:;"), envelope("boss@c.test"))
    assert [who for who, _raw in desk.delivered] == [("boss@c.test",)]


@pytest.mark.parametrize(
    ("data", "to", "words"),
    [
        (outgoing("ann@b.test, eve@c.test"), envelope(), "eve@c.test"),
        (outgoing().replace(b"Subject", b"Bcc: eve@c.test\r\nSubject"), envelope(), "eve@c.test"),
        (outgoing(), envelope(sender=FOREIGN), FOREIGN),
        (outgoing(), envelope(sender=""), "null sender"),
        (outgoing(sender=f"a@b.test>, <{ADDRESS}"), envelope(), "one address in From"),
        (outgoing(), envelope("ann@b.test", "a b@c.test"), "a b@c.test"),
    ],
)
def test_what_only_an_envelope_can_say_is_refused_in_words(
    desk: Desk, data: bytes, to: Envelope, words: str
) -> None:
    with pytest.raises(SendRefused, match=words):
        send(desk, data, to)
    assert desk.delivered == []


def test_without_the_accounts_address_the_headers_tell_who_may_send(desk: Desk) -> None:
    unknown = Envelope(ADDRESS, ("ann@b.test",), "<one@contoso.test>")
    send(desk, to=unknown)
    with pytest.raises(SendRefused):
        send(desk, outgoing(sender=FOREIGN), unknown)
    assert len(desk.delivered) == 1


def test_a_foreign_from_goes_out_as_itself_through_a_draft(desk: Desk) -> None:
    desk.cloud._state.directory.user_at(ADDRESS).send_as = frozenset({FOREIGN})  # type: ignore[union-attr,misc]
    send(desk, outgoing(sender=FOREIGN), envelope("ann@b.test", "boss@c.test"))
    ((who, raw),) = desk.delivered
    assert who == ("ann@b.test", "boss@c.test")
    assert f"From: Bookings <{FOREIGN}>\r\n".encode() in raw
    assert (desk.calls("sendMail"), desk.mailbox.drafts) == (0, [])


def test_a_foreign_from_without_the_right_is_refused_and_leaves_no_draft(desk: Desk) -> None:
    with pytest.raises(SendRefused, match="ErrorSendAsDenied") as error:
        send(desk, outgoing(sender=FOREIGN))
    assert error.value.field == "email.send_from_match"
    assert (desk.delivered, desk.mailbox.drafts) == ([], [])


def test_a_draft_that_is_not_permitted_puts_off_this_message_alone(desk: Desk) -> None:
    desk.contoso.app.roles = frozenset({"Mail.Send"})
    with desk.sender() as sender:
        with pytest.raises(SendDeferred, match="ErrorAccessDenied"):
            sender.send(envelope(), outgoing(sender=FOREIGN))
        sender.send(envelope(), outgoing())
    assert len(desk.delivered) == 1
