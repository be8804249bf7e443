"""Delta queries over one folder: rounds of pages, opaque tokens, removals, repetitions.

https://learn.microsoft.com/graph/delta-query-messages
"""

import re
import secrets
from dataclasses import replace
from itertools import islice
from typing import Any

from tests.servers.cloud import reading, render
from tests.servers.cloud.mailbox import Change, Message
from tests.servers.cloud.state import Call, DeltaState, GraphError
from tests.servers.cloud.wire import Reply

_PAGE_SIZE = re.compile(r"odata\.maxpagesize\s*=\s*(\d+)", re.I)
_KNOWN = {"$select", "$top", "$expand", "$filter", "$orderby", "changeType"}


def page(call: Call) -> Reply:
    """Answer GET mailFolders/{folder}/messages/delta."""
    state = _state(call)
    if call.state.settings.delta_empty_page and not state.begun:
        return _answer(call, replace(state, begun=True), [], more=True)
    size = page_size(call)
    changes = list(islice(_changes(state), size + 1))
    return _turn(call, state, changes[:size], more=len(changes) > size)


def page_size(call: Call) -> int:
    """Return how many items the request prefers, within Graph's bounds."""
    settings = call.state.settings
    match = _PAGE_SIZE.search(", ".join(call.request.headers.get_all("Prefer", [])))
    wanted = match[1] if match else call.request.query.get("$top", settings.page_default)
    return max(1, min(int(wanted), settings.page_maximum))


def _turn(call: Call, state: DeltaState, changes: list[Change], *, more: bool) -> Reply:
    """Return the page with what is repeated of the page before, and the token for what follows."""
    mailbox = call.user.mailbox
    old = [mailbox.find(key) for key in state.repeated] if state.position > state.base else []
    select = render.selection(state.query)
    items = [_item(call, m, select) for m in old if m is not None and m.folder == state.folder]
    items += [_entry(call, change, select) for change in changes]
    last = changes[-1].number if more else mailbox.sequence
    count = call.state.settings.delta_repeat
    repeated = tuple(change.id for change in changes if not change.removed)[-count:]
    moved = replace(state, position=last, begun=True, repeated=repeated if count else ())
    return _answer(call, moved, items, more=more)


def _state(call: Call) -> DeltaState:
    query = call.request.query
    token = query.get("$skiptoken") or query.get("$deltatoken")
    return _begin(call) if token is None else _resume(call, token)


def _begin(call: Call) -> DeltaState:
    query = call.request.query
    if unknown := set(query) - _KNOWN:
        text = f"The query parameter {min(unknown)} is not supported with change tracking."
        raise GraphError(400, "BadRequest", text)
    render.selection(query)
    folder = reading.folder_name(call.item)
    state = DeltaState(call.user, folder, query, call.state.delta_generation)
    return replace(state, excluded=_excluded(call, state)) if query.get("$filter") else state


def _excluded(call: Call, state: DeltaState) -> frozenset[str]:
    """Return the messages that a filtered round never shows: all but the newest few thousand."""
    if not state.query["$filter"].startswith("receivedDateTime g"):
        raise GraphError(400, "BadRequest", "The filter is not supported with change tracking.")
    tests = reading.conditions(state.query["$filter"])
    everything = call.user.mailbox.messages(state.folder)
    kept = [m for m in everything if all(test(m) for test in tests)]
    kept.sort(key=lambda m: m.received, reverse=True)
    shown = {m.id for m in kept[: call.state.settings.delta_filter_limit]}
    return frozenset(m.id for m in everything if m.id not in shown)


def _resume(call: Call, token: str) -> DeltaState:
    state = call.state.delta.get(token)
    if state is None or state.user is not call.user:
        raise GraphError(400, "BadRequest", "Badly formed token.")
    if state.generation < call.state.delta_generation and call.state.delta_error is not None:
        raise call.state.delta_error
    return state


def _changes(state: DeltaState) -> Any:
    tests = reading.conditions(state.query.get("$filter", ""))
    wanted = state.query.get("changeType")
    for change in state.user.mailbox.changes(state.folder, state.position):
        shown = change.removed or all(test(change.message) for test in tests)
        kind = _kind(change, state)
        if shown and change.id not in state.excluded and wanted in (None, kind):
            yield change


def _kind(change: Change, state: DeltaState) -> str:
    if change.removed:
        return "deleted"
    return "created" if change.entered > state.base else "updated"


def _entry(call: Call, change: Change, select: list[str] | None) -> dict[str, Any]:
    if not change.removed:
        return _item(call, change.message, select)
    key = change.id if call.immutable else change.rest_id
    removed = {"reason": "deleted"}
    return {"@odata.type": "#microsoft.graph.message", "id": key, "@removed": removed}


def _item(call: Call, message: Message, select: list[str] | None) -> dict[str, Any]:
    kind = {"@odata.type": "#microsoft.graph.message"}
    return kind | render.message(call, message, select)


def _answer(call: Call, state: DeltaState, items: list[dict[str, Any]], *, more: bool) -> Reply:
    token = secrets.token_urlsafe(24)
    if not more:
        state = replace(state, base=state.position, begun=False, repeated=())
    call.state.delta[token] = state
    where = f"users('{call.user.object_id}')/mailFolders('{call.item}')/messages/delta"
    kind, name = ("nextLink", "$skiptoken") if more else ("deltaLink", "$deltatoken")
    link = f"{call.state.urls.graph}/v1.0/{where}?{name}={token}"
    context = call.context("Collection(message)")
    return Reply.of(200, {"@odata.context": context, f"@odata.{kind}": link, "value": items})
