"""One HTTPS connection to Microsoft: bounded in time, breakable from another thread."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import requests

from services import network
from services.cancel import Cancel
from services.errors import ConnectionFailed
from services.protocols.office365_session import HINT, Session

_CHUNK = 64 * 1024
_LARGEST_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True)
class Patience:
    """How long things may take, in seconds; tests are less patient."""

    connect: float = 15.0
    read: float = 60.0
    """For every read and write. Ten times that for a whole answer that drips."""
    submit: float = 120.0
    """For the answer to a message that is handed over."""
    throttled: float = 120.0
    """How long one request waits in place where the service asks for it; else the caller waits."""
    unasked: float = 5.0
    """The wait after 429 or 503 where the service does not say how long."""
    retries: tuple[float, ...] = (0.5, 2.0, 5.0)
    """The pauses before a request that may be repeated is repeated."""
    looks: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0)
    """The pauses before each look into Sent Items, which fills late."""


class Broken(ConnectionFailed):
    """The connection broke before the answer was complete; the work may have been done."""


@dataclass(frozen=True)
class Answer:
    """A complete answer; names in `headers` are matched regardless of case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class TooLarge(ConnectionFailed):
    """The answer is larger than anybody asked for."""


class Line:
    """At most one request at a time; used by one thread at a time."""

    def __init__(self, context: ssl.SSLContext, patience: Patience) -> None:
        """Take what verifies certificates (see `network.tls_context`). Nothing is opened yet."""
        self.patience = patience
        self.cancel = Cancel()
        self.certificate = ""
        """The last peer's certificate in words."""
        self.session = Session(self, context, (patience.connect, patience.read))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @contextmanager
    def under(self, cancel: Cancel, seconds: float) -> Iterator[None]:
        """Break whatever is under way where somebody asks to stop, or after ten times `seconds`."""
        self.cancel = cancel
        timer = threading.Timer(seconds * network.DRIP_FACTOR, self._break)
        timer.daemon = True
        timer.start()
        try:
            with cancel.closing(self._break):
                yield
        finally:
            timer.cancel()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        cancel: Cancel,
        seconds: float | None = None,
        limit: int = _LARGEST_ANSWER,
    ) -> Answer:
        """Ask and return the whole answer, whatever its status.

        Raises Unreached, Broken (which also says that somebody asked to stop in the middle),
        TooLarge above `limit` bytes, Cancelled.
        """
        seconds = seconds or self.patience.read
        with self.under(cancel, seconds):
            try:
                with self.session.request(
                    method,
                    url,
                    headers=dict(headers),
                    data=body,
                    timeout=(self.patience.connect, seconds),
                    stream=True,
                ) as response:
                    return Answer(response.status_code, response.headers, _read(response, limit))
            except requests.RequestException as error:
                raise self.trouble(url, error) from None

    def trouble(self, url: str, error: requests.RequestException) -> Broken:
        """Say in words what broke. The library's own texts hold whole URLs, tokens among them."""
        host = url.partition("://")[2].partition("/")[0]
        if isinstance(error, requests.Timeout):
            return Broken(f"{host} did not answer in time.", HINT)
        return Broken(f"{host} broke the connection.", HINT)

    def close(self) -> None:
        """Close the connection; never raises."""
        self.session.close()
        self._break()

    def opened(self, handle: socket.socket) -> None:
        """Note a connection, so that it can be broken. Raises Cancelled."""
        with self._lock:
            self._open.add(handle)
        self.cancel.check()

    def closed(self, handle: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(handle)
        handle.close()

    def _break(self) -> None:
        with self._lock:
            for handle in self._open:
                with suppress(OSError):
                    network.shut(handle)


def _read(response: requests.Response, limit: int) -> bytes:
    """Return the body, decompressed."""
    found = bytearray()
    for chunk in response.iter_content(_CHUNK):
        found += chunk
        if len(found) > limit:
            raise TooLarge("The answer is larger than expected.")
    return bytes(found)
