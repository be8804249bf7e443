"""Graph's requests for one mailbox: with a token, no faster than allowed, repeated where safe.

What was certainly not done, what may have been done, and what was refused are told apart.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote, urlencode

from services.errors import ConnectionFailed
from services.protocols.base import Surroundings
from services.protocols.office365_advice import Fault, GraphError, refusal
from services.protocols.office365_session import Unreached
from services.protocols.office365_settings import Office365Settings
from services.protocols.office365_throttle import gate_of, retry_after
from services.protocols.office365_token import Tokens, shared_tokens
from services.protocols.office365_wire import Answer, Broken, Line, Patience

_SHORTEST = 0.5
"""Seconds to wait where the service asks for none, so that nothing spins."""
IMMUTABLE = 'IdType="ImmutableId"'


class Doubtful(ConnectionFailed):
    """Whether the request was carried out is not known: no answer, or none that says so."""


@dataclass(frozen=True)
class Call:
    """One request. `link` is a whole URL, or a path below the user."""

    method: str
    link: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = True
    """Whether doing it twice is the same as doing it once."""
    seconds: float | None = None
    limit: int | None = None


class Graph:
    """One connection to a mailbox; one thread at a time. `more` gives connections for others."""

    def __init__(
        self,
        settings: Office365Settings,
        around: Surroundings,
        patience: Patience | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        """Take whose mailbox it is. Nothing is asked for yet. Raises ServiceError."""
        self._settings, self._around = settings, around
        self.patience = patience or Patience()
        self._tokens = tokens or shared_tokens(settings, around)
        self.cloud = self._tokens.cloud
        self._base = f"{self.cloud.graph}/v1.0/users/{settings.user_object_id}/"
        self._gate = gate_of(f"{self.cloud.graph}|{settings.mailbox()}")
        self._line = Line(self._tokens.context, self.patience)

    def another(self) -> Self:
        """Return one more connection to the same mailbox, for another thread."""
        return type(self)(self._settings, self._around, self.patience, self._tokens)

    def close(self) -> None:
        """Close the connection; never raises."""
        self._line.close()

    def token(self) -> str:
        """Return a token. Raises AccountRefused, ConnectionFailed, Cancelled."""
        return self._tokens.get(self._around)

    # ------------------------------------------------------------------ verbs

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return a JSON object. Raises as `call`."""
        return parsed(self.call(Call("GET", with_query(path, query))))

    def post(self, path: str, value: Mapping[str, Any], **how: Any) -> dict[str, Any]:
        """Post JSON once and return the JSON that is answered."""
        return parsed(self.call(_json_call("POST", path, value, repeatable=False, **how)))

    def patch(self, path: str, value: Mapping[str, Any]) -> None:
        """Change an object."""
        self.call(_json_call("PATCH", path, value))

    def call(self, call: Call) -> Answer:
        """Ask, however often it takes, and return an answer of success.

        Raises GraphError where Graph refuses, Throttled, Unreached, Cancelled: in all these cases
        nothing was done. Raises Broken after the last repetition, or Doubtful where a call that is
        not `repeatable` got no clear answer.
        """
        url = self._url(call.link)
        pauses = [*self.patience.retries] if call.repeatable else []
        while True:
            try:
                return self._ask(replace(call, link=url))
            except (Unreached, Broken, GraphError) as error:
                if not _passing(error):
                    raise
                self._around.cancel.check()
                if not pauses:
                    raise
            self._around.cancel.sleep(pauses.pop(0))

    # ------------------------------------------------------------------ parts

    def _url(self, link: str) -> str:
        url = link if link.startswith("https:") else self._base + link
        if not self.cloud.owns(url):
            raise ConnectionFailed(
                "Graph sent a link that leads to another host; it was not followed.",
                "Report it: the token would have gone there.",
            )
        return url

    def _ask(self, call: Call) -> Answer:
        """Ask once, and again only where nothing was done: after 401, 429 and 503."""
        token = self.token()
        answer = self._patiently(lambda: self._send(call, token))
        if answer.status == 401:
            fresh = self._tokens.renewed(token, self._around)
            answer = self._patiently(lambda: self._send(call, fresh))
        if answer.status >= 500 and not call.repeatable:
            raise Doubtful(f"{fault_of(answer).reference}.")
        if answer.status >= 300:
            raise refusal(fault_of(answer))
        return answer

    def _patiently(self, send: Callable[[], Answer]) -> Answer:
        """Send when the service lets us, and again where it says 429 or 503."""
        waited = 0.0
        while True:
            waited += self._gate.wait(self._around, self.patience.throttled - waited)
            answer = send()
            if answer.status not in (429, 503):
                return answer
            asked = retry_after(answer.headers)
            pause = self.patience.unasked if asked is None else max(asked, _SHORTEST)
            self._gate.close_for(pause)

    def _send(self, call: Call, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Prefer": IMMUTABLE} | dict(
            call.headers or {}
        )
        limit = {} if call.limit is None else {"limit": call.limit}
        try:
            return self._line.request(
                call.method,
                call.link,
                headers=headers,
                body=call.body,
                cancel=self._around.cancel,
                seconds=call.seconds,
                **limit,
            )
        except Broken as error:
            if call.repeatable:
                raise
            raise Doubtful(error.message, error.hint) from None

    def put_range(self, url: str, data: bytes, first: int, total: int) -> Answer:
        """Put a piece of a file to an upload URL, which carries its own right: no token goes along.

        Returns whatever is answered. Raises Unreached, Broken, Cancelled.
        """
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes {first}-{first + len(data) - 1}/{total}",
        }
        cancel = self._around.cancel
        return self._patiently(
            lambda: self._line.request("PUT", url, headers=headers, body=data, cancel=cancel)
        )

    def upload_progress(self, url: str) -> Answer:
        """Ask an upload URL which ranges it still expects."""
        return self._line.request("GET", url, headers={}, cancel=self._around.cancel)


def _passing(error: ConnectionFailed) -> bool:
    """Tell whether another try may help at once."""
    return not isinstance(error, GraphError) or error.fault.status >= 500


def _json_call(method: str, path: str, value: Mapping[str, Any], **how: Any) -> Call:
    kind = {"Content-Type": "application/json"}
    return Call(method, path, json.dumps(value).encode(), kind, **how)


def with_query(path: str, query: Mapping[str, str] | None) -> str:
    """Return a path with OData's query options."""
    return f"{path}?{urlencode(query, safe='$,', quote_via=quote)}" if query else path


def parsed(answer: Answer) -> dict[str, Any]:
    """Return an answer's JSON object. Raises ConnectionFailed where there is none."""
    try:
        value = json.loads(answer.body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ConnectionFailed("Graph answers with what is no JSON.", "Check proxies in between.")
    return value


def fault_of(answer: Answer) -> Fault:
    """Return what an answer of failure says."""
    try:
        said = json.loads(answer.body)["error"]
        code, text = str(said.get("code", "")), str(said.get("message", ""))
        inner = said.get("innerError") or {}
        named, when = str(inner.get("request-id", "")), str(inner.get("date", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        code, text, named, when = "", "", "", ""
    request_id = answer.headers.get("request-id", "") or named
    return Fault(
        "Graph", answer.status, code, text, request_id, when or answer.headers.get("Date", "")
    )
