"""What the terminal sends, made into Textual's events whatever the line does to it."""

import codecs
import os
import select
import signal
from collections.abc import Callable, Iterator
from time import monotonic

from textual import constants
from textual._xterm_parser import XTermParser
from textual.message import Message

from tui.terminal.pastes import Pastes

LONE = constants.ESCAPE_DELAY if "ESCDELAY" in os.environ else 0.07
"""Seconds after which an ESC with nothing behind it is the key Esc; ESCDELAY has milliseconds.

An arrow key that the line cut right behind its ESC has as long to become whole.
"""
BROKEN = 0.4
"""Seconds in which the rest of a sequence must come that has clearly begun (ESC and more)."""

_STOP = 0


class Keyboard:
    """Reads a terminal on a thread until it is told to stop, a signal comes or nobody is there."""

    def __init__(
        self,
        fileno: int,
        encoding: str,
        hand_on: Callable[[Message], None],
        over: Callable[[int], None],
    ) -> None:
        """Take the terminal and its encoding, what gets the events, and what ends the app.

        `over` is given an exit code: 128 and a signal's number. A terminal that has vanished counts
        as SIGHUP, which is what its going away means.
        """
        self._fileno = fileno
        # Line noise, or a paste in another encoding, shows as U+FFFD and ends nothing.
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._hand_on, self._over = hand_on, over
        self._parser = Keys()
        self._bell, self._ringing = os.pipe()

    def stop(self) -> None:
        """Let the thread end at once."""
        self._ring(_STOP)

    def hear_signal(self, number: int, _frame: object = None) -> None:
        """Let the thread end the app; a signal handler may call it, since it only writes."""
        self._ring(128 + number)

    def _ring(self, code: int) -> None:
        os.write(self._ringing, bytes([code]))

    def run(self) -> None:
        """Hand on events until the end; this is what the thread does."""
        while (code := self._listen()) is None:
            pass
        if code != _STOP:
            self._over(code)

    def _listen(self) -> int | None:
        """Wait for something and hand it on; return a code where it is the end."""
        ready, _, _ = select.select([self._fileno, self._bell], [], [], self._parser.patience)
        if self._bell in ready:
            return os.read(self._bell, 1)[0]
        data = self._read() if ready else None
        if data == b"":
            return 128 + signal.SIGHUP
        for character in self._decoder.decode(data) if data else [""]:
            for event in self._events(character):
                self._hand_on(event)
        return None

    def _read(self) -> bytes:
        try:
            return os.read(self._fileno, 4096)
        except OSError:  # EIO: how Linux says that a terminal's other side is gone
            return b""

    def _events(self, character: str) -> Iterator[Message]:
        """Yield what a character completes; with "", what has waited for its rest too long."""
        try:
            yield from self._parser.feed(character) if character else self._parser.tick()
        except Exception:  # noqa: BLE001 - Textual's parser chokes on some noise, for good
            self._parser = self._parser.successor()


class Keys(XTermParser):
    """Textual's parser with two patiences: one for a lone ESC, one for a sequence under way.

    Textual waits as long for either, and looks only every 100 ms: Esc takes up to 200 ms then.
    """

    def __init__(self, pastes: Pastes | None = None) -> None:
        """Begin outside any paste, unless another parser was in one."""
        self._pastes = pastes or Pastes()
        super().__init__()

    def feed(self, data: str) -> Iterator[Message]:
        """Yield the events in the text, and set the patience by how it ends."""
        if not (data := self._pastes.cleaned(data)):
            return
        yield from super().feed(data)
        if self._timeout_time is not None:
            self._timeout_time = monotonic() + (LONE if data.endswith("\x1b") else BROKEN)

    @property
    def patience(self) -> float | None:
        """Seconds until `tick` has something to say; None where nothing is under way."""
        return None if self._timeout_time is None else max(self._timeout_time - monotonic(), 0)

    def successor(self) -> "Keys":
        """Return a new parser which knows what this one has learned of the terminal."""
        new = Keys(self._pastes)
        new.mouse_pixels = self.mouse_pixels
        new.terminal_size, new.terminal_pixel_size = self.terminal_size, self.terminal_pixel_size
        return new
