"""Type-ahead: keys wait for their turn, so that a burst of them means what it says.

Over a slow line keys arrive in bursts, and Textual hands each to whatever has the focus at that
instant, though the one before is still opening the screen that it is meant for. Here the next
key goes out when the one before has been handled and nothing that it began is being opened.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.events import Key, Paste
from textual.message_pump import MessagePump

PATIENCE = 0.1
"""Seconds after which Esc and Ctrl+Q no longer wait for what is being opened."""
DESPAIR = 2.0
"""Seconds after which Esc and Ctrl+Q drop the keys that were typed before them."""
LIMIT = 10.0
"""Seconds after which keys go out although something claims to be still opening.

Counted in looks, not by the clock: a machine that stood still meanwhile has opened nothing either.
"""
LOOK, SLICE = 0.002, 0.05
"""Seconds between two looks at what is being opened, and at whether a pump still runs."""
IMPATIENT = ("escape", "ctrl+q")

Typed = Key | Paste
"""What somebody types: a key, or a text at once."""


@dataclass(eq=False)
class _Hold:
    over: Callable[[], bool]
    while_: Callable[[], bool]
    since: float


class TypeAhead:
    """Keeps keys in order and hands them on one at a time."""

    def __init__(self, app: App[None], send: Callable[[Typed], Awaitable[None]]) -> None:
        """Take the app, and what handles a key."""
        self._app, self._send = app, send
        self._keys: deque[Typed] = deque()
        self._holds: list[_Hold] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether keys are on their way."""
        return self._task is not None and not self._task.done()

    def take(self, key: Typed) -> None:
        """Put a key in its turn, and what is pasted between two of them."""
        self._keys.append(key)
        if not self.waiting:
            self._task = asyncio.create_task(self._run())

    def hold(self, over: Callable[[], bool], while_: Callable[[], bool] = lambda: True) -> None:
        """Let keys wait until `over` says that what is being opened stands.

        Where `while_` says no (a question is asked meanwhile), keys go on.
        """
        self._holds.append(_Hold(over, while_, time.monotonic()))

    async def _run(self) -> None:
        while self._keys:
            await self._ready()
            key = self._keys.popleft()
            node: MessagePump = self._app.focused or self._app.screen
            chain = [node, *getattr(node, "ancestors", ())]
            await self._send(key)
            for _round in range(2):  # the key, then what was posted because of it
                for pump in chain:
                    await _reached(pump)

    async def _ready(self) -> None:
        """Wait for what is being opened; an impatient key does not wait for long."""
        looks = 0
        while (held := self._held()) is not None:
            looks += 1
            if looks > LIMIT / LOOK:
                self._holds.clear()
            elif _impatient(self._keys[0]) and held > PATIENCE:
                return
            elif held > DESPAIR and any(map(_impatient, self._keys)):
                while not _impatient(self._keys[0]):
                    self._keys.popleft()
                return
            await asyncio.sleep(LOOK)

    def _held(self) -> float | None:
        """Return for how many seconds something has been opening, None where nothing is."""
        now = time.monotonic()
        self._holds = [hold for hold in self._holds if not hold.over()]
        holding = [hold for hold in self._holds if hold.while_()]
        for hold in self._holds:
            hold.since = hold.since if hold in holding else now
        return max((now - hold.since for hold in holding), default=None)


def hold_keys(app: App[Any], over: Callable[[], bool], while_: Callable[[], bool]) -> None:
    """Let keys wait as `TypeAhead.hold` does; a widget may live in an app without it."""
    ahead = getattr(app, "typeahead", None)
    if isinstance(ahead, TypeAhead):
        ahead.hold(over, while_)


def _impatient(key: Typed) -> bool:
    return isinstance(key, Key) and key.key in IMPATIENT


async def _reached(pump: MessagePump) -> None:
    """Wait until a pump has handled what it had been given before, or is closed."""
    handled = asyncio.Event()
    if not pump.is_running or not pump.call_later(handled.set):
        return
    for _ in range(int(LIMIT / SLICE)):
        with suppress(TimeoutError):
            await asyncio.wait_for(handled.wait(), SLICE)
            return
        if not pump.is_running:
            return
