"""Fetches one batch ahead, in a thread of its own, while another one is judged and stored."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

from services.cancel import Cancel

P = ParamSpec("P")
T = TypeVar("T")


class Ahead:
    """Does one thing after the other on a connection that nobody else uses meanwhile."""

    def __init__(self, cancel: Cancel) -> None:
        """Take what breaks the connection where the block is left early."""
        self._cancel = cancel
        self._pool = ThreadPoolExecutor(1, "ahead")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        if kind is not None:
            self._cancel.cancel()  # else a slow server would have us wait for what nobody wants
        self._pool.shutdown(cancel_futures=True)

    def do(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> Future[T]:
        """Do it once everything before is done."""
        return self._pool.submit(function, *args, **options)

    def each(self, things: Iterator[T]) -> Iterator[T]:
        """Yield what an iterator gives, which is asked one step ahead."""
        coming = self.do(next, things, None)
        while (thing := coming.result()) is not None:
            coming = self.do(next, things, None)
            yield thing
