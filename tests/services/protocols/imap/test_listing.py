"""What the IMAP importer lists: each message once, above its mark and from its start."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.protocols import imap_listing
from services.protocols.base import Mark, Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_listing import Position
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.mailbox import Mailbox
from tests.services.protocols.imap.inbox import NOON, items_of, mail, through


def test_lists_everything_without_mark_and_start(mailbox: Mailbox, importer: ImapImporter) -> None:
    for number in range(3):
        mailbox.append(mail(number))
    listing = importer.look(None, None)
    assert (listing.scope, listing.server_count) == (
        str(mailbox.server.uidvalidity(mailbox.user)),
        3,
    )
    assert (listing.listed, listing.resumed) == (3, False)
    pages = list(listing.pages)
    assert [page.items for page in pages] == [tuple(map(str, mailbox.uids))]
    assert pages[-1].cursor == str(mailbox.uids[-1])


def test_an_empty_mailbox_still_gives_a_mark(importer: ImapImporter) -> None:
    pages = list(importer.look(None, None).pages)
    assert [(page.items, page.cursor) for page in pages] == [((), "0")]


def test_resumes_above_the_mark_and_finds_nothing_new(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    uid = mailbox.append(mail())
    first = importer.look(None, None)
    mark = Mark(first.scope, list(first.pages)[-1].cursor or "")
    nothing = importer.look(mark, None)
    assert nothing.resumed
    assert (nothing.server_count, items_of(nothing)) == (1, [])
    later = mailbox.append(mail(2))
    assert uid < later
    assert items_of(importer.look(mark, None)) == [str(later)]


def test_nothing_new_costs_no_search(mailbox: Mailbox, around: Surroundings) -> None:
    mailbox.append(mail())
    with through(mailbox, around) as (proxy, importer):
        scope = importer.look(None, None).scope
        proxy.sent = b""
        assert items_of(importer.look(Mark(scope, str(mailbox.uids[-1])), None)) == []
        assert b"SEARCH" not in proxy.sent
        assert b"EXAMINE" in proxy.sent


def test_mail_that_arrives_after_the_look_is_left_to_the_next_run(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    def late(settled: int, inbox: Any) -> Any:
        mailbox.append(mail(2))
        importer._own.session.noop()  # the server shows it from here on
        return above(settled, inbox)

    mailbox.append(mail(1))
    above = importer._above
    importer._above = late  # type: ignore[method-assign]
    listing = importer.look(None, None)
    assert (listing.server_count, items_of(listing)) == (1, [str(mailbox.uids[0])])


@pytest.mark.parametrize("zone_hours", [-12, -5, 0, 5, 14])
def test_import_from_is_exact_to_the_second_whatever_the_time_zone(
    mailbox: Mailbox, importer: ImapImporter, zone_hours: int
) -> None:
    zone = timezone(timedelta(hours=zone_hours))
    offsets = [-90_000, -86_400, -3_600, -1, 0, 1, 3_600, 86_400, 300_000]
    for number, seconds in enumerate(offsets):
        mailbox.append(mail(number), NOON + timedelta(seconds=seconds))
    listing = importer.look(None, NOON.astimezone(zone))
    (page,) = listing.pages
    uids = [str(uid) for uid in mailbox.uids]
    assert page.early == tuple(uids[:4])
    assert page.items == tuple(uids[4:])
    assert listing.listed == 5


@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_import_from_is_exact_whatever_days_the_server_goes_by(
    mailbox: Mailbox, importer: ImapImporter, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """SEARCH SINCE compares dates in a zone of the server's own (RFC 3501 §6.4.4)."""
    zone = timezone(timedelta(hours=hours))
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    moments = {
        mailbox.append(mail(n), midnight + timedelta(hours=6 * n)): midnight
        + timedelta(hours=6 * n)
        for n in range(-10, 11)
    }
    search = importer._own.search

    def in_its_zone(*criteria: str) -> Any:
        if criteria[0] != "SINCE":
            return search(*criteria)
        day = datetime.strptime(criteria[1], "%d-%b-%Y").date()
        return [uid for uid, at in moments.items() if at.astimezone(zone).date() >= day]

    monkeypatch.setattr(importer._own, "search", in_its_zone)
    for since in (midnight, midnight + timedelta(hours=23, minutes=59)):
        (page,) = importer.look(None, since).pages
        assert page.early == tuple(str(uid) for uid, at in moments.items() if at < since)


def test_a_first_look_that_was_cut_short_goes_on_with_its_start(
    mailbox: Mailbox, importer: ImapImporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old mail with a high UID, as a moved mailbox has it, must not slip in on the second try."""
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 2)
    days = [1, 1, 1, -1, 1, -1]
    for number, day in enumerate(days):
        mailbox.append(mail(number), NOON + timedelta(days=day))
    first = importer.look(None, NOON)
    page = next(first.pages)
    assert page.cursor == f"{page.items[-1]}/{mailbox.uids[-1]}"
    new_old = mailbox.append(mail(9), NOON - timedelta(days=300))
    second = importer.look(Mark(first.scope, page.cursor or ""), NOON)
    uids = [str(uid) for uid in mailbox.uids]
    pages = list(second.pages)
    assert second.resumed
    assert [item for page in pages for item in page.early] == [uids[3], uids[5]]
    # What appears later is new to the mailbox, whatever its date.
    assert [item for page in pages for item in page.items] == [uids[2], uids[4], str(new_old)]
    assert pages[-1].cursor == str(new_old)


def test_another_uidvalidity_looks_at_everything_again(
    mailbox: Mailbox, settings: ImapSettings, around: Surroundings
) -> None:
    mailbox.append(mail())
    with ImapImporter(settings, around) as importer:
        old = importer.look(None, None)
    mark = Mark(old.scope, "1")
    new = mailbox.new_uidvalidity()
    with ImapImporter(settings, around) as importer:
        listing = importer.look(mark, None)
        assert (listing.scope, listing.resumed) == (str(new), False)
        assert items_of(listing) == [str(uid) for uid in mailbox.uids]


def test_a_mailbox_restored_from_a_backup_is_looked_at_again_in_a_scope_of_its_own(
    mailbox: Mailbox, importer: ImapImporter
) -> None:
    mailbox.append(mail())
    scope = importer.look(None, None).scope
    restored = importer.look(Mark(scope, "5000"), None)
    assert (restored.scope, restored.resumed) == (f"{scope}+1", False)
    again = importer.look(Mark(f"{scope}+1", "1"), None)
    assert (again.scope, again.resumed) == (f"{scope}+1", True)


@pytest.mark.parametrize("text", ["0", "17", "17/90"])
def test_a_position_reads_what_it_writes(text: str) -> None:
    assert Position.parse(text).text == text


def test_a_million_uids_pass_in_one_answer(mailbox: Mailbox, around: Surroundings) -> None:
    def crowd(chunk: bytes) -> bytes:
        if b"* SEARCH" not in chunk:
            return chunk.replace(b"* 1 EXISTS", b"* 1000000 EXISTS").replace(
                b"UIDNEXT 2]", b"UIDNEXT 1000001]"
            )
        uids = b" ".join(b"%d" % uid for uid in range(1, 1_000_001))
        return chunk.replace(b"* SEARCH 1", b"* SEARCH " + uids)

    mailbox.append(mail())
    with through(mailbox, around, crowd) as (_proxy, importer):
        listing = importer.look(None, None)
        assert (listing.server_count, listing.listed) == (1_000_000, 1_000_000)
        assert next(listing.pages).items == tuple(map(str, range(1, 201)))
