"""Numbers for mail to come, so that it and what refers to it are each written in one go.

SQLAlchemy would learn them from what was written, on SQLite one row after the other.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel import Session

_LAST = text("SELECT coalesce(max(id), 0) FROM mail")
_NEXT = text("SELECT nextval(pg_get_serial_sequence('mail', 'id')) FROM generate_series(1, :count)")


def mail_numbers(session: Session, count: int) -> Sequence[int]:
    """Return the next numbers of mail, ascending, for rows that this transaction writes.

    They are those that the store itself would give; on SQLite because there is no other writer.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        first = connection.execute(_LAST).scalar_one() + 1
        return range(first, first + count)
    return connection.execute(_NEXT, {"count": count}).scalars().all()
