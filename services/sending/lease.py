"""Keeps the lease of the message in hand alive from a thread, while a slow server answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Self

from services.cancel import Cancel
from services.errors import ServiceError
from services.sending import claims
from services.sending.claims import Claimed
from services.store.engine import Store

RENEW_SECONDS = claims.LEASE.total_seconds() / 3


class LeaseKeeper:
    """Renews one message's lease at a time; where it is lost, breaks the connection off."""

    def __init__(self, store: Store, now: Callable[[], datetime], cancel: Cancel) -> None:
        """Take the Cancel of the connection that sends."""
        self._store, self._now, self._cancel = store, now, cancel
        self._claimed: Claimed | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def keeping(self, claimed: Claimed) -> Iterator[None]:
        """Renew this message's lease while the block runs."""
        with self._lock:
            self._claimed = claimed
        try:
            yield
        finally:
            with self._lock:
                self._claimed = None

    def _run(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            # Where the store is away for a moment, the lease bears two missed renewals.
            with suppress(ServiceError), self._lock:
                if self._claimed is not None and not self._renew(self._claimed):
                    self._cancel.cancel()

    def _renew(self, claimed: Claimed) -> bool:
        with self._store.write(shared=True) as session:
            return claims.renew(session, claimed, self._now())
