"""The way of a request through the cloud: logged, counted, struck by faults, worked on."""

import threading

from tests.servers.cloud import entra, graph, uploads
from tests.servers.cloud.entra import EntraError
from tests.servers.cloud.faults import Fault, FaultBook, twisted
from tests.servers.cloud.state import GraphError, State
from tests.servers.cloud.watch import Caller, Watch
from tests.servers.cloud.wire import Dropped, Reply, Request

_CODES = {
    429: "ApplicationThrottled",
    500: "InternalServerError",
    503: "ServiceUnavailable",
    504: "UnknownError",
}


class Front:
    """What stands behind all hosts; `closing` ends every wait."""

    def __init__(self, state: State, faults: FaultBook, watch: Watch) -> None:
        self.closing = threading.Event()
        self._state = state
        self._faults = faults
        self._watch = watch

    def answer(self, request: Request) -> Reply:
        """Answer a request to any host; `Dropped` where its connection breaks."""
        caller = self._caller(request)
        entry = self._watch.arrived(request, caller)
        counted = caller if request.host == "graph" and all(caller) else None
        # The request stops counting before its answer leaves: a client may send the next at once.
        with self._watch.counted(counted) as crowd:
            reply = self._faulty(request, crowd)
        self._watch.answered(entry, reply)
        return reply

    def _caller(self, request: Request) -> Caller:
        if request.host == "login":
            return entra.form(request).get("client_id", ""), ""
        token = self._state.directory.token(request.authorization)
        if token is None:
            return "", ""
        key = graph.mailbox_key(request)
        user = token.app.tenant.user(key)
        return token.app.client_id, user.object_id if user else key

    def _faulty(self, request: Request, crowd: int) -> Reply:
        self._wait(self._state.settings.latency if request.host == "graph" else 0.0)
        fault = self._faults.take(request)
        if fault is None:
            return self._work(request, crowd)
        if fault.run is not None:
            fault.run()
        reply = self._work(request, crowd) if fault.works_first else None
        self._wait(fault.hang)
        if fault.drop in ("before", "after"):
            raise Dropped
        if fault.status is not None:
            return self._refusal(request, fault, fault.status)
        return twisted(fault, reply or self._work(request, crowd), self._state.urls.graph)

    def _wait(self, seconds: float) -> None:
        if seconds and self.closing.wait(seconds):
            raise Dropped

    def _refusal(self, request: Request, fault: Fault, status: int) -> Reply:
        if status < 400:
            return Reply(status, headers=fault.extra_headers())
        if request.host == "login":
            code = int(fault.code.removeprefix("AADSTS") or 90033)
            error = "temporarily_unavailable" if status in (429, 503) else "server_error"
            reply = entra.error_reply(request, EntraError(status, error, code, fault.message))
        else:
            name = fault.code or _CODES.get(status, "UnknownError")
            reply = graph.refuse(request, GraphError(status, name, fault.message))
        reply.headers |= fault.extra_headers()
        return graph.identified(request, reply)

    def _work(self, request: Request, crowd: int) -> Reply:
        if request.host == "decoy":
            return Reply.of(200, {"value": []})
        with self._state.lock:
            if request.host == "login":
                return entra.answer(self._state, request)
            try:
                self._judge_crowd(crowd)
                part = graph.answer if request.host == "graph" else uploads.answer
                reply = part(self._state, request)
            except GraphError as error:
                reply = graph.refuse(request, error)
        return graph.identified(request, reply)

    def _judge_crowd(self, crowd: int) -> None:
        settings = self._state.settings
        if settings.enforce_concurrency and crowd > settings.concurrency_limit:
            text = "Application is over its MailboxConcurrency limit."
            wait = str(settings.throttle_seconds)
            raise GraphError(429, "ApplicationThrottled", text, Retry_After=wait)
