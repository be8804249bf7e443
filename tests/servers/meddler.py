"""A loopback proxy in front of a real server that spoils what passes, as no server would."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Self

STALL_SECONDS = 3.0
DRIP_SECONDS = 0.05
DRIPS = 200

Spoil = Callable[[bytes], bytes | Iterable[bytes | None] | None]
"""Takes one answer of the server; returns what to pass on, None to close both ends."""


def untouched(chunk: bytes) -> bytes:
    """Pass everything on."""
    return chunk


class Fault:
    """Spoils what passes once, `after` so many bytes, or each time; all else is whole.

    `kind` is ``cut``, ``stall``, ``garble`` or ``drip``. `passed` counts the bytes.
    """

    def __init__(self, kind: str, after: int, *, again: bool = False) -> None:
        self._spoil: Callable[[bytes], Iterable[bytes | None]] = getattr(self, f"_{kind}")
        self._after, self._again = after, again
        self.passed = 0

    def __call__(self, chunk: bytes) -> bytes | Iterable[bytes | None]:
        """Spoil the chunk that the moment falls into."""
        left = self._after - self.passed
        self.passed += len(chunk)
        if not 0 <= left < len(chunk):
            return chunk
        if self._again:
            self.passed = 0
        return self._spoiled(chunk[:left], chunk[left:])

    def _spoiled(self, before: bytes, rest: bytes) -> Iterator[bytes | None]:
        yield before
        yield from self._spoil(rest)

    @staticmethod
    def _cut(_rest: bytes) -> Iterable[bytes | None]:
        return [None]

    @staticmethod
    def _stall(_rest: bytes) -> Iterator[bytes | None]:
        time.sleep(STALL_SECONDS)
        yield None

    @staticmethod
    def _garble(rest: bytes) -> Iterable[bytes]:
        return [bytes(byte ^ 0x55 for byte in rest[:16]) + rest[16:]]

    @staticmethod
    def _drip(rest: bytes) -> Iterator[bytes | None]:
        for byte in rest[:DRIPS]:
            yield bytes([byte])
            time.sleep(DRIP_SECONDS)
        if len(rest) > DRIPS:
            yield None  # nobody waits any more


class Meddler:
    """Listens on `port` and passes each connection on to the server, through `spoil`.

    What the client sends goes through `spoil_sent`, and is kept in `sent`.
    """

    def __init__(self, server: tuple[str, int], spoil: Spoil = untouched) -> None:
        self._server, self.spoil = server, spoil
        self.spoil_sent: Spoil = untouched
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.sent = b""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
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

    def _note(self, chunk: bytes) -> bytes | Iterable[bytes | None] | None:
        self.sent += chunk
        return self.spoil_sent(chunk)

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
                for piece in [passed] if isinstance(passed, bytes) or passed is None else passed:
                    if piece is None:
                        source.shutdown(socket.SHUT_RDWR)
                        break
                    target.sendall(piece)
            target.shutdown(socket.SHUT_RDWR)
