"""Errored mail and the queue of its account: told in the same transaction, or not at all."""

import pytest
from sqlmodel import delete, select

from models.queue import QueueMessageRow
from services.importing import ledger
from services.protocols.base import Surroundings
from services.queues.rows import tell_missing
from tests.services.importing.conftest import OURS, Desk, letter

REPLY = f"In-Reply-To: {OURS}"


def told(desk: Desk) -> list[QueueMessageRow]:
    with desk.services.store.read() as session:
        return list(session.exec(select(QueueMessageRow).order_by(QueueMessageRow.id)))  # type: ignore[arg-type]


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A desk with two errors, a skipped and an imported mail waiting."""
    desk.contact("guide@supplier.test")
    desk.sent()
    for sender in ("stranger@else.test", "other@else.test"):
        desk.mailbox.append(letter(REPLY, sender=sender))
    desk.mailbox.append(letter(sender="spam@else.test"))
    desk.mailbox.append(letter(REPLY))
    return desk


def test_each_errored_mail_tells_the_queue_once(busy: Desk) -> None:
    busy.account(error_queue="Errors")
    busy.run()
    errors = busy.mails(outcome="error")
    assert [(row.mail_id, row.done_at) for row in told(busy)] == [
        (line.id, None) for line in errors
    ]
    assert "no known contact" in told(busy)[0].text
    busy.run(reconcile=True)
    assert len(told(busy)) == 2


def test_without_a_queue_nobody_is_told(busy: Desk) -> None:
    busy.account()
    busy.run()
    assert len(busy.mails(outcome="error")) == 2
    assert told(busy) == []


def test_a_rehearsal_tells_nobody(busy: Desk) -> None:
    busy.account(error_queue="Errors")
    busy.run(rehearse=True)
    assert told(busy) == []


def test_a_batch_that_fails_leaves_neither_mail_nor_message(
    busy: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.account(error_queue="Errors")

    def fail(*_args: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(ledger, "move_mark", fail)
    with pytest.raises(RuntimeError):
        busy.services.importing.run(
            "DESK", trigger="command", surroundings=Surroundings(busy.around.config)
        )
    assert (told(busy), busy.mails()) == ([], [])
    monkeypatch.undo()
    busy.run()
    assert len(told(busy)) == 2


def test_errors_from_before_there_were_queue_messages_are_told_once(busy: Desk) -> None:
    busy.account(error_queue="Errors")
    busy.run()
    store = busy.services.store
    with store.write() as session:
        session.execute(delete(QueueMessageRow))
        assert tell_missing(session) == 2
    assert [row.mail_id for row in told(busy)] == [line.id for line in busy.mails(outcome="error")]
    busy.services.queue_messages.done([row.id or 0 for row in told(busy)])
    with store.write() as session:
        assert tell_missing(session) == 0, "what was done stays done"
