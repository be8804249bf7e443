"""Reaching a mail server: names, TCP, TLS, in steps that each fail in words for an admin.

Every wait is bounded by the account's Timeout, and by ten times that for a server that drips.
"""

import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from models.fields import to_ascii_host
from services.cancel import Cancel
from services.errors import ConnectionFailed, ServiceError

DRIP_FACTOR = 10
"""A command whose bytes keep trickling ends after this many Timeouts."""

_LEAST = 0.1
"""The part of the Timeout left for connecting where the resolver took all of it."""

HANDSHAKE = 60.0
"""Seconds for TLS to start on a connection that has no timeout of its own."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the system's order of preference.

    Raises ConnectionFailed naming the host.
    """
    try:
        found = socket.getaddrinfo(to_ascii_host(host), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError) as error:
        raise ConnectionFailed(
            f"The name {host} cannot be resolved.",
            "Check the spelling of Email Server and this host's DNS.",
            "settings.server",
        ) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(host: str, port: int, timeout: float, cancel: Cancel) -> socket.socket:
    """Open a TCP connection to the first address that answers, within `timeout` seconds in all.

    Raises ConnectionFailed with what to check; Cancelled.
    """
    deadline = time.monotonic() + timeout
    last: OSError | None = None
    addresses = resolve(host, port)
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        cancel.check()
        share = max(deadline - time.monotonic(), timeout * _LEAST) / left
        try:
            sock = _connect_one(address, port, share, cancel)
            sock.settimeout(timeout)
            return sock
        except OSError as error:
            cancel.check()
            last = error
    raise unreachable(host, port, timeout, last) from last


