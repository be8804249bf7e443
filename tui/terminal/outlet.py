"""What goes to the terminal: bytes in its encoding, in as few writes as can be."""

import os
import select
from collections.abc import Callable


class Outlet:
    """The file that Textual's writer thread writes to; it outlives the terminal.

    Python's own stream would end the thread at the first error, and with it, a moment later, all
    that waits for the thread. It would also put `\\u2501` where the encoding lacks a character.
    """

    def __init__(self, fileno: int, encoding: str, sent: Callable[[int], str]) -> None:
        """Take the terminal and its encoding, and whom to tell how many texts have been sent.

        What `sent` returns is sent next: what came up while the terminal took no more.
        """
        self._fileno, self._encoding, self._sent = fileno, encoding, sent
        self._held: list[str] = []
        self._gone = False

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._fileno

    def write(self, text: str) -> None:
        """Take a text; it goes out at the next `flush`."""
        self._held.append(text)

    def flush(self) -> None:
        """Send what was taken, in one piece where the terminal takes it so."""
        text, number = "".join(self._held), len(self._held)
        self._held.clear()
        while text:
            self._send(text.encode(self._encoding, "replace"))
            text, number = self._sent(number), 0

    def _send(self, data: bytes) -> None:
        while data and not self._gone:
            data = data[self._some(data) :]

    def _some(self, data: bytes) -> int:
        try:
            return os.write(self._fileno, data)
        except BlockingIOError:  # somebody else on this terminal made it non-blocking
            select.select([], [self._fileno], [])
        except OSError:  # EIO: the terminal has vanished
            self._gone = True
        return 0
