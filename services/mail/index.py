"""The text that mail is found by, made from what is kept: after a retry or an assignment, and for
mail that came before the store could be searched. Imports write it with the mail itself.
"""

from collections.abc import Sequence

from sqlalchemy import insert
from sqlmodel import Session, col, delete, select

from models.mail import MailRow, MailTextRow, RawMailRow
from services.importing.parse import skim
from services.store.folding import text_row


def write_texts(session: Session, rows: Sequence[MailRow]) -> None:
    """Make the texts of some mail anew, in the transaction that changes it."""
    ids = [row.id or 0 for row in rows]
    whole = select(RawMailRow.mail_id, RawMailRow.data).where(
        col(RawMailRow.mail_id).in_(ids), col(RawMailRow.complete)
    )
    bodies = {id_: skim(data).words for id_, data in session.exec(whole)}
    session.exec(delete(MailTextRow).where(col(MailTextRow.mail_id).in_(ids)))
    texts = [
        text_row(row.id or 0, row.model_dump(), bodies.get(row.id or 0, "")) for row in rows
    ]  # fmt: skip
    if texts:
        session.connection().execute(insert(MailTextRow), texts)
