"""Graph's reading of folders and messages."""

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote, urlencode

from tests.servers.cloud import clock, render
from tests.servers.cloud.mailbox import FOLDERS, Message
from tests.servers.cloud.state import Call, GraphError
from tests.servers.cloud.wire import Reply

Test = Callable[[Message], bool]

_BY_MESSAGE_ID = re.compile(r"internetMessageId eq '((?:[^']|'')*)'")
_BY_DATE = re.compile(r"receivedDateTime (ge|gt|le|lt|eq) (\S+)")
_COMPARE: dict[str, Callable[[datetime, datetime], bool]] = {
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
    "eq": lambda a, b: a == b,
}


def folder_name(key: str) -> str:
    """Return the well-known name of a folder given by name or id."""
    for name in FOLDERS:
        if key.casefold() == name or key == render.folder_id(name):
            return name
    raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def require(call: Call, key: str) -> Message:
    """Return the message of the call's mailbox, or fail as Graph does."""
    if not key.endswith("="):
        raise GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    if (found := call.user.mailbox.find(key)) is None:
        text = "The specified object was not found in the store."
        raise GraphError(404, "ErrorItemNotFound", text)
    return found


def user(call: Call) -> Reply:
    """Answer GET users/{id}, which takes a directory permission."""
    body = {
        "@odata.context": call.context("users/$entity"),
        "id": call.user.object_id,
        "displayName": call.user.mailbox.name,
        "mail": call.user.address,
        "userPrincipalName": call.user.address,
    }
    return Reply.of(200, body)


def folder(call: Call) -> Reply:
    """Answer GET mailFolders/{folder}."""
    name = folder_name(call.item)
    found = [message for message in call.user.mailbox.messages(name) if message.visible]
    body = {
        "@odata.context": call.context(f"users('{call.user.object_id}')/mailFolders/$entity"),
        "id": render.folder_id(name),
        "displayName": FOLDERS[name],
        "parentFolderId": render.folder_id("root"),
        "childFolderCount": 0,
        "unreadItemCount": sum(not message.is_read for message in found),
        "totalItemCount": len(found),
        "sizeInBytes": sum(len(message.raw) for message in found),
        "isHidden": False,
    }
    return Reply.of(200, body)


def message(call: Call) -> Reply:
    """Answer GET messages/{id}."""
    found = require(call, call.item)
    shown = render.message(call, found, render.selection(call.request.query))
    context = call.context(f"users('{call.user.object_id}')/messages/$entity")
    return Reply.of(200, {"@odata.context": context} | shown)


def value(call: Call) -> Reply:
    """Answer GET messages/{id}/$value: the MIME bytes as they were stored."""
    return Reply(200, require(call, call.item).mime(), {"Content-Type": "text/plain"})


def messages(call: Call) -> Reply:
    """Answer GET messages, of one folder or, without one, of the whole mailbox."""
    query = call.request.query
    where = folder_name(call.item) if call.item else None
    tests = conditions(query.get("$filter", ""))
    _judge_order(query)
    found = [m for m in call.user.mailbox.messages(where) if m.visible]
    found = [m for m in found if all(test(m) for test in tests)]
    # Newest first is also Graph's order where none is asked for.
    found.sort(key=lambda m: m.received, reverse="asc" not in query.get("$orderby", "desc"))
    return _page(call, found)


def _page(call: Call, found: list[Message]) -> Reply:
    query = call.request.query
    start, settings = int(query.get("$skip", "0")), call.state.settings
    end = start + min(int(query.get("$top", settings.page_default)), settings.page_maximum)
    select = render.selection(query)
    context = call.context(f"users('{call.user.object_id}')/messages")
    body: dict[str, object] = {"@odata.context": context}
    if query.get("$count", "").casefold() == "true":
        body["@odata.count"] = len(found)
    body["value"] = [render.message(call, m, select) for m in found[start:end]]
    if end < len(found):
        further = urlencode(query | {"$skip": str(end)}, safe="$")
        path = quote(call.request.path)
        body["@odata.nextLink"] = f"{call.state.urls.graph}{path}?{further}"
    return Reply.of(200, body)


def conditions(text: str) -> list[Test]:
    """Return the tests of a $filter; what the mail service does not index is refused."""
    parts = [part.strip() for part in text.split(" and ")] if text else []
    return [_condition(part) for part in parts]


def _condition(text: str) -> Test:
    if match := _BY_MESSAGE_ID.fullmatch(text):
        wanted = match[1].replace("''", "'")
        return lambda m: m.message_id == wanted
    if match := _BY_DATE.fullmatch(text):
        compare, moment = _COMPARE[match[1]], _moment(match[2])
        return lambda m: compare(m.received.replace(microsecond=0), moment)
    raise GraphError(400, "BadRequest", f"Invalid filter clause: {text}")


def _moment(text: str) -> datetime:
    try:
        return clock.parse(text)
    except ValueError:
        raise GraphError(400, "BadRequest", f"Invalid filter clause: {text}") from None


def _judge_order(query: dict[str, str]) -> None:
    """Refuse an order whose property does not come first in the filter."""
    order, text = query.get("$orderby", "").split(" ")[0], query.get("$filter", "")
    if order and text and not text.startswith(f"{order} "):
        reason = "The restriction or sort order is too complex for this operation."
        raise GraphError(400, "InefficientFilter", reason)
