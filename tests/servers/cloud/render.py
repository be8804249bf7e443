"""A message as Graph's JSON resource `message`."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.servers.cloud import clock, mime
from tests.servers.cloud.mailbox import Message
from tests.servers.cloud.state import Call, GraphError

SIZE_PROPERTY = "Integer 0xe08"
"""The id under which Graph returns PidTagMessageSize, MS-OXPROPS 2.797."""


def message(call: Call, found: Message, select: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the message's properties, all or those selected; the id is always there."""
    names = select if select is not None else [n for n in _PROPERTIES if n not in _ON_REQUEST]
    etag = f'W/"CQAAABYAAAA{found.changed}"'
    shown = {"@odata.etag": etag} | {name: _PROPERTIES[name](found) for name in names}
    if "$expand" in call.request.query:
        shown["singleValueExtendedProperties"] = size(found)
    return shown | {"id": identity(call, found)}


def identity(call: Call, found: Message) -> str:
    """Return the id of the kind that the request prefers."""
    return found.id if call.immutable else found.rest_id


def selection(query: dict[str, str]) -> list[str] | None:
    """Return the properties that $select names; None for all."""
    if not query.get("$select"):
        return None
    names = [name.strip() for name in query["$select"].split(",")]
    for name in names:
        if name not in _PROPERTIES and name != "id":
            text = (
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name}' on type 'microsoft.graph.message'."
            )
            raise GraphError(400, "RequestBroker--ParseUri", text)
    return [name for name in names if name != "id"]


def size(found: Message) -> list[dict[str, str]]:
    """Return the extended property with the message's size."""
    return [{"id": SIZE_PROPERTY, "value": str(len(found.raw))}]


def _people(found: Message, name: str) -> list[dict[str, Any]]:
    return [
        {"emailAddress": {"name": text or address, "address": address}}
        for text, address in mime.addresses(found.raw, name)
    ]


def _person(found: Message, name: str) -> dict[str, Any] | None:
    return next(iter(_people(found, name)), None)


def _body(found: Message) -> dict[str, str]:
    kind, content = mime.body(found.raw)
    return {"contentType": kind, "content": content}


def _headers(found: Message) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in mime.headers(found.raw)]


def _has_attachments(found: Message) -> bool:
    kind = (mime.header(found.raw, "Content-Type") or "").casefold()
    return bool(found.attachments) or kind.startswith("multipart/mixed")


_PROPERTIES: dict[str, Callable[[Message], Any]] = {
    "createdDateTime": lambda m: clock.stamp(m.received),
    "lastModifiedDateTime": lambda m: clock.stamp(m.received),
    "changeKey": lambda m: f"CQAAABYAAAA{m.changed}",
    "categories": lambda m: [],
    "receivedDateTime": lambda m: clock.stamp(m.received),
    "sentDateTime": lambda m: clock.stamp(m.received),
    "hasAttachments": _has_attachments,
    "internetMessageId": lambda m: m.message_id,
    "subject": lambda m: mime.decoded(mime.header(m.raw, "Subject") or ""),
    "bodyPreview": lambda m: mime.body(m.raw)[1][:255],
    "importance": lambda m: "normal",
    "parentFolderId": lambda m: folder_id(m.folder),
    "conversationId": lambda m: f"AAQkADk0MGFkODE3{m.number}=",
    "isRead": lambda m: m.is_read,
    "isDraft": lambda m: m.is_draft,
    "body": _body,
    "sender": lambda m: _person(m, "Sender") or _person(m, "From"),
    "from": lambda m: _person(m, "From"),
    "toRecipients": lambda m: _people(m, "To"),
    "ccRecipients": lambda m: _people(m, "Cc"),
    "bccRecipients": lambda m: _people(m, "Bcc"),
    "replyTo": lambda m: _people(m, "Reply-To"),
    "internetMessageHeaders": _headers,
}
_ON_REQUEST = {"internetMessageHeaders"}


def folder_id(folder: str) -> str:
    """Return the opaque id of a folder."""
    return f"AQMkADk0MGFkODE3LWE4MmYAAA{folder.encode().hex()}AAAA="
