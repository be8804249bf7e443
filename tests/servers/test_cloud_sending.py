"""The loopback cloud's sending: sendMail, drafts, attachments, upload sessions."""

import base64
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
import requests

from tests.servers.cloud.contoso import ADDRESS, TENANT, Contoso

MIME = (
    b"From: Bookings <bookings@contoso.test>\r\nTo: Ann <ann@b.test>\r\n"
    b"Cc: =?utf-8?q?J=C3=BCrgen=2C?= <j@b.test>\r\nBcc: secret@b.test,\r\n ann@b.test\r\n"
    b"Message-ID: <one@contoso.test>\r\nDate: Mon, 02 Nov 2026 12:00:00 +0000\r\n"
    b"Subject: Hello\r\nX-Own: yes\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe\r\n"
)
WITHOUT_BCC = MIME.replace(b"Bcc: secret@b.test,\r\n ann@b.test\r\n", b"")
PLAIN = {"Content-Type": "text/plain"}
FOREIGN = "sales@fabrikam.test"
MIB = 1024 * 1024


@pytest.fixture
def session(contoso: Contoso) -> requests.Session:
    return contoso.signed_in()


def post_mime(session: requests.Session, url: str, raw: bytes = MIME) -> requests.Response:
    return session.post(url, data=base64.encodebytes(raw), headers=PLAIN)


def person(address: str) -> dict[str, Any]:
    return {"emailAddress": {"address": address}}


def error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_mime_goes_to_all_recipients_without_bcc(
    contoso: Contoso, session: requests.Session
) -> None:
    answer = post_mime(session, contoso.url("sendMail"))
    assert (answer.status_code, answer.content) == (202, b"")
    delivery = contoso.mailbox.delivered[0]
    assert delivery.recipients == ("ann@b.test", "j@b.test", "secret@b.test")
    assert delivery.raw == WITHOUT_BCC
    assert [message.raw for message in contoso.mailbox.sent] == [MIME]


def test_the_copy_in_sent_items_may_come_late(contoso: Contoso, session: requests.Session) -> None:
    contoso.cloud.settings.sent_items_delay = 60
    post_mime(session, contoso.url("sendMail"))
    wanted = {"$filter": "internetMessageId eq '<one@contoso.test>'"}
    url = contoso.url("mailFolders/sentitems/messages")
    assert session.get(url, params=wanted).json()["value"] == []
    contoso.mailbox.sent[0].visible_at -= 60
    assert len(session.get(url, params=wanted).json()["value"]) == 1


def test_mail_to_another_user_arrives_there(contoso: Contoso, session: requests.Session) -> None:
    other = contoso.cloud.add_user(TENANT, "0" * 8, "ann@b.test")
    post_mime(session, contoso.url("sendMail"))
    assert [message.raw for message in other.inbox] == [WITHOUT_BCC]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not base64!", 400, "ErrorMimeContentInvalidBase64String"),
        (base64.b64encode(b"Subject: x\r\n\r\n"), 400, "ErrorInvalidRecipients"),
        (base64.b64encode(b"To: ann\r\n\r\n"), 400, "ErrorInvalidRecipients"),
        (b"A" * (4 * MIB + 4), 413, "BadRequest"),
    ],
)
def test_what_is_no_message_is_refused(
    contoso: Contoso, session: requests.Session, body: bytes, status: int, code: str
) -> None:
    answer = session.post(contoso.url("sendMail"), data=body, headers=PLAIN)
    assert error(answer) == (status, code)
    assert contoso.mailbox.delivered == []


def test_a_foreign_from_in_mime_is_replaced_or_denied(
    contoso: Contoso, session: requests.Session
) -> None:
    raw = MIME.replace(b"Bookings <bookings@contoso.test>", FOREIGN.encode())
    assert post_mime(session, contoso.url("sendMail"), raw).status_code == 202
    assert contoso.mailbox.delivered[0].raw == WITHOUT_BCC
    contoso.cloud.settings.mime_from = "denied"
    assert error(post_mime(session, contoso.url("sendMail"), raw)) == (403, "ErrorSendAsDenied")
    assert len(contoso.mailbox.delivered) == 1


def test_x_headers_are_dropped_where_told(contoso: Contoso, session: requests.Session) -> None:
    contoso.cloud.settings.strip_x_headers = True
    post_mime(session, contoso.url("sendMail"))
    assert contoso.mailbox.delivered[0].raw == WITHOUT_BCC.replace(b"X-Own: yes\r\n", b"")


