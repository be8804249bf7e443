"""One HTTPS connection to Microsoft: verified, bounded in time, breakable from another thread.

requests is kept from everything that the environment could slip under it (netrc logins, CA files
that beat `verify`, redirects that carry a secret elsewhere); proxies alone come from there.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import PoolManager
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from services import network
from services.cancel import Cancel
from services.errors import ConnectionFailed

_CHUNK = 64 * 1024
_LARGEST_ANSWER = 64 * 1024 * 1024

HINT = (
    "Check this host's network: DNS, firewall, proxy (HTTPS_PROXY), clock. A private certificate "
    "authority is made known by TOURMAIL_CA_BUNDLE."
)


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


class Unreached(ConnectionFailed):
    """No connection came about, so nothing was asked for."""


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
        self.session = _Session(self, context)
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


class _Connection(HTTPSConnection):
    """urllib3's connection over a socket that is cancellable from its first step on."""

    line: "Line"

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._handle: socket.socket | None = None

    def connect(self) -> None:
        """Connect and shake hands. Raises Unreached: nothing was asked for yet."""
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            self.line.cancel.check()
            raise _unreached(self, error) from None
        if isinstance(self.sock, ssl.SSLSocket):
            self.line.certificate = network.describe_certificate(self.sock)

    def _new_conn(self) -> socket.socket:
        try:
            sock = network.connect(
                self.host, self.port or 443, self.line.patience.connect, self.line.cancel
            )
        except ConnectionFailed as error:
            raise Unreached(error.message, HINT) from None
        # A second handle on the same connection works through all of TLS's wrappings.
        self._handle = sock.dup()
        self.line.opened(self._handle)
        return sock

    def close(self) -> None:
        """Close both handles."""
        super().close()
        if self._handle is not None:
            self.line.closed(self._handle)
            self._handle = None


def _unreached(connection: HTTPSConnection, error: Exception) -> Unreached:
    if connection.proxy is not None and not isinstance(error, ssl.SSLError):
        return Unreached(f"The proxy {connection.host} does not let us through.", HINT)
    host = connection._tunnel_host or connection.host
    if isinstance(error, OSError):
        return Unreached(network.tls_failed(host, error).message, HINT)
    return Unreached(f"{host} cannot be reached.", HINT)


class _Adapter(HTTPAdapter):
    """Installs the connection class, and the only way of verifying certificates."""

    def __init__(self, line: Line, context: ssl.SSLContext) -> None:
        connection = type("_LineConnection", (_Connection,), {"line": line})
        self._pool = type("_LinePool", (HTTPSConnectionPool,), {"ConnectionCls": connection})
        self._context, self._timeouts = context, (line.patience.connect, line.patience.read)
        super().__init__(pool_connections=2, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **given: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **given, ssl_context=self._context)
        self._install(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **given: Any) -> Any:
        """Make the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **given, ssl_context=self._context)
        self._install(manager)
        return manager

    def _install(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"https": self._pool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Add no further authorities: the context knows all that count."""
        conn.cert_reqs = "CERT_REQUIRED"

    def send(
        self, request: requests.PreparedRequest, *args: Any, **given: Any
    ) -> requests.Response:
        """Send with a timeout also where the caller, such as msal, gives none."""
        given["timeout"] = given.get("timeout") or self._timeouts
        given["verify"] = True
        return super().send(request, *args, **given)


class _Session(requests.Session):
    """A session without netrc, cookies, redirects and the environment's CA files."""

    def __init__(self, line: Line, context: ssl.SSLContext) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.adapters.clear()  # plain http with them
        self.mount("https://", _Adapter(line, context))

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Take the proxies of the environment, and nothing else of it."""
        found = proxies or get_environ_proxies(str(url))
        return super().merge_environment_settings(url, found, stream, verify, cert)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow none: Microsoft's interfaces answer directly."""


class _WithoutQueries(logging.Filter):
    """Keeps delta and upload tokens, which stand in queries, out of urllib3's debug log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())
