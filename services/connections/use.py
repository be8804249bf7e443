"""The gauge: how many connections to each mailbox are open now, of how many, and whose."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlmodel import col, select

from models.account import EmailAccountRow
from services.connections.service import Connections
from services.connections.slots import SlotView
from services.protocols import PROTOCOLS
from services.store.engine import Store


@dataclass(frozen=True)
class MailboxUse:
    """The open connections to one mailbox."""

    accounts: str
    """The names of the accounts that hold them."""
    used: int
    limit: int | None
    """The lowest of all accounts on the mailbox and of the service's own; None: no limit."""
    holders: str
    """What for and where, such as ``import on mail1``."""


def in_use(store: Store, connections: Connections) -> Sequence[MailboxUse]:
    """Return the mailboxes to which connections are open, in the order of their keys."""
    slots = connections.gauge()
    limits = _limits(store, {slot.mailbox for slot in slots}) if slots else {}
    grouped = groupby(slots, lambda slot: slot.mailbox)
    return [_use(list(held), limits.get(mailbox)) for mailbox, held in grouped]


def _use(slots: Sequence[SlotView], limit: int | None) -> MailboxUse:
    holders = (f"{slot.purpose} on {slot.holder.partition(':')[0]}" for slot in slots)
    return MailboxUse(
        _joined(slot.account_name for slot in slots), len(slots), limit, _joined(holders)
    )


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _limits(store: Store, mailboxes: set[str]) -> dict[str, int]:
    statement = select(
        EmailAccountRow.mailbox, EmailAccountRow.connection_limit, EmailAccountRow.protocol
    ).where(col(EmailAccountRow.mailbox).in_(mailboxes))
    found: dict[str, int] = {}
    with store.read() as session:
        for mailbox, own, protocol in session.exec(statement):
            caps = (own, PROTOCOLS[protocol].connection_ceiling, found.get(mailbox))
            lowest = min((cap for cap in caps if cap is not None), default=None)
            if lowest is not None:
                found[mailbox] = lowest
    return found
