"""What the system reports to System Event Queues: once while it lasts, again when it returns."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select, update

from models.outbox import OutboxRow
from models.outgoing import OutgoingMail
from models.queue import QueueMessageRow
from models.schedule import ScheduleRow
from models.work import RunState
from services.bootstrap import Services
from services.cancel import Cancel
from services.importing.claim import Claims
from services.importing.result import WITHOUT_ROW, Counts
from services.worker import embedded
from tests.stores import Clock, imap_raw, office365_raw, save, smtp_raw


@pytest.fixture(autouse=True)
def queue(services: Services) -> None:
    services.codes.save("queue", {"name": "System", "system_event": True, "members": ["ANNA"]})
    save(services, imap_raw("RES"))


def told(services: Services, *, opened: bool = True) -> list[str]:
    services.system_events.look()
    with services.store.read() as session:
        rows = session.exec(select(QueueMessageRow).order_by(QueueMessageRow.id)).all()  # type: ignore[arg-type]
        return [row.text for row in rows if (row.done_at is None) is opened]


def end(services: Services, clock: Clock, state: RunState, message: str = "No route.") -> None:
    claims = Claims(services.store, "other:1", "ben", clock)
    claim = claims.begin(services.accounts.get("RES"), "schedule")
    claims.finish(claim, state, Counts(), message)


def test_a_failing_account_is_told_once_and_closed_when_it_is_over(
    services: Services, clock: Clock
) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    assert told(services) == []
    for _ in range(3):
        end(services, clock, RunState.FAILED)
        clock.forward(minutes=1)
        (words,) = told(services)
        assert words.startswith("RES: imports fail since")
        assert words.endswith(" No route.")
    end(services, clock, RunState.DONE)
    assert (told(services), len(told(services, opened=False))) == ([], 1)
    clock.forward(minutes=1)
    end(services, clock, RunState.FAILED)
    assert len(told(services)) == 1, "it fails again"


def test_what_somebody_has_closed_is_not_told_again_while_it_lasts(
    services: Services, clock: Clock
) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    end(services, clock, RunState.FAILED)
    assert len(told(services)) == 1
    services.queue_messages.done([1])
    assert told(services) == []


def test_an_import_that_is_long_overdue_is_told(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    clock.forward(minutes=21)
    (words,) = told(services)
    assert words.startswith("RES: no import has ended since")
    end(services, clock, RunState.DONE)
    with services.store.write() as session:
        session.execute(update(ScheduleRow).values(next_run_at=clock() + timedelta(minutes=5)))
    assert told(services) == []


def test_a_secret_that_ends_soon_is_told(services: Services, clock: Clock) -> None:
    ends = (clock() + timedelta(days=12)).date()
    save(services, office365_raw(secret_expires=ends))
    (words,) = told(services)
    assert words == f"OFFICE: its secret expires in 12 days, on {ends}."
    clock.forward(days=1)
    assert len(told(services)) == 1


def test_an_uncertain_message_is_told_until_somebody_has_decided(services: Services) -> None:
    save(services, smtp_raw())
    which = services.outbox.accept(OutgoingMail(to=("a@b.test",), subject="Offer", text="x")).id
    with services.store.write() as session:
        session.execute(update(OutboxRow).values(state="uncertain", claim=1))
    (words,) = told(services)
    assert words == f"Message {which} in the outbox may or may not have been sent: Offer"
    services.outbox.mark_sent(which)
    assert told(services) == []


def test_a_run_that_left_messages_without_a_row_is_told_until_the_next_one(
    services: Services, clock: Clock
) -> None:
    end(services, clock, RunState.FAILED, f"2 of 9 {WITHOUT_ROW}")
    assert told(services) == [f"RES: 2 of 9 {WITHOUT_ROW}"]
    end(services, clock, RunState.DONE)
    assert told(services) == []


def test_each_system_event_queue_is_told_and_no_other(services: Services, clock: Clock) -> None:
    services.codes.save("queue", {"name": "Second", "system_event": True})
    services.schedules.save({"account": "RES", "every": 5})
    end(services, clock, RunState.FAILED)
    assert len(told(services)) == 2
    rows = services.queue_messages.list().rows
    assert {row.queue for row in rows} == {"System", "Second"}
    assert rows[0].mail_id is None


def test_without_such_a_queue_nothing_is_kept(services: Services, clock: Clock) -> None:
    services.codes.delete("queue", "System")
    end(services, clock, RunState.FAILED, f"2 of 9 {WITHOUT_ROW}")
    assert told(services) == []


def test_a_worker_looks_even_where_it_runs_once(services: Services, clock: Clock) -> None:
    end(services, clock, RunState.FAILED, f"2 of 9 {WITHOUT_ROW}")
    said: list[str] = []
    embedded.run(services, Cancel(), once=True, say=said.append)
    assert len(services.queue_messages.list("System").rows) == 1
    assert said == []


def test_what_a_look_meets_stops_no_worker(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(type(services.system_events), "look", broken)
    said: list[str] = []
    embedded.run(services, Cancel(), once=True, say=said.append)
    assert said == ["Queues: tourmail met a fault of its own (RuntimeError)."]
