"""HTTPS on loopback: requests in, replies out, and connections that break when they are told to."""

import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


class Dropped(Exception):
    """The connection ends here, without an answer."""


@dataclass(frozen=True)
class Request:
    """One request as it came; `host` is the part of the cloud that it came to."""

    host: str
    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        """The path, percent-decoded, without the query."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; `$select` and its kin keep their dollar."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def authorization(self) -> str | None:
        """The Authorization header's value."""
        return self.headers.get("Authorization")

    def json(self) -> dict[str, Any]:
        """Return the body's JSON object; ValueError where it is something else."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        return value


@dataclass
class Reply:
    """What is answered. `cut` sends half of the body and then breaks the connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    @classmethod
    def of(cls, status: int, value: Mapping[str, Any], **headers: str) -> Self:
        """Return `value` as JSON; an underscore in a header's name stands for a hyphen."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, json.dumps(value).encode(), kind | named)

    def __bytes__(self) -> bytes:
        """Return the answer in HTTP/1.1, halved where it is cut."""
        headers = dict(self.headers)
        if self.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head + (self.body[: len(self.body) // 2] if self.cut else self.body)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else "Unknown"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Listener"

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output to the tests."""

    def _exchange(self) -> None:
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            return self._write(Reply(HTTPStatus.LENGTH_REQUIRED))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.server.name, self.command, self.path, self.headers, body)
        try:
            reply = self.server.answer(request)
        except Dropped:
            self.close_connection = True
        else:
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        reply.headers.setdefault("Date", self.date_time_string())
        self.close_connection = self.close_connection or reply.cut
        if self.close_connection:
            reply.headers["Connection"] = "close"
        self.wfile.write(bytes(reply))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _exchange


class Listener(ThreadingTCPServer):
    """One TLS port on 127.0.0.1 with a thread for each connection.

    `answer` runs in the connection's thread. What it raises, other than `Dropped`, is a fault of
    the cloud itself and is kept in `crashes`.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, name: str, context: ssl.SSLContext, answer: Callable[[Request], Reply]
    ) -> None:
        self.name = name
        self.answer = answer
        self.crashes: list[BaseException] = []
        self.refused_handshakes = 0
        self._context = context
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._accept, name=f"cloud-{name}", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Stop listening and break every open connection."""
        self._closing = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._thread.join(timeout=5)
        self.server_close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Break every open connection, as a server that restarts does."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which would pull the TLS state from under a reader.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its handshake is left to its thread, so that none holds others."""
        connection, address = self.socket.accept()
        secured = self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return secured, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then answer until the client goes."""
        with self._lock:
            self._open.add(request)
        try:
            request.do_handshake()
        except OSError:
            self.refused_handshakes += 1
            return
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget and close the connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep faults of our own; a client that hung up is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.crashes.append(error)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self.get_request()
            except OSError:
                continue
            if self._closing:
                return connection.close()
            self.process_request(connection, address)
