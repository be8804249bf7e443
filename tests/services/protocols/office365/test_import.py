"""The Office 365 importer against the loopback cloud: every message once, under every fault."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.errors import Cancelled, ConnectionFailed, LoginRefused
from services.protocols import office365_listing
from services.protocols.base import Body, Listing, Mark
from services.protocols.office365_mailbox import SCOPE
from tests.servers.cloud.contoso import Contoso
from tests.servers.cloud.faults import Fault
from tests.services.protocols.office365.graph_desk import Desk, items_of, mail

NOON = datetime(2026, 11, 2, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.fixture
def desk(contoso: Contoso, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(office365_listing, "PAGE_ITEMS", 10)
    monkeypatch.setattr(office365_listing, "LEAN_PAGE_ITEMS", 10)
    return Desk(contoso)


def mark_of(listing: Listing) -> Mark:
    cursor = ""
    for page in listing.pages:
        cursor = page.cursor or cursor
    return Mark(listing.scope, cursor)


# ------------------------------------------------------------------ listing


def test_everything_is_listed_once_in_pages_with_the_mark_only_at_the_end(desk: Desk) -> None:
    keys = desk.deliver(25)
    with desk.importer() as importer:
        listing = importer.look(None, None)
        pages = list(listing.pages)
    assert (listing.server_count, listing.resumed, listing.scope) == (25, False, SCOPE)
    assert [item for page in pages for item in page.items] == keys
    assert [page.cursor is None for page in pages] == [True, True, False]
    desk.assert_well_behaved()


def test_an_empty_mailbox_gives_a_mark_and_what_comes_later_is_listed(desk: Desk) -> None:
    with desk.importer() as importer:
        mark = mark_of(importer.look(None, None))
        keys = desk.deliver(2)
        listing = importer.look(mark, None)
        assert (listing.resumed, items_of(listing)) == (True, keys)


def test_what_is_only_read_moved_out_or_deleted_is_not_listed_again(desk: Desk) -> None:
    old = desk.deliver(4)
    with desk.importer() as importer:
        mark = mark_of(importer.look(None, None))
        desk.mailbox.touch(old[0])
        desk.mailbox.move(old[1], "deleteditems")
        desk.mailbox.remove(old[2])
        (new,) = desk.deliver(1, 5)
        assert items_of(importer.look(mark, None)) == [new]


def test_mail_before_the_start_is_early_exactly_by_its_time(desk: Desk) -> None:
    before = desk.mailbox.deliver(mail(1), NOON - timedelta(seconds=1))
    same = desk.mailbox.deliver(mail(2), NOON + timedelta(milliseconds=100))
    after = desk.mailbox.deliver(mail(3), NOON + timedelta(seconds=1))
    with desk.importer() as importer:
        (page,) = importer.look(None, NOON).pages
    assert (page.early, page.items) == ((before,), (same, after))


def test_old_mail_that_is_moved_here_later_is_new_and_old_mail_that_is_read_is_not(
    desk: Desk,
) -> None:
    early = desk.mailbox.deliver(mail(1), NOON - timedelta(days=9))
    with desk.importer() as importer:
        mark = mark_of(importer.look(None, NOON))
        desk.mailbox.touch(early)
        moved = desk.mailbox.deliver(mail(2), NOON - timedelta(days=5))
        (page,) = importer.look(mark, NOON).pages
        assert (page.items, page.early) == ((moved,), ())
        listing = importer.look(mark, NOON, whole=True)
        (page,) = listing.pages
        assert (listing.resumed, page.items, page.early) == (True, (moved,), (early,))
        assert page.cursor
        (header,) = importer.headers(page.items)
        assert header.item == moved
        assert desk.calls("/messages/A") == 0
        (new,) = desk.deliver(1, 3)
        assert items_of(importer.look(Mark(SCOPE, page.cursor), NOON)) == [new]


def test_comparing_the_whole_mailbox_asks_for_dates_alone(desk: Desk) -> None:
    keys = desk.deliver(25)
    with desk.importer() as importer:
        mark = mark_of(importer.look(None, None))
        before = len(desk.cloud.requests)
        listing = importer.look(mark, None, whole=True)
        assert (items_of(listing), listing.server_count) == (keys, 25)
        selected = [entry.query.get("$select", "") for entry in desk.cloud.requests[before:]]
        assert [text for text in selected if text] == ["totalItemCount", "receivedDateTime"]
        (missed,) = importer.headers([keys[3]])
    assert missed.block.startswith(b"From: Guide 4")


@pytest.mark.parametrize("code", ["SyncStateNotFound", "resyncRequired"])
@pytest.mark.parametrize("status", [410, 400])
def test_a_forgotten_delta_link_means_looking_at_everything(
    desk: Desk, status: int, code: str
) -> None:
    keys = desk.deliver(12)
    with desk.importer() as importer:
        mark = mark_of(importer.look(None, None))
        desk.cloud.expire_delta_tokens(status, code)
        listing = importer.look(mark, None)
        assert (listing.resumed, items_of(listing)) == (False, keys)


def test_a_delta_link_of_another_cloud_or_scope_is_not_followed(desk: Desk) -> None:
    keys = desk.deliver(1)
    decoys = [desk.cloud.decoy_url + "/x", desk.cloud.lookalike_url + "/x"]
    with desk.importer() as importer:
        good = mark_of(importer.look(None, None)).cursor
        for mark in [*(Mark(SCOPE, link) for link in decoys), Mark("12345", good)]:
            listing = importer.look(mark, None)
            assert (listing.resumed, items_of(listing)) == (False, keys)
    desk.assert_well_behaved()


@pytest.mark.parametrize("base", ["decoy_url", "lookalike_url"])
def test_a_next_link_to_another_host_ends_the_run_without_a_request_there(
    desk: Desk, base: str
) -> None:
    desk.deliver(25)
    desk.cloud.fail("/delta", Fault(link_base=getattr(desk.cloud, base)))
    with desk.importer() as importer, pytest.raises(ConnectionFailed, match="another host"):
        items_of(importer.look(None, None))
    desk.assert_well_behaved()
    assert not [entry for entry in desk.cloud.requests if entry.host == "decoy"]


def test_repeated_items_and_empty_pages_double_and_lose_nothing(desk: Desk) -> None:
    desk.cloud.settings.delta_repeat, desk.cloud.settings.delta_empty_page = 3, True
    keys = desk.deliver(25)
    with desk.importer() as importer:
        assert sorted(items_of(importer.look(None, None))) == sorted(keys)


def test_deletions_and_arrivals_between_pages_lose_nothing(desk: Desk) -> None:
    keys = desk.deliver(25)
    with desk.importer() as importer:
        listing = importer.look(None, None)
        pages = iter(listing.pages)
        seen = list(next(pages).items)
        desk.mailbox.remove(keys[0])
        desk.mailbox.remove(keys[15])
        (new,) = desk.deliver(1, 26)
        cursor = None
        for page in pages:
            seen += page.items
            cursor = page.cursor
        later = items_of(importer.look(Mark(SCOPE, cursor or ""), None))
    assert len(seen) == len(set(seen))
    assert set(keys) - {keys[15]} <= set(seen)
    assert [*seen, *later].count(new) == 1


def test_a_round_that_is_forgotten_in_the_middle_begins_again_and_doubles_nothing(
    desk: Desk,
) -> None:
    keys = desk.deliver(25)
    with desk.importer() as importer:
        pages = iter(importer.look(None, None).pages)
        seen = list(next(pages).items)
        desk.cloud.expire_delta_tokens()
        rest = list(pages)
    assert sorted([*seen, *(item for page in rest for item in page.items)]) == sorted(keys)
    assert rest[-1].cursor


def test_a_resumed_round_whose_own_start_is_forgotten_says_so(desk: Desk) -> None:
    with desk.importer() as importer:
        mark = mark_of(importer.look(None, None))
        keys = desk.deliver(25)
        pages = iter(importer.look(mark, None).pages)
        next(pages)
        desk.cloud.expire_delta_tokens()
        with pytest.raises(ConnectionFailed, match="forgot"):
            list(pages)
        again = importer.look(mark, None)
        assert (again.resumed, len(items_of(again))) == (False, len(keys))


# ------------------------------------------------------------------ headers and bodies


def test_headers_come_with_the_list_and_bodies_are_the_bytes_themselves(desk: Desk) -> None:
    raw = mail(1, "Grüße", X_Long="a " * 600, Received="from a.test\r\n\tby b.test")
    when = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    key = desk.mailbox.deliver(raw, when)
    with desk.importer() as importer:
        (page,) = importer.look(None, None).pages
        (header,) = importer.headers(page.items)
        assert desk.calls("/messages/A") == 0
        (body,) = importer.bodies([key])
    assert (header.item, header.size, header.received) == (key, len(raw), when)
    assert header.block.startswith(b"From: Guide 1 <guide1@supplier.test>\r\nTo: ")
    assert header.block.endswith(b"\r\n\r\n")
    assert b"Received: from a.test" in header.block
    assert body == Body(key, raw)


def test_headers_that_were_asked_for_late_or_twice_are_fetched_one_by_one(desk: Desk) -> None:
    keys = desk.deliver(3)
    with desk.importer() as importer:
        items_of(importer.look(None, None))
        first = list(importer.headers(keys))
        desk.mailbox.remove(keys[1])
        second = list(importer.headers(keys))
    assert [first[0], first[2]] == second


def test_a_message_without_header_fields_gives_them_out_of_its_bytes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.servers.cloud import render

    monkeypatch.setitem(render._PROPERTIES, "internetMessageHeaders", lambda _m: None)
    keys = desk.deliver(2)
    with desk.importer() as importer:
        found = list(importer.headers(items_of(importer.look(None, None))))
    assert [header.item for header in found] == keys
    assert found[0].block == mail(1).partition(b"Hello")[0]


def test_vanished_messages_are_left_out(desk: Desk) -> None:
    keys = desk.deliver(5)
    with desk.importer() as importer:
        items_of(importer.look(None, None))
        desk.mailbox.remove(keys[2])
        desk.mailbox.move(keys[3], "deleteditems")
        found = list(importer.bodies(keys))
    assert [body.item for body in found] == [keys[0], keys[1], keys[3], keys[4]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=500), "problem"),
        (Fault(status=400, code="ErrorMimeContentInvalid"), "ErrorMimeContentInvalid"),
        (Fault(drop="midway"), "broke the connection"),
        (Fault(drop="before"), "broke the connection"),
    ],
)
def test_one_bad_message_is_a_fault_of_its_own(desk: Desk, fault: Fault, words: str) -> None:
    keys = desk.deliver(6)
    desk.cloud.fail(rf"{keys[2]}/\$value", fault, times=None)
    with desk.importer() as importer:
        found = {body.item: body for body in importer.bodies(keys)}
    assert set(found) == set(keys)
    assert [body.data for body in found.values()].count(None) == 1
    assert words in found[keys[2]].fault


def test_a_message_larger_than_twice_the_limit_is_not_read_to_its_end(desk: Desk) -> None:
    desk.config = desk.config.model_copy(update={"max_message_mb": 1})
    key = desk.mailbox.deliver(mail(1, "x" * 2_100_000))
    with desk.importer() as importer:
        (body,) = importer.bodies([key])
    assert (body.data, body.fault) == (None, "it has more than 2 MB")


@pytest.mark.parametrize(
    "fault", [Fault(status=502), Fault(drop="before"), Fault(drop="midway"), Fault(status=504)]
)
@pytest.mark.parametrize("where", ["/delta", r"\$value", r"mailFolders/inbox\?"])
def test_passing_trouble_is_sat_out(desk: Desk, fault: Fault, where: str) -> None:
    keys = desk.deliver(12)
    rule = desk.cloud.fail(where, fault, times=3, every=2)
    with desk.importer() as importer:
        items = items_of(importer.look(None, None))
        bodies = list(importer.bodies(items))
    assert [body.item for body in bodies] == keys
    assert all(body.data for body in bodies)
    assert rule.hits
    desk.assert_well_behaved()


def test_a_service_that_is_down_ends_the_run_in_words(desk: Desk) -> None:
    keys = desk.deliver(3)
    with desk.importer() as importer:
        desk.cloud.fail(".", Fault(status=500), host="graph", times=None)
        with pytest.raises(ConnectionFailed, match=r"problem .*InternalServerError.*request-id"):
            list(importer.bodies(keys))


# ------------------------------------------------------------------ connections and throttling


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
    threading.Timer(0.3, desk.cancel.cancel).start()
    started = time.monotonic()
    with desk.importer() as importer, pytest.raises(Cancelled):
        importer.look(None, None)
    assert time.monotonic() - started < 1.5
    assert desk.said == ["waiting 3 s, Microsoft asks for it…"]


@pytest.mark.parametrize("where", ["inbox", r"\$value"])
def test_a_request_that_hangs_can_be_cancelled(desk: Desk, where: str) -> None:
    keys = desk.deliver(8)
    desk.cloud.fail(where, Fault(hang=30), times=None)
    threading.Timer(0.5, desk.cancel.cancel).start()
    started = time.monotonic()
    with desk.importer() as importer, pytest.raises(Cancelled):
        items_of(importer.look(None, None)) if where == "inbox" else list(importer.bodies(keys))
    assert time.monotonic() - started < 2


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


# ------------------------------------------------------------------ access


def test_a_token_that_ends_in_the_middle_is_renewed_once_by_all(desk: Desk) -> None:
    keys = desk.deliver(24)
    with desk.importer() as importer:
        items = items_of(importer.look(None, None))
        bodies = importer.bodies(items)
        next(bodies)
        desk.cloud.expire_tokens()
        assert len(list(bodies)) == len(keys) - 1
    assert desk.cloud.token_requests <= 2
    desk.assert_well_behaved()


@pytest.mark.parametrize(
    ("change", "words", "field"),
    [
        ({"roles": frozenset()}, "ErrorAccessDenied", "settings.client_id"),
        ({"policy": frozenset()}, "policy keeps the app out", "settings.user_object_id"),
    ],
)
def test_what_is_not_permitted_is_said_with_its_field(
    desk: Desk, change: dict[str, Any], words: str, field: str
) -> None:
    for name, value in change.items():
        setattr(desk.contoso.app, name, value)
    with desk.importer() as importer, pytest.raises(LoginRefused, match=words) as error:
        importer.look(None, None)
    assert (error.value.field, error.value.temporary) == (field, False)


def test_leaving_a_batch_early_leaves_its_connections_usable(desk: Desk) -> None:
    keys = desk.deliver(8)
    with desk.importer() as importer:
        bodies = importer.bodies(keys)
        next(bodies)
        bodies.close()  # type: ignore[attr-defined]
        assert len(list(importer.bodies(keys))) == 8
