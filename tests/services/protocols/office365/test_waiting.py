"""An import that must wait: for its connections, for Microsoft, and not when cancelled."""

import time

import pytest

from services.errors import Cancelled, ConnectionFailed
from tests.servers.cloud.faults import Fault
from tests.servers.process import as_soon_as
from tests.services.protocols.office365.graph_desk import Desk, items_of, mail

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.mark.parametrize(("free", "peak"), [(0, 1), (1, 2), (3, 4), (9, 4)])
def test_no_more_connections_than_slots_and_never_more_than_four(
    desk: Desk, free: int, peak: int
) -> None:
    desk.cloud.settings.latency = 0.03
    desk.cloud.settings.enforce_concurrency = True
    desk.free = free
    keys = desk.deliver(16)
    with desk.importer() as importer:
        assert [body.item for body in importer.bodies(keys)] == keys
        assert [body.item for body in importer.bodies(keys)] == keys
    assert max(desk.cloud.peak_concurrency.values()) == peak
    assert desk.cloud.requests_while_throttled == []


@pytest.mark.parametrize(("status", "as_date"), [(429, False), (503, True), (429, True)])
def test_a_storm_is_waited_out_by_all_connections_and_told(
    desk: Desk, status: int, as_date: bool
) -> None:
    keys = desk.deliver(24)
    rule = desk.cloud.fail(
        r"\$value", Fault(status=status, retry_after=1, as_date=as_date), times=2, skip=3, every=9
    )
    with desk.importer() as importer:
        bodies = list(importer.bodies(keys))
    assert [body.data for body in bodies] == [mail(n) for n in range(1, 25)]
    assert rule.hits == 2
    assert desk.cloud.early_retries == []
    # Those under way when the refusal came could not know; nobody else went out.
    assert len(desk.cloud.requests_while_throttled) <= 2 * 3
    assert 1 <= len(desk.said) <= 2
    assert desk.said[0].startswith("waiting ")


def test_a_refusal_without_a_time_is_waited_for_as_well(desk: Desk) -> None:
    desk.deliver(1)
    desk.cloud.fail("/delta", Fault(status=503), times=2)
    started = time.monotonic()
    with desk.importer() as importer:
        assert len(items_of(importer.look(None, None))) == 1
    assert time.monotonic() - started >= 1


def test_a_pause_longer_than_anybody_waits_ends_the_run_and_holds_for_the_next(desk: Desk) -> None:
    desk.cloud.fail("inbox", Fault(status=429, retry_after=600))
    for _ in range(2):
        with desk.importer() as importer, pytest.raises(ConnectionFailed, match=r"59\d|600 s"):
            importer.look(None, None)
    assert desk.calls("inbox") == 1


def test_a_wait_can_be_cancelled(desk: Desk) -> None:
    desk.cloud.fail("inbox", Fault(status=429, retry_after=3))
    as_soon_as(lambda: desk.said, desk.cancel.cancel)
    started = time.monotonic()
    with desk.importer() as importer, pytest.raises(Cancelled):
        importer.look(None, None)
    assert time.monotonic() - started < 2.5
    assert desk.said == ["waiting 3 s, Microsoft asks for it…"]


@pytest.mark.parametrize("where", ["inbox", r"\$value"])
def test_a_request_that_hangs_can_be_cancelled(desk: Desk, where: str) -> None:
    keys = desk.deliver(8)
    rule = desk.cloud.fail(where, Fault(hang=30), times=None)
    as_soon_as(lambda: rule.hits, desk.cancel.cancel)
    started = time.monotonic()
    with desk.importer() as importer, pytest.raises(Cancelled):
        items_of(importer.look(None, None)) if where == "inbox" else list(importer.bodies(keys))
    assert time.monotonic() - started < 5


def test_an_answer_that_never_ends_is_cut_off_after_ten_times_the_timeout(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.network.DRIP_FACTOR", 0.06)
    with desk.importer() as importer:
        desk.cloud.fail("inbox", Fault(hang=4), times=None)
        started = time.monotonic()
        with pytest.raises(ConnectionFailed, match="broke the connection"):
            importer.look(None, None)
    assert time.monotonic() - started < 3
