"""What accounts are tested with: refusals, waiting mail, an import that has begun."""

import uuid
from typing import Any

import pytest

from models.mail import MailboxMarkRow
from models.outbox import OutboxRow
from services.bootstrap import Services
from services.errors import InvalidInput
from tests.stores import START, save


def errors(services: Services, raw: dict[str, Any], **more: Any) -> dict[str, str]:
    """Return the errors of saving, having made sure that nothing was saved."""
    before = services.account_list.lines()
    with pytest.raises(InvalidInput) as caught:
        save(services, raw, **more)
    assert services.account_list.lines() == before
    return caught.value.errors


def waiting_message(services: Services, account_id: uuid.UUID, message_id: str = "<1@t>") -> None:
    with services.store.write() as session:
        session.add(
            OutboxRow(
                account_id=account_id,
                account_name="SEND",
                message_id=message_id,
                envelope_from="a@b.test",
                header_from="a@b.test",
                subject="x",
                created_at=START,
                created_by="anna",
                give_up_at=START,
            )
        )


def mark(services: Services, account_id: uuid.UUID) -> None:
    """Pretend that a first import has run."""
    with services.store.write() as session:
        session.add(MailboxMarkRow(account_id=account_id, scope="1", cursor="7"))
