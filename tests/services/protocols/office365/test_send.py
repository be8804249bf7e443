"""The Office 365 sender against the loopback cloud: each message exactly once, or in doubt."""

import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal

import pytest

from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.protocols.base import (
    Envelope,
    Reply,
    SendDeferred,
    SendFailure,
    SendRefused,
    SendUncertain,
    Verdict,
)
from services.protocols.office365_mime import take_apart
from tests.servers.cloud.contoso import ADDRESS, Contoso
from tests.servers.cloud.faults import Fault
from tests.services.protocols.office365.graph_desk import Desk, envelope, outgoing

FOREIGN = "sales@fabrikam.test"


@pytest.fixture
def desk(contoso: Contoso) -> Desk:
    return Desk(contoso)


def send(desk: Desk, data: bytes | None = None, to: Envelope | None = None) -> dict[str, Reply]:
    with desk.sender() as sender:
        return sender.send(to or envelope(), data or outgoing())


def with_files(*sizes: int, kind: str = "application/pdf") -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"] = ADDRESS, "ann@b.test"
    message["Subject"], message["Message-ID"] = "Grüße", "<one@contoso.test>"
    message.set_content("Grüße\r\n" * 3)
    for number, size in enumerate(sizes):
        data = bytes(range(256)) * (size // 256 + 1)
        main, _, sub = kind.partition("/")
        message.add_attachment(data[:size], maintype=main, subtype=sub, filename=f"{number}ä.pdf")
    return message.as_bytes()


def attachments(raw: bytes) -> list[tuple[str | None, int]]:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return [(part.get_filename(), len(part.get_content())) for part in message.iter_attachments()]


# ------------------------------------------------------------------ what goes out


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


# ------------------------------------------------------------------ large messages


def test_a_message_of_just_one_request_goes_whole(desk: Desk) -> None:
    data = outgoing(body="x" * 2_900_000)
    send(desk, data)
    assert desk.delivered == [(("ann@b.test",), data)]


def test_a_large_message_goes_as_a_draft_with_its_files_apart(desk: Desk) -> None:
    send(desk, with_files(400_000, 9_000_000, 2_000_000), envelope("ann@b.test", "boss@c.test"))
    ((who, raw),) = desk.delivered
    assert who == ("ann@b.test", "boss@c.test")
    assert attachments(raw) == [("0ä.pdf", 400_000), ("1ä.pdf", 9_000_000), ("2ä.pdf", 2_000_000)]
    parsed = message_from_bytes(raw, policy=policy.default)
    assert (parsed["Message-ID"], parsed["Subject"], parsed["Bcc"]) == (
        "<one@contoso.test>",
        "Grüße",
        None,
    )
    assert desk.calls("sendMail") == 0
    puts = [entry for entry in desk.cloud.requests if entry.host == "upload"]
    assert len(puts) == 3
    assert all(entry.size < 4_000_000 for entry in puts)
    desk.assert_well_behaved()


def test_a_limit_below_the_documented_one_leads_to_the_draft(desk: Desk) -> None:
    desk.cloud.settings.request_limit = 1_500_000
    send(desk, with_files(900_000, 300_000))
    assert attachments(desk.delivered[0][1]) == [("0ä.pdf", 900_000), ("1ä.pdf", 300_000)]


def test_the_tenants_limit_is_named_and_nothing_stays_behind(desk: Desk) -> None:
    desk.cloud.settings.message_limit = 1_000_000
    for data in (with_files(1_500_000), with_files(4_000_000)):
        with pytest.raises(SendRefused, match="ErrorMessageSizeExceeded"):
            send(desk, data)
    assert (desk.delivered, desk.mailbox.drafts) == ([], [])


@pytest.mark.parametrize("data", [outgoing(body="x" * 3_100_000), None])
def test_what_cannot_be_taken_apart_is_refused_in_words(desk: Desk, data: bytes | None) -> None:
    signed = with_files(4_000_000).replace(b"multipart/mixed", b"multipart/signed", 1)
    with pytest.raises(SendRefused, match="taken apart"):
        send(desk, data or signed)
    assert desk.calls("messages") == 0


def test_taken_apart_both_parts_keep_their_bytes() -> None:
    inner = (
        b"From: a@b.test\r\nX-Odd:two  spaces \r\nX-Eight: \xe4\xff\r\nX-Folded:\r\n\t here\r\n"
        b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\n\xffline\r\n.\r\n--i--\r\n"
    )
    head = (
        b"From: me@b.test\r\nSubject:  =?utf-8?q?=C3=A4?=\r\n =?utf-8?q?=C3=B6?=\r\nX-A:b\r\n"
        b'Content-Type: multipart/mixed;\r\n boundary="o"\r\n\r\n'
    )
    text = b"--o\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
    attached = b"--o\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--o--\r\n"
    rest, (file,) = take_apart(head + text + attached)
    assert rest == head + text + b"--o--\r\n"
    assert (file.name, file.media_type, file.data) == ("message.eml", "message/rfc822", inner)


def test_inline_pictures_are_taken_out_with_their_content_id() -> None:
    head = b'Content-Type: multipart/related; boundary="o"\r\n\r\n'
    html = b"--o\r\nContent-Type: text/html\r\n\r\n<img src=cid:1@x>\r\n"
    picture = (
        b"--o\r\nContent-Type: image/png\r\nContent-ID: <1@x>\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0=\r\n--o--\r\n"
    )
    rest, (file,) = take_apart(head + html + picture)
    assert rest == head + html + b"--o--\r\n"
    assert (file.name, file.content_id, file.data) == ("attachment", "1@x", b"\x89PNG\r")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop="before"),
        Fault(drop="after"),
        Fault(status=500),
        Fault(status=429, retry_after=1),
        Fault(status=503, retry_after=1, as_date=True),
    ],
)
def test_an_upload_goes_on_where_it_stopped(desk: Desk, fault: Fault) -> None:
    desk.cloud.fail("AttachmentSessions", fault, host="upload", skip=1)
    send(desk, with_files(9_000_000))
    assert attachments(desk.delivered[0][1]) == [("0ä.pdf", 9_000_000)]
    desk.assert_well_behaved()


@pytest.mark.parametrize("part", ["messages$", "attachments$", "createUploadSession", "Sessions"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_trouble_before_the_draft_is_sent_defers_it_and_leaves_nothing(
    desk: Desk, part: str, when: Literal["before", "after"]
) -> None:
    desk.cloud.fail(part, Fault(drop=when), method="PUT" if part == "Sessions" else "POST", times=9)
    with pytest.raises(SendDeferred):
        send(desk, with_files(4_000_000, 100_000))
    assert (desk.delivered, desk.mailbox.drafts) == ([], [])
    desk.cloud.heal()
    send(desk, with_files(4_000_000, 100_000))
    assert len(desk.delivered) == 1


# ------------------------------------------------------------------ doubt


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
    desk.cloud.fail("sendMail", Fault(hang=20))
    threading.Timer(0.4, desk.cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(SendUncertain):
        send(desk)
    assert time.monotonic() - started < 1.5


def test_a_connection_that_idled_away_sends_once(desk: Desk) -> None:
    with desk.sender() as sender:
        sender.send(envelope(), outgoing())
        desk.cloud.drop_connections()
        time.sleep(0.1)
        sender.send(envelope(), outgoing())
    assert len(desk.delivered) == 2


# ------------------------------------------------------------------ refusals and waits


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
    threading.Timer(0.3, desk.cancel.cancel).start()
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
