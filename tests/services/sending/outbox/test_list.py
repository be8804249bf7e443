"""The outbox as it is looked at: lists, counts, workers."""

import pytest

from models.outbox import OutboxState
from models.work import WorkerRow
from services.bootstrap import Services
from services.store import counting
from tests.services.sending.outbox.claiming import mail
from tests.stores import Clock


def test_lists_newest_first_in_pages(services: Services) -> None:
    ids = [services.outbox.accept(mail()).id for _ in range(5)]
    first = services.outbox.list(limit=2)
    second = services.outbox.list(after=first.next, limit=2)
    third = services.outbox.list(after=second.next, limit=2)
    assert [one.id for page in (first, second, third) for one in page.rows] == ids[::-1]
    assert third.next is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 2),
        ("OFFER", 1),
        ("voucher", 1),
        ("Anna@Agent", 1),
        ("tp-77", 1),
        ("bcc@", 1),
        ("100%", 1),
        ("%", 2),
        ("TP/77", 1),
        ("@b.test", 1),
        ("ucher", 0),
        ("nothing", 0),
    ],
)
def test_finds_by_subject_recipient_and_booking(
    services: Services, text: str, expected: int
) -> None:
    services.outbox.accept(mail())
    services.outbox.accept(
        mail(to=("carl@b.test",), bcc=("bcc@c.test",), subject="Voucher 100%", booking="TP-77")
    )
    assert len(services.outbox.list(text).rows) == expected


def test_filters_and_counts_by_state(services: Services) -> None:
    services.outbox.accept(mail())
    services.outbox.cancel(services.outbox.accept(mail()).id)
    assert len(services.outbox.list(state=OutboxState.CANCELLED).rows) == 1
    counts = services.outbox.counts()
    assert (counts[OutboxState.QUEUED], counts[OutboxState.CANCELLED]) == (1, 1)
    assert counts[OutboxState.SENT] == 0


def test_counting_stops_where_nobody_asks_for_more(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "COUNTED", 2)
    for _ in range(4):
        services.outbox.accept(mail())
    assert services.outbox.counts()[OutboxState.QUEUED] == 3


def test_a_worker_that_was_not_seen_lately_does_not_count(services: Services, clock: Clock) -> None:
    assert services.outbox.workers_alive() == 0
    with services.store.write() as session:
        session.add(WorkerRow(holder="a", version="1", started_at=clock(), seen_at=clock()))
    assert services.outbox.workers_alive() == 1
    clock.forward(minutes=6)
    assert services.outbox.workers_alive() == 0
