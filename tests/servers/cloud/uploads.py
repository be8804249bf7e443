"""Upload sessions for large attachments: asked for at Graph, filled at another host.

https://learn.microsoft.com/graph/outlook-large-attachments. The answer to a range out of order is
not documented there; 416 and the error's form are those of OneDrive's sessions.
"""

import re
import secrets
import time
from datetime import UTC, datetime, timedelta

from tests.servers.cloud import clock, drafts
from tests.servers.cloud.mime import Attachment
from tests.servers.cloud.state import Call, GraphError, State, UploadSession
from tests.servers.cloud.wire import Reply, Request

_LIFE = timedelta(hours=1)
_SESSION = re.compile(r"/AttachmentSessions\('([^']+)'\)$")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def create(call: Call) -> Reply:
    """Answer POST messages/{id}/attachments/createUploadSession."""
    draft = drafts.require_draft(call)
    body = {key.casefold(): value for key, value in call.json().items()}
    item = body.get("attachmentitem")
    if not isinstance(item, dict) or item.get("attachmentType") != "file" or "name" not in item:
        raise GraphError(400, "ErrorInvalidRequest", "AttachmentItem is missing or not valid.")
    size = int(item.get("size") or 0)
    _judge_size(call.state, size)
    key, authtoken = f"{secrets.token_urlsafe(16)}=", secrets.token_urlsafe(24)
    expires = datetime.now(UTC) + _LIFE
    session = UploadSession(
        call.user,
        draft.id,
        str(item["name"]),
        size,
        str(item.get("contentType") or "application/octet-stream"),
        item.get("contentId"),
        bool(item.get("isInline")),
        authtoken,
        expires.timestamp(),
    )
    call.state.uploads[key] = session
    url = f"{_path(call.state, session, 'AttachmentSessions', key)}?authtoken={authtoken}"
    context = call.context("microsoft.graph.uploadSession")
    shown = {"@odata.context": context, "uploadUrl": url} | _progress(session, "0-")
    return Reply.of(201, shown)


def answer(state: State, request: Request) -> Reply:
    """Answer a request to an upload URL; GraphError where it is refused."""
    if request.authorization is not None:
        text = "The upload URL is pre-authenticated; an Authorization header is not accepted."
        raise GraphError(401, "InvalidAuthenticationToken", text)
    key, session = _session(state, request)
    match request.method:
        case "PUT":
            return _put(state, request, key, session)
        case "GET":
            return Reply.of(200, _progress(session, str(len(session.data))))
        case "DELETE":
            del state.uploads[key]
            return Reply(204)
    raise GraphError(405, "ErrorMethodNotAllowed", "The method is not allowed.")


def _judge_size(state: State, size: int) -> None:
    if size < state.settings.upload_minimum:
        text = "The attachment size should not be less than the minimum size for a session."
        raise GraphError(400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", text)
    if size > state.settings.upload_maximum:
        text = "The attachment size exceeds the allowable limit."
        raise GraphError(400, "ErrorAttachmentSizeLimitExceeded", text)


def _session(state: State, request: Request) -> tuple[str, UploadSession]:
    match = _SESSION.search(request.path)
    session = state.uploads.get(match[1]) if match else None
    if match is None or session is None or session.expires < time.time():
        raise GraphError(404, "ErrorItemNotFound", "The upload session was not found.")
    if request.query.get("authtoken") != session.authtoken:
        raise GraphError(401, "InvalidAuthenticationToken", "The authtoken is not valid.")
    return match[1], session


def _put(state: State, request: Request, key: str, session: UploadSession) -> Reply:
    _judge_range(request, session)
    session.data += request.body
    if len(session.data) < session.size:
        return Reply.of(200, _progress(session, str(len(session.data))))
    del state.uploads[key]
    return _finish(state, session)


def _judge_range(request: Request, session: UploadSession) -> None:
    match = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
    if match is None:
        raise GraphError(400, "ErrorInvalidRequest", "The Content-Range header is not valid.")
    first, last, total = (int(number) for number in match.groups())
    if last - first + 1 != len(request.body) or total != session.size or last >= total:
        raise GraphError(400, "ErrorInvalidRequest", "The Content-Range does not fit the body.")
    if first != len(session.data):
        text = f"Uploaded fragment is out of order; expected {len(session.data)}."
        raise GraphError(416, "InvalidRange", text)


def _finish(state: State, session: UploadSession) -> Reply:
    mailbox = session.user.mailbox
    if (draft := mailbox.find(session.message_id)) is None:
        raise GraphError(404, "ErrorItemNotFound", "The message was not found.")
    draft.attachments.append(
        Attachment(
            session.name,
            session.content_type,
            bytes(session.data),
            session.content_id,
            session.inline,
        )
    )
    mailbox.edit(draft)
    key = f"{draft.id}{len(draft.attachments)}="
    return Reply(201, headers={"Location": _path(state, session, "Attachments", key)})


def _path(state: State, session: UploadSession, kind: str, key: str) -> str:
    who = f"{session.user.object_id}@{session.user.tenant.tenant_id}"
    messages = f"Users('{who}')/Messages('{session.message_id}')"
    return f"{state.urls.upload}/api/v2.0/{messages}/{kind}('{key}')"


def _progress(session: UploadSession, expected: str) -> dict[str, object]:
    expires = datetime.fromtimestamp(session.expires, UTC)
    return {"expirationDateTime": clock.stamp(expires), "nextExpectedRanges": [expected]}
