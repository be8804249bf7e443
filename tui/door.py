"""The one way from the screens to the services: a thread works, the event loop goes on.

The threads are daemons, so that leaving never waits for the network; what must not be cut short
(a save) is waited for by `Console.action_quit` through `busy`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class Door:
    """Runs synchronous services for coroutines of the event loop."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self.busy = 0
        """How many calls are under way."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises, without blocking the loop.

        Cancelling the caller does not stop the work: what was begun is finished, unheard.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: Callable[[], None]) -> None:
            self.busy -= 1
            if not future.done():
                result()

        def run() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - handed over to whoever awaits
                failure = error
                _tell(loop, settle, lambda: future.set_exception(failure))
            else:
                _tell(loop, settle, lambda: future.set_result(value))

        self.busy += 1
        threading.Thread(target=run, name="service", daemon=True).start()
        return await future

    async def stream(self, work: Callable[[], Iterable[T]]) -> AsyncIterator[T]:
        """Yield what `work` yields, each item as soon as it is there."""
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[T | None] = asyncio.Queue()

        def run() -> None:
            for item in work():
                _tell(loop, items.put_nowait, item)

        running = asyncio.ensure_future(self(run))
        running.add_done_callback(lambda _future: items.put_nowait(None))
        while (item := await items.get()) is not None:
            yield item
        await running


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: the console has been left meanwhile
        loop.call_soon_threadsafe(call, *args)
