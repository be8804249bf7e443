"""Fetches ahead, in threads of its own, while what came before is judged and stored."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

from services.cancel import Cancel

P = ParamSpec("P")
T = TypeVar("T")


class Ahead:
    """Begins things in their order, on connections that nobody else uses meanwhile."""

    def __init__(self, cancel: Cancel, at_once: int) -> None:
        """Take what breaks the connections where the block is left early.

        So many things are done `at_once`; where it is one, each ends before the next begins.
        """
        self._cancel = cancel
        self._pool = ThreadPoolExecutor(at_once, "ahead")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        if kind is not None:
            self._cancel.cancel()  # else a slow server would have us wait for what nobody wants
        self._pool.shutdown(cancel_futures=True)

    def do(self, function: Callable[P, T], *args: P.args, **options: P.kwargs) -> Future[T]:
        """Do it once everything before has begun and a thread is free."""
        return self._pool.submit(function, *args, **options)
