"""Graph's drafts: made, changed, given attachments, sent, deleted."""

from tests.servers.cloud import mime, reading, render, sending
from tests.servers.cloud.mailbox import Message
from tests.servers.cloud.state import Call, GraphError
from tests.servers.cloud.wire import Reply

_CHANGEABLE = {
    *mime.ADDRESS_FIELDS,
    "subject",
    "internetMessageId",
    "internetMessageHeaders",
    "isRead",
}


def create(call: Call) -> Reply:
    """Answer POST messages, with MIME or JSON: a draft."""
    raw = sending.from_mime(call) if sending.is_mime(call) else sending.from_json(call, call.json())
    draft = call.user.mailbox.store(raw, "drafts", is_draft=True)
    return _shown(call, draft, 201)


def change(call: Call) -> Reply:
    """Answer PATCH messages/{id}; the header fields only of a draft."""
    found, wanted = reading.require(call, call.item), call.json()
    if unknown := set(wanted) - _CHANGEABLE:
        raise GraphError(400, "BadRequest", f"The cloud of the tests cannot change {min(unknown)}.")
    if not found.is_draft and set(wanted) - {"isRead"}:
        text = "Update is not allowed for this property on a message that is no draft."
        raise GraphError(403, "ErrorInvalidPropertySet", text)
    found.raw = sending.applied(found.raw, wanted)
    found.is_read = bool(wanted.get("isRead", found.is_read))
    call.user.mailbox.edit(found)
    return _shown(call, found, 200)


def attach(call: Call) -> Reply:
    """Answer POST messages/{id}/attachments with a small file."""
    draft, wanted = require_draft(call), call.json()
    if wanted.get("@odata.type") != "#microsoft.graph.fileAttachment":
        raise GraphError(400, "BadRequest", "The type of the attachment is missing or unknown.")
    file = sending.attachment(wanted)
    draft.attachments.append(file)
    call.user.mailbox.edit(draft)
    body = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "id": f"{draft.id}{len(draft.attachments)}=",
        "name": file.name,
        "contentType": file.content_type,
        "size": len(file.data),
    }
    return Reply.of(201, body)


def send(call: Call) -> Reply:
    """Answer POST messages/{id}/send: 202, and the draft becomes the copy in Sent Items."""
    draft = require_draft(call)
    raw = draft.mime()
    sending.dispatch(call, raw)
    draft.raw, draft.attachments, draft.is_draft = raw, [], False
    visible_at = call.state.sent_visible_at()
    call.user.mailbox.move(draft.id, "sentitems", visible_at=visible_at)
    return Reply(202)


def delete(call: Call) -> Reply:
    """Answer DELETE messages/{id}: it goes to Deleted Items."""
    call.user.mailbox.move(reading.require(call, call.item).id, "deleteditems")
    return Reply(204)


def require_draft(call: Call) -> Message:
    """Return the draft that the call is about, or fail as Graph does."""
    found = reading.require(call, call.item)
    if not found.is_draft:
        raise GraphError(400, "ErrorInvalidOperation", "The message is not a draft.")
    return found


def _shown(call: Call, message: Message, status: int) -> Reply:
    context = call.context(f"users('{call.user.object_id}')/messages/$entity")
    return Reply.of(status, {"@odata.context": context} | render.message(call, message))
