"""Messages too large for one request: a draft, its files apart, nothing left behind."""

from email import message_from_bytes, policy
from typing import Literal

import pytest

from services.protocols.base import SendDeferred, SendRefused
from services.protocols.office365_mime import take_apart
from tests.servers.cloud.faults import Fault
from tests.services.protocols.office365.graph_desk import Desk, envelope, outgoing
from tests.services.protocols.office365.outgoing import attachments, send, with_files


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
