"""Graph's sendMail, and what becomes of a message that leaves a mailbox."""

import base64
import binascii
from typing import Any

from tests.servers.cloud import mime
from tests.servers.cloud.mailbox import Delivery
from tests.servers.cloud.mime import Attachment
from tests.servers.cloud.state import Call, GraphError, State
from tests.servers.cloud.wire import Reply

_DENIED = (
    "The user account which was used to submit this request does not have the right to send mail "
    "on behalf of the specified sending account., Cannot submit message."
)


def send_mail(call: Call) -> Reply:
    """Answer POST sendMail, with MIME or JSON: 202 and nothing else."""
    if is_mime(call):
        raw, save = from_mime(call), True
    else:
        wrapped = {key.casefold(): value for key, value in call.json().items()}
        message = wrapped.get("message")
        if not isinstance(message, dict):
            raise GraphError(400, "ErrorInvalidRequest", "The parameter 'Message' is missing.")
        raw, save = from_json(call, message), wrapped.get("savetosentitems") is not False
    dispatch(call, raw)
    if save:
        visible_at = call.state.sent_visible_at()
        call.user.mailbox.store(raw, "sentitems", visible_at=visible_at)
    return Reply(202)


def is_mime(call: Call) -> bool:
    """Tell whether the body is MIME in Base64 rather than JSON."""
    return call.request.headers.get_content_type() == "text/plain"


def from_mime(call: Call) -> bytes:
    """Return the MIME of the body as Exchange takes it."""
    try:
        raw = base64.b64decode(b"".join(call.request.body.split()), validate=True)
    except binascii.Error:
        text = "Invalid base64 string for MIME content."
        raise GraphError(400, "ErrorMimeContentInvalidBase64String", text) from None
    raw = _own_from(call, raw)
    if call.state.settings.strip_x_headers:
        raw = mime.without(raw, "x-*")
    return mime.with_identity(raw, _domain(call))


def from_json(call: Call, message: dict[str, Any]) -> bytes:
    """Return the MIME of a JSON message, its files included."""
    files = message.get("attachments") or []
    raw = mime.with_attachments(mime.compose(message), [attachment(file) for file in files])
    raw = mime.with_header(raw, "From", _own_address(call))
    return mime.with_identity(applied(raw, message), _domain(call))


def applied(raw: bytes, message: dict[str, Any]) -> bytes:
    """Return the message with its headers changed as the JSON says, or fail as Graph does."""
    extra = message.get("internetMessageHeaders") or []
    for name in (str(field["name"]) for field in extra):
        if not name.casefold().startswith("x-"):
            text = f"The internet message header name '{name}' should start with 'x-' or 'X-'."
            raise GraphError(400, "InvalidInternetMessageHeader", text)
    try:
        return mime.apply(raw, message)
    except ValueError as error:
        raise _unresolved(str(error)) from None


def attachment(file: dict[str, Any]) -> Attachment:
    """Return a fileAttachment of Graph's JSON."""
    try:
        data = base64.b64decode(file["contentBytes"], validate=True)
        name = file["name"]
    except (KeyError, binascii.Error):
        raise GraphError(400, "ErrorInvalidRequest", "The attachment is not valid.") from None
    kind = file.get("contentType") or "application/octet-stream"
    return Attachment(name, kind, data, file.get("contentId"), bool(file.get("isInline")))


def dispatch(call: Call, raw: bytes) -> None:
    """Send the message to those in To, Cc and Bcc, who get it without Bcc."""
    _judge_author(call, raw)
    fields = ("To", "Cc", "Bcc")
    recipients = [address for name in fields for _, address in mime.addresses(raw, name)]
    _judge_recipients(recipients)
    if len(raw) > call.state.settings.message_limit:
        text = "The message exceeds the maximum supported size."
        raise GraphError(413, "ErrorMessageSizeExceeded", text)
    delivery = Delivery(tuple(dict.fromkeys(recipients)), mime.without(raw, "Bcc"))
    call.user.mailbox.delivered.append(delivery)
    _deliver_here(call.state, delivery)


def _deliver_here(state: State, delivery: Delivery) -> None:
    for address in delivery.recipients:
        if (user := state.directory.user_at(address)) is not None:
            user.mailbox.store(delivery.raw, "inbox")


def _own_from(call: Call, raw: bytes) -> bytes:
    """Judge the From of MIME, which Exchange is reported to replace where it is foreign."""
    authors = [address.casefold() for _, address in mime.addresses(raw, "From")]
    if authors == [call.user.address.casefold()]:
        return raw
    if authors and call.state.settings.mime_from == "denied":
        raise GraphError(403, "ErrorSendAsDenied", _DENIED)
    return mime.with_header(raw, "From", _own_address(call))


def _judge_author(call: Call, raw: bytes) -> None:
    allowed = {call.user.address.casefold(), *call.user.send_as}
    if any(address.casefold() not in allowed for _, address in mime.addresses(raw, "From")):
        raise GraphError(403, "ErrorSendAsDenied", _DENIED)


def _judge_recipients(recipients: list[str]) -> None:
    if not recipients:
        text = (
            "At least one recipient is not valid., A message can't be sent because it contains "
            "no recipients."
        )
        raise GraphError(400, "ErrorInvalidRecipients", text)
    for address in recipients:
        if "@" not in address:
            raise _unresolved(address)


def _unresolved(address: str) -> GraphError:
    text = (
        f"At least one recipient is not valid., Recipient '{address}' is not resolved. "
        "All recipients must be resolved before a message can be submitted."
    )
    return GraphError(400, "ErrorInvalidRecipients", text)


def _own_address(call: Call) -> str:
    return mime.mailbox_text(call.user.mailbox.name, call.user.address)


def _domain(call: Call) -> str:
    return call.user.address.rpartition("@")[2]
