"""Slots: how many connections to one mailbox are open, over all threads, processes and hosts.

Whoever connects (import, send, Test Connection) holds a slot row under a lease that a thread
renews, so a slow server does not outlive it, and a dead holder's slot frees itself.
"""

import random
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col, delete, func, select, update

from models.account import EmailAccountRow
from models.work import ConnectionSlotRow
from services.cancel import Cancel
from services.errors import ConnectionFailed, ServiceError
from services.store.engine import Store

LEASE = timedelta(seconds=90)
RENEW_SECONDS = 30.0
_POLL_SECONDS = (0.2, 1.0)


@dataclass(frozen=True)
class SlotView:
    """A connection in use, for the gauge."""

    mailbox: str
    holder: str
    purpose: str
    account_name: str
    expires_at: datetime


class MailboxBusy(ConnectionFailed):
    """All connections that the limit allows are in use; trying again later helps."""


class Connections:
    """Hands out connection slots."""

    def __init__(self, store: Store, holder: str, now: Callable[[], datetime]) -> None:
        """Take the store that the slots lie in, and this process's name among all holders."""
        self._store, self._holder, self._now = store, holder, now

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
    ) -> Iterator[None]:
        """Hold a slot of the mailbox while the block runs, waiting up to `wait` seconds for one.

        The limit is the lowest of all accounts on the mailbox, of an unsaved form's and of the
        service's own `ceiling`. Raises MailboxBusy naming who holds the connections; Cancelled.
        """
        cancel = cancel or Cancel()
        caps = [cap for cap in (ceiling, unsaved_limit) if cap is not None]
        slot, token = self._wait(mailbox, purpose, account_name, caps, cancel, say, wait)
        done = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(mailbox, slot, token, done))
        renewer.daemon = True
        renewer.start()
        try:
            yield
        finally:
            done.set()
            self._release(mailbox, slot, token)

    def gauge(self) -> Sequence[SlotView]:
        """Return the connections in use now."""
        with self._store.read() as session:
            rows = session.exec(
                select(ConnectionSlotRow)
                .where(ConnectionSlotRow.expires_at > self._now())
                .order_by(col(ConnectionSlotRow.mailbox), col(ConnectionSlotRow.slot))
            )
            return [
                SlotView(r.mailbox, r.holder, r.purpose, r.account_name, r.expires_at) for r in rows
            ]

    def _wait(
        self,
        mailbox: str,
        purpose: str,
        account_name: str,
        caps: Sequence[int],
        cancel: Cancel,
        say: Callable[[str], None],
        wait: float,
    ) -> tuple[int, str]:
        waited, told = 0.0, False
        while True:
            cancel.check()
            taken, limit, holders = self._try(mailbox, purpose, account_name, caps)
            if taken is not None:
                return taken
            if waited >= wait:
                raise MailboxBusy(
                    f"All {limit} connections that the limit allows are in use: {holders}.",
                    "Wait until one is free, or raise Limit Mailbox Connections.",
                )
            if not told:
                say(f"Waiting for a connection: {holders}.")
                told = True
            pause = random.uniform(*_POLL_SECONDS)  # noqa: S311 - jitter, not a secret
            cancel.sleep(pause)
            waited += pause

    def _try(
        self, mailbox: str, purpose: str, account_name: str, caps: Sequence[int]
    ) -> tuple[tuple[int, str] | None, int | None, str]:
        """Take a free slot in one transaction, or return the limit and who holds the slots."""
        now = self._now()
        with self._store.write() as session:
            _lock(session, mailbox)
            session.exec(
                delete(ConnectionSlotRow).where(
                    col(ConnectionSlotRow.mailbox) == mailbox,
                    col(ConnectionSlotRow.expires_at) <= now,
                )
            )
            limit = _limit(session, mailbox, caps)
            held = session.exec(
                select(ConnectionSlotRow).where(ConnectionSlotRow.mailbox == mailbox)
            ).all()
            if limit is not None and len(held) >= limit:
                return None, limit, ", ".join(f"{h.purpose} of {h.account_name}" for h in held)
            used = {row.slot for row in held}
            slot = next(number for number in range(len(held) + 1) if number not in used)
            row = ConnectionSlotRow(
                mailbox=mailbox,
                slot=slot,
                holder=self._holder,
                purpose=purpose,
                account_name=account_name,
                token=secrets.token_hex(8),
                expires_at=now + LEASE,
            )
            session.add(row)
            return (slot, row.token), limit, ""

    def _renew(self, mailbox: str, slot: int, token: str, done: threading.Event) -> None:
        while not done.wait(RENEW_SECONDS):
            try:
                with self._store.write() as session:
                    session.exec(
                        update(ConnectionSlotRow)
                        .where(_mine(mailbox, slot, token))
                        .values(expires_at=self._now() + LEASE)
                    )
            except ServiceError:
                continue  # the store is away for a moment; the lease bears two missed renewals

    def _release(self, mailbox: str, slot: int, token: str) -> None:
        # Where the store is away just now, the lease frees the slot a little later.
        with suppress(ServiceError), self._store.write() as session:
            session.exec(delete(ConnectionSlotRow).where(_mine(mailbox, slot, token)))


def _mine(mailbox: str, slot: int, token: str) -> ColumnElement[bool]:
    """Return the condition that a slot is still ours: a stale token changes nothing."""
    return and_(
        col(ConnectionSlotRow.mailbox) == mailbox,
        col(ConnectionSlotRow.slot) == slot,
        col(ConnectionSlotRow.token) == token,
    )


def _lock(session: Session, mailbox: str) -> None:
    """Let one contender at a time count a mailbox's slots; on SQLite BEGIN IMMEDIATE has."""
    if session.get_bind().dialect.name == "postgresql":
        session.exec(select(func.pg_advisory_xact_lock(func.hashtext(mailbox))))


def _limit(session: Session, mailbox: str, caps: Sequence[int]) -> int | None:
    lowest = session.exec(
        select(func.min(EmailAccountRow.connection_limit)).where(EmailAccountRow.mailbox == mailbox)
    ).one()
    return min([*caps, *([lowest] if lowest is not None else [])], default=None)
