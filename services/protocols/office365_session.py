"""requests as Office 365 needs it: verified one way only, cancellable from the first step on.

It is kept from what the environment could slip under it (netrc logins, CA files that beat `verify`,
redirects that carry a secret elsewhere, cookies); proxies alone come from there.
"""

import logging
import socket
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol

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

HINT = (
    "Check this host's network: DNS, firewall, proxy (HTTPS_PROXY), clock. A private certificate "
    "authority is made known by TOURMAIL_CA_BUNDLE."
)
Timeouts = tuple[float, float]
"""Seconds to connect, and for each read and write."""


class Unreached(ConnectionFailed):
    """No connection came about, so nothing was asked for."""


class Owner(Protocol):
    """Who is told of connections, so that they can be broken from another thread."""

    cancel: Cancel
    certificate: str
    """The last peer's certificate in words."""

    def opened(self, handle: socket.socket) -> None:
        """Note a connection. Raises Cancelled."""
        ...

    def closed(self, handle: socket.socket) -> None:
        """Forget a connection."""
        ...


class _Connection(HTTPSConnection):
    """urllib3's connection over a socket that is cancellable from its first step on."""

    owner: Owner
    connect_seconds: float

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._handle: socket.socket | None = None

    def connect(self) -> None:
        """Connect and shake hands. Raises Unreached: nothing was asked for yet."""
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            self.owner.cancel.check()
            raise _unreached(self, error) from None
        if isinstance(self.sock, ssl.SSLSocket):
            self.owner.certificate = network.describe_certificate(self.sock)

    def _new_conn(self) -> socket.socket:
        try:
            sock = network.connect(
                self.host, self.port or 443, self.connect_seconds, self.owner.cancel
            )
        except ConnectionFailed as error:
            raise Unreached(error.message, HINT) from None
        # A second handle on the same connection works through all of TLS's wrappings.
        self._handle = sock.dup()
        self.owner.opened(self._handle)
        return sock

    def close(self) -> None:
        """Close both handles."""
        super().close()
        if self._handle is not None:
            self.owner.closed(self._handle)
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

    def __init__(self, owner: Owner, context: ssl.SSLContext, timeouts: Timeouts) -> None:
        own = {"owner": owner, "connect_seconds": timeouts[0]}
        connection = type("_OwnConnection", (_Connection,), own)
        self._pool = type("_OwnPool", (HTTPSConnectionPool,), {"ConnectionCls": connection})
        self._context, self._timeouts = context, timeouts
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


class Session(requests.Session):
    """A session without netrc, cookies, redirects and the environment's CA files."""

    def __init__(self, owner: Owner, context: ssl.SSLContext, timeouts: Timeouts) -> None:
        """Take what verifies certificates; `timeouts` hold where a caller gives none."""
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.adapters.clear()  # plain http with them
        self.mount("https://", _Adapter(owner, context, timeouts))

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
        """Keep every record, without what follows a question mark."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())
