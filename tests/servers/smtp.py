"""An SMTP server that does wrong on request, for the faults that no real one can be asked for.

aiosmtpd speaks the protocol; a `Script` says at which stage it hangs, answers something else or
drops the connection. For everything else test against Postfix (postfix.py).
"""

import asyncio
import threading
from typing import Literal, Self

from tests.servers.process import HOST
from tests.servers.smtp_connection import Accepted, Connection, Login, Script, Stage
from tests.servers.tls import Certificate


class SmtpServer:
    """The server in a thread of its own, as a context manager; `script` is its faults."""

    host = HOST

    def __init__(
        self,
        certificate: Certificate,
        *,
        tls: Literal["starttls", "optional", "implicit", "none"] = "starttls",
        users: dict[str, str] | None = None,
        mechanisms: tuple[str, ...] = ("LOGIN", "PLAIN"),
        extensions: tuple[str, ...] = ("SIZE", "8BITMIME", "SMTPUTF8"),
        size_limit: int = 33_554_432,
    ) -> None:
        """With `users` (name to password) AUTH is offered and required, else there is none.

        `tls` "starttls" insists on STARTTLS, "optional" offers it. `extensions` are those
        offered, of the three that are the default; `size_limit` is in bytes.
        """
        self.script = Script()
        self.tls = tls
        self.users = users
        self.mechanisms = mechanisms
        self.extensions = extensions
        self.size_limit = size_limit
        self.context = certificate.context()
        self.mails: list[Accepted] = []
        self.logins: list[Login] = []
        self.commands: list[str] = []
        """Every command as it came, AUTH without its secret."""
        self.reached: list[Stage] = []
        """Every stage that a client came to, before it hung there."""
        self.connections = 0
        self.peak = 0
        """The most connections that were open at a time."""
        self.open: set[Connection] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(timeout=10):
            raise TimeoutError("the SMTP server did not start")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        implicit = self.context if self.tls == "implicit" else None
        listener = await self._loop.create_server(lambda: Connection(self), HOST, 0, ssl=implicit)
        self.port: int = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        listener.close()
