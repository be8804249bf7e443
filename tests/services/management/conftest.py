"""A desk that both imports and sends, and short words for its actions."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import col, select

from models.mail import MailActionRow, MailRow, RawMailRow
from models.outbox import OutboxRecipientRow, OutboxRow
from models.queue import QueueMessageRow
from services.results import Result
from tests.services.importing.conftest import OURS, Desk, around, desk, letter
from tests.stores import save, smtp_raw

__all__ = ["around", "desk"]

OPS, NIGHT = "ops@operator.test", "night@operator.test"
STRANGER = "stranger@else.test"
REPLY = f"In-Reply-To: {OURS}"


class Manager(Desk):
    """A desk with the verbs of Email Management."""

    def act(self, verb: str, *args: Any, **options: Any) -> list[Result]:
        """Do something that may need the mailbox."""
        do: Callable[..., list[Result]] = getattr(self.services.management, verb)
        return do(*args, surroundings=self.around, **options)

    def mail(self, number: int) -> MailRow:
        with self.services.store.read() as session:
            row = session.get(MailRow, number)
            assert row is not None
            return row

    def raw(self, number: int) -> RawMailRow:
        with self.services.store.read() as session:
            row = session.get(RawMailRow, number)
            assert row is not None
            return row

    def actions(self) -> list[tuple[int, str, str]]:
        with self.services.store.read() as session:
            return [
                (row.mail_id, row.action, row.detail) for row in session.exec(select(MailActionRow))
            ]

    def queued(self) -> list[OutboxRow]:
        with self.services.store.read() as session:
            return list(session.exec(select(OutboxRow).where(OutboxRow.state == "queued")))

    def all_recipients(self) -> list[tuple[str, str]]:
        with self.services.store.read() as session:
            return [(row.state, row.reply) for row in session.exec(select(OutboxRecipientRow))]

    def told(self, *, opened: bool = True) -> list[int | None]:
        """Return which mail the queue has messages about."""
        with self.services.store.read() as session:
            rows = session.exec(select(QueueMessageRow).order_by(col(QueueMessageRow.id)))
            return [row.mail_id for row in rows if (row.done_at is None) is opened]


@pytest.fixture
def manager(desk: Desk) -> Manager:
    """An account with two approved addresses, a System Email Account, and a message we sent."""
    made = Manager(desk.services, desk.mailbox, desk.around)
    made.account(
        error_queue="Errors", forward=[{"email": OPS, "name": "Operations"}, {"email": NIGHT}]
    )
    save(made.services, smtp_raw())
    made.sent()
    return made


@pytest.fixture
def busy(manager: Manager) -> Manager:
    """Mail 1 and 2 are errors of one sender, 3 an error of another, 4 is skipped, 5 imported."""
    manager.contact("guide@supplier.test")
    for sender in (STRANGER, STRANGER, "other@else.test"):
        manager.mailbox.append(letter(REPLY, sender=sender, body="Grüße \x7f"))
    manager.mailbox.append(letter(sender="spam@else.test", body="Buy now"))
    manager.mailbox.append(letter(REPLY))
    manager.run()
    return manager
