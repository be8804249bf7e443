"""Connection slots in the store: taken, prolonged and given back, each in one transaction.

A slot is a row under a lease, so that a dead holder's slot frees itself.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col, delete, func, select, update

from models.account import EmailAccountRow
from models.work import ConnectionSlotRow
from services.store.engine import Store

LEASE = timedelta(seconds=90)
_WANTED = -1
"""The slot number of a row that says: somebody waits for a slot of this mailbox."""
_WANTED_FOR = timedelta(seconds=20)
"""How long that holds: those who do not stay to wait come back sooner."""
_LOCKS = 7417003
"""The space of advisory locks, of which each mailbox has one."""


@dataclass(frozen=True)
class SlotView:
    """A connection in use, for the gauge."""

    mailbox: str
    holder: str
    purpose: str
    account_name: str
    expires_at: datetime


@dataclass(frozen=True)
class Claim:
    """Who wants a slot of which mailbox, and what limits it beside the accounts' own limits."""

    mailbox: str
    purpose: str
    account_name: str
    caps: tuple[int, ...]


@dataclass
class Slot:
    """A slot of ours, and the token without which nothing is written to it."""

    mailbox: str
    number: int
    token: str


@dataclass(frozen=True)
class Tried:
    """A slot, or None and why there is none."""

    taken: Slot | None
    limit: int | None
    holders: str = ""


class Slots:
    """Keeps the slots; who waits, and for how long, is for `Connections` to say."""

    def __init__(self, store: Store, holder: str, now: Callable[[], datetime]) -> None:
        """Take the store that the slots lie in, and this process's name among all holders."""
        self._store, self._holder, self._now = store, holder, now

    def in_use(self) -> Sequence[SlotView]:
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

    def take(self, claim: Claim, *, spare: bool = False) -> Tried:
        """Take a free slot in one transaction, or tell the limit and who holds the slots.

        A `spare` slot is left to others where somebody waits, who is noted in a row of no slot.
        """
        now = self._now()
        with self._store.write(shared=True) as session:
            _lock(session, claim.mailbox)
            rows = _rows(session, claim.mailbox, now)
            held = [row for row in rows if row.slot != _WANTED]
            limit = _limit(session, claim.mailbox, claim.caps)
            if spare and len(held) < len(rows):
                return Tried(None, limit)
            if limit is not None and len(held) >= limit:
                if not spare:
                    session.merge(self._row(claim, _WANTED, now + _WANTED_FOR))
                names = ", ".join(self._named(row) for row in held)
                return Tried(None, limit, names)
            used = {row.slot for row in held}
            slot = next(number for number in range(len(held) + 1) if number not in used)
            row = self._row(claim, slot, now + LEASE)
            session.add(row)
            if not spare:
                session.exec(delete(ConnectionSlotRow).where(_slot(claim.mailbox, _WANTED)))
            return Tried(Slot(claim.mailbox, slot, row.token), limit)

    def _named(self, row: ConnectionSlotRow) -> str:
        """Say who holds a slot, and on which host where that is not ours."""
        host, ours = row.holder.partition(":")[0], self._holder.partition(":")[0]
        return f"{row.purpose} of {row.account_name}{'' if host == ours else f' on {host}'}"

    def _row(self, claim: Claim, slot: int, until: datetime) -> ConnectionSlotRow:
        return ConnectionSlotRow(
            mailbox=claim.mailbox,
            slot=slot,
            holder=self._holder,
            purpose=claim.purpose,
            account_name=claim.account_name,
            token=secrets.token_hex(8),
            expires_at=until,
        )

    def prolong(self, slot: Slot) -> bool:
        """Renew a lease, even one that ran out where nobody noticed; False: it is lost."""
        with self._store.write(shared=True) as session:
            done = session.exec(
                update(ConnectionSlotRow).where(_mine(slot)).values(expires_at=self._now() + LEASE)
            )
            return bool(done.rowcount)

    def give_back(self, slot: Slot) -> None:
        """Free a slot that is still ours."""
        with self._store.write(shared=True) as session:
            session.exec(delete(ConnectionSlotRow).where(_mine(slot)))


def _slot(mailbox: str, slot: int) -> ColumnElement[bool]:
    return and_(col(ConnectionSlotRow.mailbox) == mailbox, col(ConnectionSlotRow.slot) == slot)


def _mine(slot: Slot) -> ColumnElement[bool]:
    """Return the condition that a slot is still ours: a stale token changes nothing."""
    return and_(_slot(slot.mailbox, slot.number), col(ConnectionSlotRow.token) == slot.token)


def _rows(session: Session, mailbox: str, now: datetime) -> Sequence[ConnectionSlotRow]:
    """Return a mailbox's rows after those are deleted whose lease is over."""
    ours = col(ConnectionSlotRow.mailbox) == mailbox
    over = col(ConnectionSlotRow.expires_at) <= now
    session.exec(delete(ConnectionSlotRow).where(ours, over))
    return session.exec(select(ConnectionSlotRow).where(ours)).all()


def _lock(session: Session, mailbox: str) -> None:
    """Let one contender at a time count a mailbox's slots; on SQLite BEGIN IMMEDIATE has."""
    if session.get_bind().dialect.name == "postgresql":
        session.exec(select(func.pg_advisory_xact_lock(_LOCKS, func.hashtext(mailbox))))


def _limit(session: Session, mailbox: str, caps: Sequence[int]) -> int | None:
    lowest = session.exec(
        select(func.min(EmailAccountRow.connection_limit)).where(EmailAccountRow.mailbox == mailbox)
    ).one()
    return min([*caps, *([lowest] if lowest is not None else [])], default=None)
