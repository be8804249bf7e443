"""Slots: how many connections to one mailbox are open, over all threads, processes and hosts.

Whoever connects (import, send, Test Connection) holds a slot row under a lease that a thread
renews, so a slow server does not outlive it, and a dead holder's slot frees itself.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from services.cancel import Cancel
from services.connections.slots import LEASE, Claim, Slot, Slots, SlotView
from services.errors import Cancelled, ConnectionFailed, ServiceError
from services.store.engine import Store

RENEW_SECONDS = 30.0
_POLL_SECONDS = (0.2, 1.0)
MoreSlots = Callable[[int], AbstractContextManager[int]]
"""Holds up to so many further slots while a block runs, and tells how many it got."""


@dataclass(frozen=True)
class Held:
    """A connection that may be opened now."""

    cancel: Cancel
    """The connection's own: asked where the caller's is, and where the slot was lost."""
    more_slots: MoreSlots


class MailboxBusy(ConnectionFailed):
    """All connections that the limit allows are in use; trying again later helps."""


class SlotLost(ConnectionFailed):
    """This program stood still, or saw no store, for so long that its slot went to another."""


class Connections:
    """Hands out connection slots."""

    def __init__(self, store: Store, holder: str, now: Callable[[], datetime]) -> None:
        """Take the store that the slots lie in, and this process's name among all holders."""
        self._slots = Slots(store, holder, now)

    @contextmanager
    def hold(
        self,
        mailbox: str,
        purpose: str,
        account_name: str,
        *,
        ceiling: int | None = None,
        cancel: Cancel | None = None,
        say: Callable[[str], None] = lambda _text: None,
        wait: float = 0,
        unsaved_limit: int | None = None,
    ) -> Iterator[Held]:
        """Hold a slot of the mailbox while the block runs, waiting up to `wait` seconds for one.

        The limit is the lowest of all accounts on the mailbox, of an unsaved form's and of the
        service's own `ceiling`. What is yielded takes further slots for a short while: up to the
        wanted number, as many as are free at once and none while somebody else waits.
        Raises MailboxBusy naming who holds the connections; Cancelled; SlotLost.
        """
        caps = tuple(cap for cap in (ceiling, unsaved_limit) if cap is not None)
        claim = Claim(mailbox, purpose, account_name, caps)
        outer, own, lost = cancel or Cancel(), Cancel(), threading.Event()

        def lose() -> None:
            lost.set()
            own.cancel()

        slot = self._wait(claim, outer, say, wait)
        with self._kept(claim, slot, lose), outer.closing(own.cancel):
            try:
                yield Held(own, lambda wanted: self._more(claim, wanted, lose))
            except Cancelled:
                if outer.requested or not lost.is_set():
                    raise
                raise SlotLost(
                    "The connection was given to another program, since this one stood still.",
                    "It is tried again.",
                ) from None

    @contextmanager
    def _more(self, claim: Claim, wanted: int, lose: Callable[[], None]) -> Iterator[int]:
        with ExitStack() as slots:
            held = 0
            while held < wanted and (taken := self._slots.take(claim, spare=True).taken):
                slots.enter_context(self._kept(claim, taken, lose))
                held += 1
            yield held

    @contextmanager
    def _kept(self, claim: Claim, slot: Slot, lose: Callable[[], None]) -> Iterator[None]:
        """Renew a slot's lease while the block runs, then give the slot back."""
        done = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(claim, slot, done, lose))
        renewer.daemon = True
        renewer.start()
        try:
            yield
        finally:
            done.set()
            self._release(slot)

    def gauge(self) -> Sequence[SlotView]:
        """Return the connections in use now."""
        return self._slots.in_use()

    def _wait(self, claim: Claim, cancel: Cancel, say: Callable[[str], None], wait: float) -> Slot:
        waited, told = 0.0, False
        while True:
            cancel.check()
            tried = self._slots.take(claim)
            if tried.taken is not None:
                return tried.taken
            if waited >= wait:
                raise MailboxBusy(
                    f"All {tried.limit} connections that the limit allows are in use: "
                    f"{tried.holders}.",
                    "Wait until one is free, or raise Limit Mailbox Connections.",
                )
            if not told:
                say(f"Waiting for a connection: {tried.holders}.")
                told = True
            pause = random.uniform(*_POLL_SECONDS)  # noqa: S311 - jitter, not a secret
            cancel.sleep(pause)
            waited += pause

    def _renew(
        self, claim: Claim, slot: Slot, done: threading.Event, lose: Callable[[], None]
    ) -> None:
        renewed_at = time.monotonic()
        while not done.wait(RENEW_SECONDS):
            try:
                kept = self._slots.prolong(slot) or self._take_anew(claim, slot, done)
            except ServiceError:  # the store is away for a moment; the lease bears two such
                kept = time.monotonic() - renewed_at < LEASE.total_seconds()
            else:
                renewed_at = time.monotonic()
            if not kept:
                return lose()

    def _take_anew(self, claim: Claim, slot: Slot, done: threading.Event) -> bool:
        """Replace a slot that was lost, where another one is free."""
        if done.is_set():  # it was given back meanwhile
            return True
        taken = self._slots.take(claim, spare=True).taken
        if taken is None:
            return False
        slot.number, slot.token = taken.number, taken.token
        if done.is_set():
            self._release(slot)
        return True

    def _release(self, slot: Slot) -> None:
        # Where the store is away just now, the lease frees the slot a little later.
        with suppress(ServiceError):
            self._slots.give_back(slot)
