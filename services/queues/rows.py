"""Queue messages about mail, written in the transaction of whatever happens to that mail."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import exists, insert, literal, select
from sqlmodel import Session, col, update

from models.mail import MailRow, Outcome
from models.queue import QueueMessageRow


def raise_for_mail(
    session: Session, queue_id: int | None, mails: Iterable[tuple[int, str]], now: datetime
) -> None:
    """Tell a queue of errored mails: (number, what happened). Without a queue nobody is told.

    None of them may have an open message in the queue.
    """
    rows = [
        {"queue_id": queue_id, "mail_id": mail_id, "text": words, "event": "", "created_at": now}
        | {"done_by": ""}
        for mail_id, words in mails
    ]
    if queue_id is not None and rows:
        session.connection().execute(insert(QueueMessageRow), rows)


def close_for_mail(session: Session, ids: Sequence[int], who: str, now: datetime) -> None:
    """Close whatever is open about some mail, since it is an open error no longer."""
    session.execute(
        update(QueueMessageRow)
        .where(col(QueueMessageRow.mail_id).in_(ids), col(QueueMessageRow.done_at).is_(None))
        .values(done_at=now, done_by=who)
        .execution_options(synchronize_session=False)
    )


def tell_missing(session: Session) -> int:
    """Tell queues of open errors that they were never told of, and return how many there were.

    Those come from before queues were told of anything.
    """
    untold = select(
        col(MailRow.queue_id),
        col(MailRow.id),
        literal(""),
        col(MailRow.why),
        col(MailRow.created_at),
        literal(""),
    ).where(
        col(MailRow.outcome) == Outcome.ERROR,
        col(MailRow.dismissed_at).is_(None),
        col(MailRow.queue_id).is_not(None),
        ~exists().where(col(QueueMessageRow.mail_id) == col(MailRow.id)),
    )
    untold = untold.order_by(col(MailRow.received_at), col(MailRow.id))
    columns = ["queue_id", "mail_id", "event", "text", "created_at", "done_by"]
    statement = insert(QueueMessageRow).from_select(columns, untold)
    done = session.connection().execute(statement, execution_options={"preserve_rowcount": True})
    return done.rowcount
