"""The demo's mail servers: real SMTP and IMAP on loopback, in a thread of this process.

The extra `[demo]` brings them. What is sent to another domain than the operator's is answered, as
suppliers and agents would; nothing ever leaves the machine and nothing outlives the process.
"""

import asyncio
import secrets
import ssl
from collections.abc import Collection, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from services.errors import ServiceError

if TYPE_CHECKING:
    from services.demo.mail_host import MailHost

USER = "reservations@kiwi-trails.example"
"""The operator's mailbox; all mail to its domain lands there."""
_CALL_SECONDS = 15
_Result = TypeVar("_Result")


class DemoServers:
    """The servers as a context manager: SMTP with STARTTLS and AUTH, IMAP with implicit TLS.

    Both are known as localhost, by a certificate of the throw-away authority in `ca_bundle`.
    """

    host = "localhost"

    def __init__(
        self,
        folder: Path,
        user: str = USER,
        password: str | None = None,
        silent: Collection[str] = (),
    ) -> None:
        """Prepare them; the certificate's files go to `folder`, the password is made if None.

        Addresses in `silent` never answer. Raises ServiceError where the extra is not installed.
        """
        self.user = user
        self.password = password or secrets.token_urlsafe(12)
        self.ca_bundle = folder / "ca.pem"
        self._host = _mail_host(self.user, self.password, silent)
        self._context = _make_certificate(folder, self.ca_bundle)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="demo servers", daemon=True)

    def __enter__(self) -> Self:
        """Start them; `smtp_port` and `imap_port` are known from here on."""
        self._thread.start()
        self.smtp_port, self.imap_port = self._call(self._host.start(self._context))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them and every connection."""
        self._call(self._host.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def answered(self) -> int:
        """How many answers the suppliers and agents have written by now."""
        return self._host.answered

    def deliver(self, raw: bytes, received: datetime | None = None) -> None:
        """Put exactly these bytes into the operator's INBOX, with this INTERNALDATE or now."""
        self._call(self._host.deliver(self.user, raw, received or datetime.now(UTC)))

    def _call(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_SECONDS)


def _mail_host(user: str, password: str, silent: Collection[str]) -> "MailHost":
    try:
        from services.demo.mail_host import MailHost
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return MailHost(user, password, silent)


def _make_certificate(folder: Path, bundle: Path) -> ssl.SSLContext:
    """Write a new authority's certificate and a key with certificate for localhost below folder."""
    try:
        import trustme
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = trustme.CA(organization_name="tourmail demo")
    authority.cert_pem.write_to_path(str(bundle))
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    key_and_chain = folder / "server.pem"
    key_and_chain.touch(mode=0o600)
    key_and_chain.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(key_and_chain)
    return context


def _missing(error: ModuleNotFoundError) -> ServiceError:
    return ServiceError(
        f"The demo's mail servers are not installed ({error.name} is missing).",
        hint='Install tourmail with its extra "demo": uv tool install "tourmail[demo]".',
    )