def test_json_is_sent_and_saved_unless_told_not_to(
    contoso: Contoso, session: requests.Session
) -> None:
    message = {
        "subject": "Grüße",
        "body": {"contentType": "HTML", "content": "<p>Hello</p>"},
        "toRecipients": [person("ann@b.test")],
        "bccRecipients": [person("secret@b.test")],
        "internetMessageHeaders": [{"name": "x-own", "value": "yes"}],
        "attachments": [
            {
                "@odata.type": "#microsoft.graph.fileAttachment",
                "name": "a.pdf",
                "contentType": "application/pdf",
                "contentBytes": base64.b64encode(b"%PDF").decode(),
            }
        ],
    }
    for save in (True, False):
        body = {"message": message, "saveToSentItems": save}
        assert session.post(contoso.url("sendMail"), json=body).status_code == 202
    assert (len(contoso.mailbox.delivered), len(contoso.mailbox.sent)) == (2, 1)
    delivery = contoso.mailbox.delivered[0]
    mail = parsed(delivery.raw)
    assert delivery.recipients == ("ann@b.test", "secret@b.test")
    assert (mail["Subject"], mail["Bcc"], mail["x-own"]) == ("Grüße", None, "yes")
    assert mail["From"] == f"Bookings <{ADDRESS}>"
    assert [part.get_content() for part in mail.iter_attachments()] == [b"%PDF"]


def test_json_headers_must_begin_with_x(contoso: Contoso, session: requests.Session) -> None:
    fields = [{"name": "References", "value": "<a@b>"}]
    message = {"toRecipients": [person("ann@b.test")], "internetMessageHeaders": fields}
    answer = session.post(contoso.url("sendMail"), json={"message": message})
    assert error(answer) == (400, "InvalidInternetMessageHeader")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_foreign_from_takes_the_right_to_it(
    contoso: Contoso, session: requests.Session, allowed: bool
) -> None:
    other = contoso.cloud.add_user(
        TENANT, "1" * 8, "other@contoso.test", send_as=[FOREIGN] if allowed else []
    )
    draft = post_mime(session, contoso.url("messages", "1" * 8)).json()
    assert draft["from"]["emailAddress"]["address"] == "other@contoso.test"
    url = contoso.url(f"messages/{draft['id']}", "1" * 8)
    changed = session.patch(url, json={"from": person(FOREIGN)})
    assert changed.json()["from"]["emailAddress"]["address"] == FOREIGN
    answer = session.post(f"{url}/send")
    if allowed:
        assert answer.status_code == 202
        assert parsed(other.delivered[0].raw)["From"] == FOREIGN
    else:
        assert error(answer) == (403, "ErrorSendAsDenied")
        assert other.delivered == []


def test_a_draft_of_mime_becomes_the_sent_copy_with_its_immutable_id(
    contoso: Contoso, session: requests.Session
) -> None:
    answer = post_mime(session, contoso.url("messages"))
    draft = answer.json()
    assert (answer.status_code, draft["isDraft"]) == (201, True)
    assert draft["internetMessageId"] == "<one@contoso.test>"
    assert contoso.mailbox.delivered == []
    url = contoso.url(f"messages/{draft['id']}")
    assert session.post(f"{url}/send").status_code == 202
    assert contoso.mailbox.delivered[0].raw == WITHOUT_BCC
    assert [message.id for message in contoso.mailbox.sent] == [draft["id"]]
    assert contoso.mailbox.drafts == []
    assert session.get(url).json()["isDraft"] is False
    assert error(session.post(f"{url}/send")) == (400, "ErrorInvalidOperation")


def test_a_draft_can_be_deleted(contoso: Contoso, session: requests.Session) -> None:
    draft = session.post(contoso.url("messages"), json={"subject": "x"}).json()
    assert session.delete(contoso.url(f"messages/{draft['id']}")).status_code == 204
    assert contoso.mailbox.drafts == []


def test_only_what_is_known_of_a_draft_can_be_changed(
    contoso: Contoso, session: requests.Session
) -> None:
    draft = session.post(contoso.url("messages"), json={"subject": "x"}).json()
    url = contoso.url(f"messages/{draft['id']}")
    assert error(session.patch(url, json={"body": {}})) == (400, "BadRequest")
    key = contoso.mailbox.deliver(MIME)
    url = contoso.url(f"messages/{key}")
    assert session.patch(url, json={"subject": "x"}).status_code == 403
    assert session.patch(url, json={"isRead": True}).json()["isRead"] is True


