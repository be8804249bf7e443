"""The driver itself: Textual's Linux driver for a line that is slow and may break."""

import asyncio
import contextvars
import os
import select
import signal
import sys
import termios
from contextlib import suppress
from threading import Lock, Timer
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.message import Message

from tui.terminal.frames import Frames
from tui.terminal.keyboard import Keyboard
from tui.terminal.outlet import Outlet

FAREWELL = 3.0
"""Seconds that an app has for what it does when it is hung up."""
DESPAIR = 6.0
"""Seconds after a hang-up in which the process ends, whatever blocks it."""
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
PIXELS_OFF = "\x1b[?1016l"
"""Gives back the mouse reports in pixels, which Textual forgets."""
ALL_OFF = (
    "\x1b[?2026l\x1b[?1000;1003;1015;1006;1016;1004;2004;2048l"  # mouse, focus, paste, resize
    "\x1b[m\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"  # pen, wrapping, keyboard, screen, cursor
)
"""Gives back all that Textual may have set, for an end in which it cannot do so itself."""


class ThriftyDriver(LinuxDriver):
    """Textual's Linux driver, and what it lacks on a slow or broken line.

    Where the terminal vanishes, or SIGTERM, SIGHUP or SIGINT comes from outside, the app is left in
    order: its coroutine method `on_hang_up`, where it has one, is awaited for FAREWELL seconds,
    then it exits with 128 and the signal's number (129 for a vanished terminal).
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        """Take what Textual's driver takes."""
        super().__init__(app, **options)
        encoding = sys.__stderr__.encoding if sys.__stderr__ else "utf-8"
        self._file: Any = Outlet(self._file.fileno(), encoding, self._sent)
        self._frames = Frames(*super()._get_terminal_size())
        self._lock, self._under_way = Lock(), 0
        self._keyboard = Keyboard(self.fileno, encoding, self.process_message, self._hang_up)
        self._handlers: dict[int, Any] = {}
        self._context = contextvars.copy_context()
        self._leaving: asyncio.Task[None] | None = None
        self._despair: Timer | None = None

    # ------------------------------------------------------------------ modes

    def start_application_mode(self) -> None:
        """Take the terminal over, and the signals that mean leaving."""
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # nohup: the app is meant to outlive its terminal
                self._handlers[number] = before or signal.SIG_DFL
                signal.signal(number, self._keyboard.hear_signal)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Give the terminal and the signals back."""
        self.write(PIXELS_OFF)
        super().stop_application_mode()
        for number, before in self._handlers.items():
            signal.signal(number, before)
        self._handlers.clear()

    def _sigtstp_application(self, *_: object) -> None:
        # Not here, since the signal may have interrupted a write.
        if self._auto_restart:
            self._loop.call_soon_threadsafe(super()._sigtstp_application)
        else:  # somebody else's program has the terminal, and the loop
            super()._sigtstp_application()

    def _sigcont_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._must_signal_resume:  # it has put itself to sleep
            super()._sigcont_application()
        else:
            self._get_terminal_size()

    @property
    def has_shell(self) -> bool:
        """Whether a shell with job control has started the app, and so can wake it with `fg`.

        Without one, as in `ssh -t host app`, an app that stops itself is stopped for good.
        """
        parent = os.getppid()
        try:
            return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
        except OSError:  # it has ended, or belongs to somebody else
            return False

    # ------------------------------------------------------------------ output

    def write(self, data: str) -> None:
        """Send what Textual writes, of its frames only what they change.

        As long as the terminal takes no more, frames are only kept: then all go out as one.
        """
        with self._lock:
            text = self._frames.take(data, paint=not self._under_way)
            self._under_way += bool(text)
        self._send(text)

    def _send(self, text: str) -> None:
        if text:
            super().write(text)

    def _sent(self, texts: int) -> str:
        """Return what to send next, after so many texts; the writer's thread asks."""
        with self._lock:
            self._under_way -= texts
            return "" if self._under_way else self._frames.paint()

    def _get_terminal_size(self) -> tuple[int, int]:
        # Asked for at each SIGWINCH, which may have interrupted a frame.
        size = super()._get_terminal_size()
        self._loop.call_soon_threadsafe(self._resize, *size)
        return size

    def _resize(self, width: int, height: int) -> None:
        with self._lock:
            self._frames.resize(width, height)
            text = self._frames.paint()
            self._under_way += bool(text)
        self._send(text)

    # ------------------------------------------------------------------ input

    def process_message(self, message: Message) -> None:
        """Hand an event on; a window's size may come as one."""
        if isinstance(message, Resize):
            self._loop.call_soon_threadsafe(self._resize, *message.size)
        super().process_message(message)

    def run_input_thread(self) -> None:
        """Read the terminal until the driver stops."""
        self._keyboard.run()

    def disable_input(self) -> None:
        """End the input thread, which Textual's would do up to 100 ms later."""
        if self._key_thread is not None and self._key_thread.is_alive():
            self._keyboard.stop()
        super().disable_input()

    # ------------------------------------------------------------------ the end

    def _hang_up(self, code: int) -> None:
        """Leave the app; the input thread calls it, which nothing of the app can block."""
        self._despair = Timer(DESPAIR, self._abandon, (code,))
        self._despair.daemon = True
        self._despair.start()
        with suppress(RuntimeError):  # the loop is closed: it has been left already
            self._loop.call_soon_threadsafe(self._begin_leaving, code, context=self._context)

    def _begin_leaving(self, code: int) -> None:
        self._leaving = asyncio.ensure_future(self._leave(code))

    async def _leave(self, code: int) -> None:
        farewell = getattr(self._app, "on_hang_up", None)
        with suppress(Exception):  # it tells its own faults: nobody is left to be told
            if farewell is not None:
                await asyncio.wait_for(farewell(), FAREWELL)
        self._app.exit(return_code=code)

    def close(self) -> None:
        """Wait until all is written; what comes after that may take its time."""
        super().close()
        if self._despair is not None:
            self._despair.cancel()

    def _abandon(self, code: int) -> None:
        """End the process, which something holds; leave the terminal as sane as it takes."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            if select.select([], [self._file], [], 0)[1]:
                os.write(self._file.fileno(), ALL_OFF.encode())
        os._exit(code)
