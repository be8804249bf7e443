"""A loopback proxy in front of a real server that spoils what passes, as no server would."""

import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

Spoil = Callable[[bytes], bytes | Iterable[bytes] | None]
"""Takes one answer of the server; returns what to pass on, None to close both ends."""


class Meddler:
    """Listens on `port` and passes each connection on to the server, through `spoil`."""

    def __init__(self, server: tuple[str, int], spoil: Spoil) -> None:
        self._server, self.spoil = server, spoil
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.sent = b""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.refuse()
        self.cut()

    def refuse(self) -> None:
        """Take no further connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Break every connection that is open."""
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for source, target, change in (
                    (client, server, self._note),
                    (server, client, lambda chunk: self.spoil(chunk)),
                ):
                    args = (source, target, change)
                    threading.Thread(target=self._pass, args=args, daemon=True).start()

    def _note(self, chunk: bytes) -> bytes:
        self.sent += chunk
        return chunk

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, change: Spoil) -> None:
        with suppress(OSError), source, target:
            while chunk := source.recv(65536):
                time.sleep(0.002)  # lets a whole answer arrive, so that `change` sees it at once
                source.setblocking(False)
                with suppress(BlockingIOError):
                    while more := source.recv(65536):
                        chunk += more
                source.setblocking(True)
                passed = change(chunk)
                if passed is None:
                    break
                for piece in [passed] if isinstance(passed, bytes) else passed:
                    target.sendall(piece)
            target.shutdown(socket.SHUT_RDWR)