def open_upload(session: requests.Session, url: str, size: int) -> requests.Response:
    item = {"attachmentType": "file", "name": "große.bin", "size": size}
    return session.post(f"{url}/attachments/createUploadSession", json={"AttachmentItem": item})


def put(url: str, contoso: Contoso, data: bytes, first: int, total: int) -> requests.Response:
    span = f"bytes {first}-{first + len(data) - 1}/{total}"
    return contoso.session().put(url, data=data, headers={"Content-Range": span})


def test_small_and_large_files_are_attached_and_sent(
    contoso: Contoso, session: requests.Session
) -> None:
    draft = post_mime(session, contoso.url("messages")).json()
    url = contoso.url(f"messages/{draft['id']}")
    small = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": "small.txt",
        "contentBytes": base64.b64encode(b"small").decode(),
        "isInline": False,
    }
    assert session.post(f"{url}/attachments", json=small).status_code == 201
    large, half = bytes(range(256)) * (3 * 4096 + 1), 2 * MIB
    opened = open_upload(session, url, len(large))
    assert (opened.status_code, opened.json()["nextExpectedRanges"]) == (201, ["0-"])
    upload = opened.json()["uploadUrl"]
    assert upload.startswith(contoso.cloud.upload_url)
    first = put(upload, contoso, large[:half], 0, len(large))
    assert (first.status_code, first.json()["nextExpectedRanges"]) == (200, [str(half)])
    again = put(upload, contoso, large[:half], 0, len(large))
    assert error(again) == (416, "InvalidRange")
    assert contoso.session().get(upload).json()["nextExpectedRanges"] == [str(half)]
    last = put(upload, contoso, large[half:], half, len(large))
    assert (last.status_code, last.content) == (201, b"")
    assert "/Attachments('" in last.headers["Location"]
    assert session.post(f"{url}/send").status_code == 202
    mail = parsed(contoso.mailbox.delivered[0].raw)
    files = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert files == {"small.txt": b"small", "große.bin": large}
    assert mail["Message-ID"] == "<one@contoso.test>"
    assert contoso.cloud.foreign_hosts_with_token == []


def test_an_upload_url_takes_no_token_and_no_wrong_range(
    contoso: Contoso, session: requests.Session
) -> None:
    contoso.cloud.settings.upload_minimum = 4
    draft = post_mime(session, contoso.url("messages")).json()
    url = contoso.url(f"messages/{draft['id']}")
    upload = open_upload(session, url, 10).json()["uploadUrl"]
    answer = session.put(upload, data=b"0123", headers={"Content-Range": "bytes 0-3/10"})
    assert error(answer) == (401, "InvalidAuthenticationToken")
    assert [entry.host for entry in contoso.cloud.foreign_hosts_with_token] == ["upload"]
    assert error(put(upload, contoso, b"4567", 4, 10)) == (416, "InvalidRange")
    assert error(put(upload, contoso, b"0123", 0, 11)) == (400, "ErrorInvalidRequest")
    assert error(put(f"{upload}x", contoso, b"0123", 0, 10))[0] == 401
    assert contoso.session().delete(upload).status_code == 204
    assert error(put(upload, contoso, b"0123", 0, 10)) == (404, "ErrorItemNotFound")


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (3 * MIB - 1, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"),
        (150 * MIB + 1, "ErrorAttachmentSizeLimitExceeded"),
    ],
)
def test_an_upload_session_is_for_large_files(
    contoso: Contoso, session: requests.Session, size: int, code: str
) -> None:
    draft = post_mime(session, contoso.url("messages")).json()
    answer = open_upload(session, contoso.url(f"messages/{draft['id']}"), size)
    assert error(answer) == (400, code)


def test_the_tenants_limit_is_judged_at_the_end(
    contoso: Contoso, session: requests.Session
) -> None:
    contoso.cloud.settings.message_limit = len(MIME) - 1
    draft = post_mime(session, contoso.url("messages")).json()
    answer = session.post(contoso.url(f"messages/{draft['id']}/send"))
    assert error(answer) == (413, "ErrorMessageSizeExceeded")
    assert contoso.mailbox.delivered == []
