"""A program on a terminal of its own, at the end of a line that may misbehave."""

import os
import pty
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Mapping
from typing import Self

from tests.tui.terminal.emulator import Emulator

ANSWERS = {"\x1b[?2026$p": "\x1b[?2026;2$y"}
"""What a terminal says that knows synchronized output."""
PIXELS = {**ANSWERS, "\x1b[?2048$p": "\x1b[?2048;2$y"}
"""What one says that also reports its size in pixels."""
HIDDEN = ("LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORTERM", "COLUMNS", "LINES", "TMUX")
"""What a developer's own terminal must not change."""


class Line:
    """Starts a program on a pseudo-terminal, sends keys and keeps what it would show."""

    def __init__(
        self,
        *command: str,
        environ: Mapping[str, str] | None = None,
        size: tuple[int, int] = (80, 24),
        answers: Mapping[str, str] = ANSWERS,
        encoding: str = "utf-8",
    ) -> None:
        self.screen = Emulator(*size)
        self.written = b""
        self._answers, self._encoding = answers, encoding
        environ = environ or {"LANG": "C.UTF-8"}
        environ = {"TERM": "xterm-256color", **environ}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                termios.tcsetwinsize(0, (size[1], size[0]))
                kept = {k: v for k, v in os.environ.items() if k not in HIDDEN}
                os.execve(sys.executable, [sys.executable, *command], {**kept, **environ})
            finally:
                os._exit(127)
        self._code: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)

    # ------------------------------------------------------------------ there

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self.fd, keys if isinstance(keys, bytes) else keys.encode(self._encoding))

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self.screen.resize(columns, rows)
        termios.tcsetwinsize(self.fd, (rows, columns))
        if "2048" in self.screen.modes:
            self.send(f"\x1b[48;{rows};{columns};{rows * 20};{columns * 10}t")

    def hang_up(self) -> None:
        """Let the terminal vanish."""
        os.close(self.fd)
        self.fd = -1

    def kill(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    # ------------------------------------------------------------------ and back

    def read(self, seconds: float) -> bytes:
        """Return what comes within a time, once anything has come."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # how Linux says that the other side is gone
            return b""
        self.written += data
        text = data.decode(self._encoding, "replace")
        self.screen.feed(text)
        for asked, answer in self._answers.items():
            if asked in text:
                self.send(answer)
        return data

    def wait(self, until: Callable[[Emulator], bool], seconds: float = 30.0) -> None:
        """Read until the screen is as it should be."""
        deadline = time.monotonic() + seconds
        while not until(self.screen):
            assert time.monotonic() < deadline, f"not seen:\n{self.screen.text()}"
            self.read(0.2)

    def expect(self, words: str, seconds: float = 30.0) -> None:
        """Read until words stand on the screen."""
        self.wait(lambda screen: words in screen.text(), seconds)

    def rest(self, seconds: float = 0.3) -> bytes:
        """Read until nothing has come for a while; return what has."""
        before = len(self.written)
        while self.read(seconds):
            pass
        return self.written[before:]

    def wait_unread(self, seconds: float = 20.0) -> None:
        """Wait for the program to end, without taking what it writes."""
        deadline = time.monotonic() + seconds
        while not self._ended():
            assert time.monotonic() < deadline, "still running"
            time.sleep(0.05)

    def wait_stopped(self) -> None:
        """Read until the program has put itself to sleep."""
        while not os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)[0]:
            self.read(0.05)
        self.rest()

    def _ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def code(self, seconds: float = 20.0) -> int:
        """Read what is left; return the exit code."""
        deadline = time.monotonic() + seconds
        while not self._ended():
            assert time.monotonic() < deadline, f"still running:\n{self.screen.text()}"
            if self.fd >= 0:
                self.read(0.05)
            else:
                time.sleep(0.05)
        while self.fd >= 0 and self.read(0):
            pass
        assert self._code is not None
        return self._code

    def raw(self) -> bool:
        """Tell whether the terminal's line discipline is still as a full-screen program has it."""
        return not termios.tcgetattr(self.fd)[3] & termios.ECHO


def colours(written: bytes) -> set[str]:
    """Return the numbers of SGR sequences that are colours, the default ones too."""
    found = re.findall(rb"\x1b\[([\d;:]*)m", written)
    numbers = {number for one in found for number in re.split(r"[;:]", one.decode())}
    return {n for n in numbers if re.fullmatch(r"(3|4|9|10)\d", n)}