def _connect_one(address: str, port: int, timeout: float, cancel: Cancel) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        with cancel.closing(lambda: shut(sock)):
            sock.connect((address, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def peer(sock: socket.socket, host: str) -> str:
    """Return the address that answered. Raises ConnectionFailed where it has hung up already."""
    try:
        return str(sock.getpeername()[0])
    except OSError as error:
        raise ConnectionFailed(f"{host} closed the connection.", "Try again later.") from error


def unreachable(host: str, port: int, timeout: float, error: OSError | None) -> ConnectionFailed:
    """Say in words why a port does not answer."""
    if isinstance(error, ConnectionRefusedError):
        return ConnectionFailed(
            f"{host} refuses connections on port {port}.",
            "Check Port Number; the service may also be down.",
            "settings.port",
        )
    if isinstance(error, TimeoutError):
        return ConnectionFailed(
            f"{host} does not answer on port {port} within {timeout:g} seconds.",
            "Check Port Number and the firewalls in between.",
            "settings.port",
        )
    words = (error.strerror if error else "") or "no address answers"
    return ConnectionFailed(
        f"{host} cannot be reached on port {port}: {words}.",
        "Check Email Server and the network.",
        "settings.server",
    )


_BUNDLE = "TOURMAIL_CA_BUNDLE must name a PEM file of certificates."


def tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name; there is none that does not.

    A private CA comes from TOURMAIL_CA_BUNDLE. To read a system's authorities takes 20 ms, so all
    connections share a context until a file with authorities changes.
    Raises ServiceError where that file is unusable.
    """
    system = ssl.get_default_verify_paths()
    files = (ca_bundle,) if ca_bundle else (system.cafile, system.capath)
    try:
        return _verifying(ca_bundle, *(_version(Path(file)) for file in files if file))
    except ssl.SSLError as error:
        raise ServiceError(f"The CA bundle {ca_bundle} holds no certificates.", _BUNDLE) from error
    except OSError as error:
        words = f"The CA bundle {ca_bundle} cannot be read: {error.strerror}."
        raise ServiceError(words, _BUNDLE) from error


def refuse_bad_bundle(ca_bundle: Path | None) -> None:
    """Raise ServiceError where the process's own CA bundle is unusable, before anything connects.

    Otherwise every account's server would seem to be at fault, one handshake after the other.
    """
    if ca_bundle is not None:
        tls_context(ca_bundle)


@lru_cache(maxsize=4)
def _verifying(ca_bundle: Path | None, *_versions: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _version(path: Path) -> tuple[int, ...]:
    """Return what changes with a file, or with a folder and any file in it (1 ms for 290)."""
    found = path.stat()
    own = found.st_ino, found.st_size, found.st_mtime_ns
    return (*own, hash(frozenset(_versions_in(path)))) if path.is_dir() else own


def _versions_in(folder: Path) -> Iterator[tuple[int, ...]]:
    for entry in os.scandir(folder):
        with suppress(OSError):  # such as a link to a certificate that was removed
            found = entry.stat()
            yield found.st_ino, found.st_size, found.st_mtime_ns


def start_tls(
    sock: socket.socket, host: str, context: ssl.SSLContext, cancel: Cancel | None = None
) -> ssl.SSLSocket:
    """Encrypt a connection, within its timeout for the whole handshake.

    The socket that was given is spent, whatever comes. Raises ConnectionFailed with what is wrong
    with the certificate or the port, its cause the OSError; Cancelled.
    """
    cancel = cancel or Cancel()
    try:
        # The handshake comes after, since only the new socket can be broken from another thread.
        tls = context.wrap_socket(
            sock, server_hostname=to_ascii_host(host), do_handshake_on_connect=False
        )
    except OSError as error:  # it has hung up already
        sock.close()
        cancel.check()
        raise tls_failed(host, error) from error
    try:
        with cancel.closing(lambda: shut(tls)):
            _shake_hands(tls)
    except BaseException as error:
        tls.close()
        if not isinstance(error, OSError):
            raise
        cancel.check()
        raise tls_failed(host, error) from error
    return tls


def _shake_hands(tls: ssl.SSLSocket) -> None:
    """Do so; a socket's timeout covers all of it, however its bytes drip (Python's ssl, 3.5)."""
    own = tls.gettimeout()
    tls.settimeout(own or HANDSHAKE)
    tls.do_handshake()
    tls.settimeout(own)


def tls_failed(host: str, error: OSError) -> ConnectionFailed:
    """Say in words why TLS with a host failed, and which field to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionFailed(
            f"The certificate of {host} is not trusted: {error.verify_message}.",
            "Check Email Server against the name in the certificate. A private certificate "
            "authority is made known by TOURMAIL_CA_BUNDLE.",
            "settings.server",
        )
    if isinstance(error, TimeoutError):
        return ConnectionFailed(
            f"{host} does not answer the start of TLS.",
            "The port may not speak TLS: check Port Number and the security setting.",
            "settings.port",
        )
    reason = getattr(error, "reason", None) or error.strerror
    words = _TLS_REASONS.get(str(reason), str(reason or type(error).__name__).replace("_", " "))
    return ConnectionFailed(
        f"TLS with {host} failed: {words}.",
        "The port may not speak TLS: check Port Number and the security setting.",
        "settings.port",
    )


_TLS_REASONS = {
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection",
    "WRONG_VERSION_NUMBER": "it answers with what is no TLS",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "what arrives was changed on the way",
    "UNSUPPORTED_PROTOCOL": "it knows only versions of TLS that are too old to be safe",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it knows only versions of TLS that are too old to be safe",
}
"""What OpenSSL's reasons mean for an admin; others are told as they are."""


def describe_certificate(sock: ssl.SSLSocket, now: datetime | None = None) -> str:
    """Return subject, issuer and days left of the peer's certificate, for Test Connection."""
    certificate = sock.getpeercert() or {}
    until = ssl.cert_time_to_seconds(str(certificate.get("notAfter", "Jan  1 00:00:00 1970 GMT")))
    left = (datetime.fromtimestamp(until, UTC) - (now or datetime.now(UTC))).days
    subject = _name(certificate.get("subject")) or _alternative(certificate)
    issuer = _name(certificate.get("issuer"))
    return f"certificate of {subject} by {issuer or 'itself'}, {left} days left"


def _name(parts: object) -> str:
    """Pick the name that people recognise out of an X.509 name as the ssl module gives it."""
    if not isinstance(parts, tuple):
        return ""
    found = {key: value for part in parts for key, value in part}
    return str(found.get("commonName") or found.get("organizationName") or "")


def _alternative(certificate: object) -> str:
    names = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return ", ".join(str(value) for _kind, value in names) or "an unnamed subject"


def shut(sock: socket.socket) -> None:
    """Break a connection from another thread, so that whoever blocks on it wakes up."""
    # Not sock.shutdown: SSLSocket's forgets its TLS first, so that a thread which is just about to
    # write would write in clear, and one that reads would meet a ValueError.
    with suppress(OSError):  # not connected, or gone already
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
