"""Graph's front: tokens, permissions, users, routes, and the form of its errors."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from tests.servers.cloud import clock, delta, drafts, reading, sending, uploads
from tests.servers.cloud.directory import App, Token, User, permissions
from tests.servers.cloud.state import Call, GraphError, State
from tests.servers.cloud.wire import Reply, Request

_USER = r"/v1\.0/users/(?P<user>[^/]+)"
_ITEM = _USER + r"(?:/mailFolders/[^/]+)?/messages/(?P<item>[^/]+)"
_FOLDER = _USER + r"/mailFolders/(?P<item>[^/]+)"
_NS = r"(?:microsoft\.graph\.)?"

_Route = tuple[str, str, str, Callable[[Call], Reply]]
_ROUTES: list[_Route] = [
    ("GET", _USER, "User.Read.All", reading.user),
    ("GET", _FOLDER, "Mail.Read", reading.folder),
    ("GET", _FOLDER + rf"/messages/{_NS}delta(?:\(\))?", "Mail.Read", delta.page),
    ("GET", _FOLDER + "/messages", "Mail.Read", reading.messages),
    ("GET", _USER + "/messages", "Mail.Read", reading.messages),
    ("GET", _ITEM, "Mail.Read", reading.message),
    ("GET", _ITEM + r"/\$value", "Mail.Read", reading.value),
    ("POST", _USER + f"/{_NS}sendMail", "Mail.Send", sending.send_mail),
    ("POST", _USER + "/messages", "Mail.ReadWrite", drafts.create),
    ("PATCH", _ITEM, "Mail.ReadWrite", drafts.change),
    ("DELETE", _ITEM, "Mail.ReadWrite", drafts.delete),
    ("POST", _ITEM + "/attachments", "Mail.ReadWrite", drafts.attach),
    ("POST", _ITEM + f"/attachments/{_NS}createUploadSession", "Mail.ReadWrite", uploads.create),
    ("POST", _ITEM + f"/{_NS}send", "Mail.Send", drafts.send),
]
_COMPILED = [(verb, re.compile(path), role, work) for verb, path, role, work in _ROUTES]
_KEY_IN_BRACKETS = re.compile(r"\b(users|mailFolders|messages)\('([^'/]+)'\)")
_ID_TYPE = re.compile(r'IdType\s*=\s*"?ImmutableId"?', re.I)
_UNAUTHORIZED = {"WWW_Authenticate": 'Bearer realm="", error="invalid_token"'}


def answer(state: State, request: Request) -> Reply:
    """Answer a request to Graph; GraphError where it is refused."""
    token = _token(state, request)
    _judge_length(state, request)
    role, work, keys = _route(request)
    user = token.app.tenant.user(keys["user"])
    _judge_right(token.app, role, user)
    call = Call(
        state, request, token.app, _mailbox(keys["user"], user), keys["item"], _immutable(request)
    )
    return _preferences(call, work(call))


def refuse(request: Request, error: GraphError) -> Reply:
    """Return the error in Graph's JSON."""
    request_id = str(uuid.uuid4())
    inner = {
        "date": f"{clock.now():%Y-%m-%dT%H:%M:%S}",
        "request-id": request_id,
        "client-request-id": request.headers.get("client-request-id", request_id),
    }
    body = {"error": {"code": error.code, "message": str(error), "innerError": inner}}
    reply = Reply.of(error.status, body)
    reply.headers |= {"request-id": request_id, **error.headers}
    return reply


def identified(request: Request, reply: Reply) -> Reply:
    """Add the ids by which Microsoft's support finds a request."""
    request_id = reply.headers.setdefault("request-id", str(uuid.uuid4()))
    asked = request.headers.get("client-request-id", request_id)
    reply.headers.setdefault("client-request-id", asked)
    return reply


def normalised(path: str) -> str:
    """Return the path with `users('x')`, as links have it, as `users/x`."""
    return _KEY_IN_BRACKETS.sub(r"\1/\2", path)


def mailbox_key(request: Request) -> str:
    """Return by which id or address the request names its user; empty for none."""
    match = re.match(_USER, normalised(request.path))
    return match["user"] if match else ""


def _token(state: State, request: Request) -> Token:
    if not request.authorization:
        raise _unauthorized("Access token is empty.")
    token = state.directory.token(request.authorization)
    if token is None or token.audience != state.urls.graph:
        raise _unauthorized("Access token validation failure. Invalid audience.")
    if token.expired:
        raise _unauthorized("Lifetime validation failed, the token is expired.")
    return token


def _unauthorized(text: str) -> GraphError:
    return GraphError(401, "InvalidAuthenticationToken", text, **_UNAUTHORIZED)


def _judge_length(state: State, request: Request) -> None:
    if len(request.body) > state.settings.request_limit:
        raise GraphError(413, "BadRequest", "Maximum request length exceeded.")


def _route(request: Request) -> tuple[str, Callable[[Call], Reply], dict[str, Any]]:
    path = normalised(request.path)
    for verb, pattern, role, work in _COMPILED:
        if verb == request.method and (match := pattern.fullmatch(path)):
            return role, work, {"item": "", **match.groupdict()}
    raise GraphError(400, "BadRequest", f"Resource not found for {request.method} {path}.")


def _judge_right(app: App, role: str, user: User | None) -> None:
    if role in permissions(app.rbac_roles):
        return
    if role not in permissions(app.roles):
        if role == "User.Read.All":
            text = "Insufficient privileges to complete the operation."
            raise GraphError(403, "Authorization_RequestDenied", text)
        text = "Access is denied. Check credentials and try again."
        raise GraphError(403, "ErrorAccessDenied", text)
    if app.policy is not None and user is not None and user.object_id not in app.policy:
        text = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly "
        raise GraphError(403, "ErrorAccessDenied", text + "AccessPolicy settings.")


def _mailbox(key: str, user: User | None) -> User:
    if user is None:
        raise GraphError(404, "ErrorInvalidUser", f"The requested user '{key}' is invalid.")
    if user.mailbox_error is not None:
        text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        raise GraphError(404, user.mailbox_error, text)
    return user


def _immutable(request: Request) -> bool:
    return _ID_TYPE.search(", ".join(request.headers.get_all("Prefer", []))) is not None


def _preferences(call: Call, reply: Reply) -> Reply:
    applied = ['IdType="ImmutableId"'] if call.immutable else []
    if "maxpagesize" in call.request.headers.get("Prefer", ""):
        applied.append(f"odata.maxpagesize={delta.page_size(call)}")
    if applied:
        reply.headers["Preference-Applied"] = ", ".join(applied)
    return reply
