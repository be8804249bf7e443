"""Ctrl+C, SIGTERM and SIGHUP, turned into a request to stop that long work can honour."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from services.cancel import Cancel
from services.errors import Cancelled
from tui.cli.output import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signalled(Cancel):
    """A request to stop that knows which signal asked for it."""

    number: int = signal.SIGINT


@contextmanager
def cancelling() -> Iterator[Signalled]:
    """Hand out a Cancel that a signal asks; a second SIGINT ends the program at once.

    A signal that is ignored, as nohup has SIGHUP ignored, stays so.
    Leaves with the code that a shell expects (128 and the signal's number) where work was cut off.
    """
    cancel = Signalled()

    def ask(number: int, _frame: FrameType | None) -> None:
        cancel.number = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not from here: the main thread may hold the very lock that `cancel` takes.
        threading.Thread(target=cancel.cancel, daemon=True).start()

    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, ask) for number in heard}
    try:
        yield cancel
    except Cancelled as error:
        say(str(error))
        raise typer.Exit(128 + cancel.number) from error
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
