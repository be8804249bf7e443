"""A worker's heartbeat: it tells faces that somebody works, and ends the work when asked to."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Self

from sqlmodel import col, delete

from models.work import WorkerRow
from services.cancel import Cancel
from services.errors import ServiceError
from services.worker.crew import fault

if TYPE_CHECKING:
    from services.bootstrap import Services

BEAT_SECONDS = 10.0
GRACE_SECONDS = 20.0
"""How long the message in hand may go on after a stop; systemd kills after ninety seconds."""

_FORGET_AFTER = timedelta(days=1)
_POLL_SECONDS = 0.25


class Heart:
    """Beats in a thread of its own, so that a slow server does not make a worker look dead."""

    def __init__(
        self,
        services: "Services",
        stop: Cancel,
        work: Cancel,
        grace: float = GRACE_SECONDS,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Cancel `work` once `stop` was asked for `grace` seconds ago."""
        self._services, self._stop, self._work, self._grace = services, stop, work, grace
        self._say, self._told = say, ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started_at = services.now()

    def __enter__(self) -> Self:
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._done.set()
        self._thread.join()

    def sign_off(self) -> None:
        """Let faces see at once that nobody works any more."""
        with self._services.store.write(shared=True) as session:
            mine = col(WorkerRow.holder) == self._services.holder
            session.exec(delete(WorkerRow).where(mine))

    def _run(self) -> None:
        beat_at, end_at = time.monotonic() + BEAT_SECONDS, float("inf")
        while not self._done.wait(_POLL_SECONDS):
            now = time.monotonic()
            if self._stop.requested:
                end_at = min(end_at, now + self._grace)
            if now >= end_at:
                self._work.cancel()
            if now >= beat_at:
                beat_at = now + BEAT_SECONDS
                self._try_to_beat()

    def _try_to_beat(self) -> None:
        try:
            self._beat()
        except ServiceError:
            return  # the store is away, as whoever works with it says; the next beat comes soon
        except Exception as error:  # noqa: BLE001 - a stop must end the work all the same
            if self._told != (words := f"Heartbeat: {fault(error)}"):
                self._told = words
                self._say(words)

    def _beat(self) -> None:
        now = self._services.now()
        with self._services.store.write(shared=True) as session:
            session.exec(delete(WorkerRow).where(col(WorkerRow.seen_at) < now - _FORGET_AFTER))
            session.merge(
                WorkerRow(
                    holder=self._services.holder,
                    version=version("tourmail"),
                    started_at=self._started_at,
                    seen_at=now,
                    doing="outbox",
                )
            )
