"""smtplib over a connection of ours, with waits bounded by progress and by a sum."""

import smtplib
import socket
import ssl
from collections.abc import Callable

from services.network import DRIP_FACTOR

CHUNK = 65_536
_REPLY_LIMIT = 1_000_000


class Wire:
    """Reads and writes with patience: it ends when nothing moves, or when a drip goes on too long.

    To smtplib it is the file that replies are read from.
    """

    def __init__(self, sock: socket.socket, move: float, clock: Callable[[], float]) -> None:
        """Allow `move` seconds without progress, and ten times that for each command."""
        self._sock, self._clock, self._default, self._buffer = sock, clock, move, b""
        self.begin()

    def begin(self, seconds: float | None = None) -> None:
        """Begin a command: with `seconds`, all of them may pass without progress."""
        self._move = seconds or self._default
        self._until = self._clock() + (seconds or self._default * DRIP_FACTOR)
        self._room = _REPLY_LIMIT

    def readline(self, limit: int) -> bytes:
        """Return a line of at most `limit` octets, b"" where the server has hung up."""
        while b"\n" not in self._buffer and len(self._buffer) < limit:
            if not (chunk := self._receive()):
                break
            self._buffer += chunk
        end = min(self._buffer.find(b"\n") + 1 or len(self._buffer), limit)
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def write(self, data: bytes) -> None:
        """Send all of it; each piece may take as long as a wait."""
        view = memoryview(data)
        for start in range(0, len(data), CHUNK):
            self._sock.settimeout(self._patience())
            self._sock.sendall(view[start : start + CHUNK])

    def spoke_early(self) -> bool:
        """Tell whether the server has said something, or hung up, although it is our turn."""
        if self._buffer:
            return True
        self._sock.settimeout(0)
        try:
            self._buffer = self._sock.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        return True

    def close(self) -> None:
        """Do nothing: smtplib closes the socket by itself."""

    def _receive(self) -> bytes:
        self._sock.settimeout(self._patience())
        chunk = self._sock.recv(CHUNK)
        self._room -= len(chunk)
        if self._room < 0:
            raise ConnectionAbortedError("the reply has no end")
        return chunk

    def _patience(self) -> float:
        left = self._until - self._clock()
        if left <= 0:
            raise TimeoutError("the connection only trickles")
        return min(self._move, left)


class Client(smtplib.SMTP):
    """smtplib's dialogue over a socket that it neither opened nor waits for by itself."""

    wire: Wire

    def __init__(self) -> None:
        """Start unconnected; with a host name smtplib would ask the resolver for ours."""
        super().__init__(local_hostname="localhost")

    def attach(self, sock: socket.socket, wire: Wire) -> None:
        """Go on over this socket; what was said before it must be asked anew (RFC 3207 §4.2)."""
        self.sock, self.wire = sock, wire
        self.file = wire

    def send(self, s: str | bytes) -> None:  # type: ignore[override]
        """Send, beginning a command anew; smtplib's own has no bound but one for all of it."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        self.wire.begin()
        self.wire.write(s.encode() if isinstance(s, str) else s)
