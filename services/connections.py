"""Slots: how many connections to one mailbox are open, over all threads, processes and hosts.

Whoever connects (import, send, Test Connection) holds a slot row under a lease that a thread
renews, so a slow server does not outlive it, and a dead holder's slot frees itself.
"""

import random
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
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
_WANTED = -1
"""The slot number of a row that says: somebody waits for a slot of this mailbox."""
_WANTED_FOR = timedelta(seconds=20)
"""How long that holds: those who do not stay to wait come back sooner."""

MoreSlots = Callable[[int], AbstractContextManager[int]]
"""Holds up to so many further slots while a block runs, and tells how many it got."""


@dataclass(frozen=True)
class SlotView:
    """A connection in use, for the gauge."""

    mailbox: str
    holder: str
    purpose: str
    account_name: str
    expires_at: datetime


@dataclass(frozen=True)
class _Claim:
    """Who wants a slot of which mailbox, and what limits it beside the accounts' own limits."""

    mailbox: str
    purpose: str
    account_name: str
    caps: tuple[int, ...]


@dataclass(frozen=True)
class _Tried:
    """A slot's number and token, or None and why there is none."""

    taken: tuple[int, str] | None
    limit: int | None
    holders: str = ""


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
    ) -> Iterator[MoreSlots]:
        """Hold a slot of the mailbox while the block runs, waiting up to `wait` seconds for one.

        The limit is the lowest of all accounts on the mailbox, of an unsaved form's and of the
        service's own `ceiling`. Yields what takes further slots for a short while: up to the
        wanted number, as many as are free at once and none while somebody else waits.
        Raises MailboxBusy naming who holds the connections; Cancelled.
        """
        caps = tuple(cap for cap in (ceiling, unsaved_limit) if cap is not None)
        claim = _Claim(mailbox, purpose, account_name, caps)
        with self._kept(claim, self._wait(claim, cancel or Cancel(), say, wait)):
            yield lambda wanted: self._more(claim, wanted)

    @contextmanager
    def _more(self, claim: "_Claim", wanted: int) -> Iterator[int]:
        with ExitStack() as slots:
            held = 0
            while held < wanted and (taken := self._try(claim, spare=True).taken):
                slots.enter_context(self._kept(claim, taken))
                held += 1
            yield held

    @contextmanager
    def _kept(self, claim: "_Claim", taken: tuple[int, str]) -> Iterator[None]:
        """Renew a slot's lease while the block runs, then give the slot back."""
        done = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(claim.mailbox, *taken, done))
        renewer.daemon = True
        renewer.start()
        try:
            yield
        finally:
            done.set()
            self._release(claim.mailbox, *taken)

    def gauge(self) -> Sequence[SlotView]:
        """Return the connections in use now."""
        with self._store.read() as session:
            rows = session.exec(
                select(ConnectionSlotRow)
                .where(
                    ConnectionSlotRow.expires_at > self._now(), ConnectionSlotRow.slot != _WANTED
                )
                .order_by(col(ConnectionSlotRow.mailbox), col(ConnectionSlotRow.slot))
            )
            return [
                SlotView(r.mailbox, r.holder, r.purpose, r.account_name, r.expires_at) for r in rows
            ]

    def _wait(
        self, claim: "_Claim", cancel: Cancel, say: Callable[[str], None], wait: float
    ) -> tuple[int, str]:
        waited, told = 0.0, False
        while True:
            cancel.check()
            tried = self._try(claim)
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

    def _try(self, claim: "_Claim", *, spare: bool = False) -> "_Tried":
        """Take a free slot in one transaction, or tell the limit and who holds the slots.

        A `spare` slot is left to others where somebody waits, who is noted in a row of no slot.
        """
        now = self._now()
        with self._store.write() as session:
            _lock(session, claim.mailbox)
            rows = _rows(session, claim.mailbox, now)
            held = [row for row in rows if row.slot != _WANTED]
            limit = _limit(session, claim.mailbox, claim.caps)
            if spare and len(held) < len(rows):
                return _Tried(None, limit)
            if limit is not None and len(held) >= limit:
                if not spare:
                    session.merge(self._row(claim, _WANTED, now + _WANTED_FOR))
                names = ", ".join(f"{h.purpose} of {h.account_name}" for h in held)
                return _Tried(None, limit, names)
            used = {row.slot for row in held}
            slot = next(number for number in range(len(held) + 1) if number not in used)
            row = self._row(claim, slot, now + LEASE)
            session.add(row)
            if not spare:
                session.exec(delete(ConnectionSlotRow).where(_slot(claim.mailbox, _WANTED)))
            return _Tried((slot, row.token), limit)

    def _row(self, claim: "_Claim", slot: int, until: datetime) -> ConnectionSlotRow:
        return ConnectionSlotRow(
            mailbox=claim.mailbox,
            slot=slot,
            holder=self._holder,
            purpose=claim.purpose,
            account_name=claim.account_name,
            token=secrets.token_hex(8),
            expires_at=until,
        )

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


def _slot(mailbox: str, slot: int) -> ColumnElement[bool]:
    return and_(col(ConnectionSlotRow.mailbox) == mailbox, col(ConnectionSlotRow.slot) == slot)


def _mine(mailbox: str, slot: int, token: str) -> ColumnElement[bool]:
    """Return the condition that a slot is still ours: a stale token changes nothing."""
    return and_(_slot(mailbox, slot), col(ConnectionSlotRow.token) == token)


def _rows(session: Session, mailbox: str, now: datetime) -> Sequence[ConnectionSlotRow]:
    """Return a mailbox's rows after those are deleted whose lease is over."""
    ours = col(ConnectionSlotRow.mailbox) == mailbox
    over = col(ConnectionSlotRow.expires_at) <= now
    session.exec(delete(ConnectionSlotRow).where(ours, over))
    return session.exec(select(ConnectionSlotRow).where(ours)).all()


def _lock(session: Session, mailbox: str) -> None:
    """Let one contender at a time count a mailbox's slots; on SQLite BEGIN IMMEDIATE has."""
    if session.get_bind().dialect.name == "postgresql":
        session.exec(select(func.pg_advisory_xact_lock(func.hashtext(mailbox))))


def _limit(session: Session, mailbox: str, caps: Sequence[int]) -> int | None:
    lowest = session.exec(
        select(func.min(EmailAccountRow.connection_limit)).where(EmailAccountRow.mailbox == mailbox)
    ).one()
    return min([*caps, *([lowest] if lowest is not None else [])], default=None)
