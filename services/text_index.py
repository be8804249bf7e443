"""Texts to search that are missing in an older store: counted, and written in batches.

What is new is written with its text in one transaction, so nothing is missing in a store that this
version made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, insert
from sqlmodel import Session, col, exists, func, select

from models.contacts import PartyRow, PartyTextRow
from models.mail import MailRow
from models.outbox import OutboxRecipientRow, OutboxRow, OutboxTextRow
from services.contacts.rows import party_of
from services.mail.index import write_texts
from services.store.engine import Store
from services.store.folding import outbox_text, party_text
from services.store.search import MAIL, OUTBOX, PARTIES, TextIndex

BATCH = 100
"""Records indexed at once; each batch is a transaction, so that a killed upgrade goes on."""

Tell = Callable[[int, int | None], None]


@dataclass(frozen=True)
class _Kind:
    """Records that have texts, and how those are written."""

    row: Any
    index: TextIndex
    write: Callable[[Session, Sequence[Any]], None]

    @property
    def missing(self) -> ColumnElement[bool]:
        """The condition that a record has no text."""
        return ~exists().where(self.index.owner == self.index.owned)

    def count(self, session: Session) -> int:
        """Return how many records have no text."""
        statement = select(func.count()).select_from(self.row).where(self.missing)
        return int(session.exec(statement).one())

    def write_some(self, store: Store, last: int) -> Sequence[Any]:
        """Write the texts of some records behind a number, and return the records."""
        statement = select(self.row).where(self.index.owned > last, self.missing)
        with store.write() as session:
            # Locked, so that two upgraders on PostgreSQL never write the same text.
            locked = statement.order_by(self.index.owned).limit(BATCH).with_for_update()
            rows = session.exec(locked).all()
            if rows:
                self.write(session, rows)
        return rows


def _write_outbox(session: Session, rows: Sequence[OutboxRow]) -> None:
    ids = [row.id or 0 for row in rows]
    found: dict[int, list[str]] = {}
    statement = select(OutboxRecipientRow.outbox_id, OutboxRecipientRow.address)
    for which, address in session.exec(statement.where(col(OutboxRecipientRow.outbox_id).in_(ids))):
        found.setdefault(which, []).append(address)
    texts = [
        {"outbox_id": row.id, "text": outbox_text(row, found.get(row.id or 0, ()))} for row in rows
    ]
    session.connection().execute(insert(OutboxTextRow), texts)


def _write_parties(session: Session, rows: Sequence[PartyRow]) -> None:
    texts = [{"party_id": row.id, "text": party_text(party_of(session, row).form)} for row in rows]
    session.connection().execute(insert(PartyTextRow), texts)


_KINDS = (
    _Kind(MailRow, MAIL, write_texts),
    _Kind(OutboxRow, OUTBOX, _write_outbox),
    _Kind(PartyRow, PARTIES, _write_parties),
)


def count_missing(session: Session) -> int:
    """Return how many messages and contacts' records cannot be found by their text."""
    return sum(kind.count(session) for kind in _KINDS)


def write_missing(store: Store, tell: Tell = lambda _done, _total: None) -> int:
    """Write the texts that are missing, and return how many; what was written stays if stopped."""
    with store.read() as session:
        total = count_missing(session)
    done = 0
    for kind in _KINDS:
        last = 0
        while rows := kind.write_some(store, last):
            done, last = done + len(rows), rows[-1].id or 0
            tell(done, max(total, done))
    return done
