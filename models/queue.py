"""Messages in a queue: what the members of a Queue Destination are to look after."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field as Col

from models.base import Row, partial_index


class QueueMessageRow(Row, table=True):
    """One thing to look after: an errored mail, or what the system itself has to report.

    It is every member's until the queue's owner gives it to one user, and done once one of them
    says so.
    """

    __tablename__ = "queue_message"
    __table_args__ = (
        CheckConstraint("mail_id IS NOT NULL OR event <> ''", name="ck_queue_message_about"),
        partial_index(
            "ix_queue_message_open",
            "queue_id",
            "id",
            where="done_at IS NULL",
        ),
        # One open message for one mail or event in a queue.
        partial_index(
            "uq_queue_message_mail",
            "queue_id",
            "mail_id",
            unique=True,
            where="done_at IS NULL",
        ),
        partial_index(
            "uq_queue_message_event",
            "queue_id",
            "event",
            unique=True,
            where="done_at IS NULL AND mail_id IS NULL",
        ),
    )

    id: int | None = Col(default=None, primary_key=True)
    queue_id: int = Col(foreign_key="queue_destination.id", ondelete="CASCADE")
    mail_id: int | None = Col(default=None, foreign_key="mail.id", ondelete="CASCADE", index=True)
    event: str = ""
    """What the system reports, as a stable word with its object, such as ``failing:UUID``."""
    text: str
    """What happened, in words."""
    user_id: int | None = Col(
        default=None, foreign_key="app_user.id", ondelete="SET NULL", index=True
    )
    """Whom the owner gave it to; None means every member."""
    created_at: datetime
    done_at: datetime | None = None
    done_by: str = ""
