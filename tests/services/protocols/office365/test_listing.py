"""What the Office 365 importer lists: every message once, whatever the cloud forgets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.errors import ConnectionFailed, LoginRefused
from services.protocols.base import Listing, Mark
from services.protocols.office365_mailbox import SCOPE
from tests.servers.cloud.faults import Fault
from tests.services.protocols.office365.graph_desk import Desk, items_of, mail

pytestmark = pytest.mark.usefixtures("small_pages")


NOON = datetime(2026, 11, 2, 12, 0, 0, 500_000, tzinfo=UTC)


def mark_of(listing: Listing) -> Mark:
    cursor = ""
    for page in listing.pages:
        cursor = page.cursor or cursor
    return Mark(listing.scope, cursor)


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
