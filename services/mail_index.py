"""The text that mail is found by: written anew, and added where an older store has none.

Imports write it with the mail itself. Here it is made from what is kept: after a retry or an
assignment, and for mail that came before the store could be searched.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, insert
from sqlmodel import Session, col, delete, exists, func, select

from models.mail import MailRow, MailTextRow, RawMailRow
from services.importing.parse import skim
from services.store.engine import Store
from services.store.search import text_row

BATCH = 100
"""Messages indexed at once; each batch is a transaction, so that a killed upgrade goes on."""

Tell = Callable[[int, int | None], None]


def write_texts(session: Session, rows: Sequence[MailRow]) -> None:
    """Make the texts of some mail anew, in the transaction that changes it."""
    ids = [row.id or 0 for row in rows]
    whole = select(RawMailRow.mail_id, RawMailRow.data).where(
        col(RawMailRow.mail_id).in_(ids), col(RawMailRow.complete)
    )
    bodies = {id_: skim(data).text for id_, data in session.exec(whole)}
    session.exec(delete(MailTextRow).where(col(MailTextRow.mail_id).in_(ids)))
    texts = [
        text_row(row.id or 0, row.model_dump(), bodies.get(row.id or 0, "")) for row in rows
    ]  # fmt: skip
    if texts:
        session.connection().execute(insert(MailTextRow), texts)


def count_missing(session: Session) -> int:
    """Return how much mail cannot be found by its text."""
    statement = select(func.count()).select_from(MailRow).where(_without_text())
    return int(session.exec(statement).one())


def write_missing(store: Store, tell: Tell = lambda _done, _total: None) -> int:
    """Make the texts that are missing, and return how many; what was made stays if this stops."""
    with store.read() as session:
        total = count_missing(session)
    done = last = 0
    while rows := _write_some(store, last):
        done, last = done + len(rows), rows[-1].id or 0
        tell(done, max(total, done))
    return done


def _write_some(store: Store, last: int) -> Sequence[MailRow]:
    statement = select(MailRow).where(col(MailRow.id) > last, _without_text())
    with store.write() as session:
        # Locked, so that two upgraders on PostgreSQL never write the same text.
        locked = statement.order_by(col(MailRow.id)).limit(BATCH).with_for_update()
        rows = session.exec(locked).all()
        write_texts(session, rows)
    return rows


def _without_text() -> ColumnElement[bool]:
    return ~exists().where(col(MailTextRow.mail_id) == col(MailRow.id))
