"""Imports that are cut short: nothing is lost, nothing is doubled, and somebody is told."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, delete

from models.mail import LedgerRow
from services.cancel import Cancel
from services.connections import service as connections
from services.connections.service import MailboxBusy
from services.errors import Cancelled, ConnectionFailed, Fenced, ServiceError
from services.importing import examine, run, walk
from services.importing.ledger import Book, Entry
from services.importing.result import Progress
from services.protocols import imap_listing
from services.protocols.base import Body, Surroundings
from services.protocols.imap_mailbox import ImapImporter
from tests.servers.dovecot import Dovecot
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.services.importing.conftest import GUIDE, OURS, Desk, letter
from tests.stores import SQLITE_ONLY, Clock, services_in

REPLY = f"In-Reply-To: {OURS}"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 4)
    monkeypatch.setattr(walk, "BATCH_MESSAGES", 2)


def at_commit(number: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a progress listener that acts once, after so many commits."""
    seen: list[Progress] = []

    def listen(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == number:
            act()

    return listen


def check_complete(desk: Desk, number: int = 12) -> None:
    desk.check_books()
    assert [line.outcome for line in desk.mails()] == ["imported"] * number
    assert len({line.message_id for line in desk.mails()}) == number
    assert desk.run().counts.known == number


def test_progress_tells_how_far_a_run_is(full: Desk) -> None:
    seen: list[Progress] = []
    full.run(progress=seen.append)
    assert [(p.done, p.total, p.imported) for p in seen] == [(n, 12, n) for n in range(2, 13, 2)]


@pytest.mark.parametrize("commits", [1, 2, 5])
def test_cancel_keeps_what_is_committed_and_the_next_run_goes_on(full: Desk, commits: int) -> None:
    cancel = Cancel()
    around = Surroundings(full.around.config, cancel)
    with pytest.raises(Cancelled):
        full.services.importing.run(
            "DESK",
            trigger="console",
            surroundings=around,
            progress=at_commit(commits, cancel.cancel),
        )
    assert len(full.mails()) == 2 * commits
    (row,) = full.runs()
    assert (row.state, row.imported) == ("cancelled", 2 * commits)
    counts = full.run().counts
    assert (counts.imported, counts.known) == (12 - 2 * commits, 2 * commits)
    check_complete(full)


def test_a_server_that_stops_in_the_middle_loses_nothing(desk: Desk, authority: Authority) -> None:
    with Dovecot(authority.server) as server:
        desk.mailbox = Mailbox.create(server, "desk", "secret")
        desk.account()
        desk.contact(GUIDE)
        for _ in range(12):
            desk.mailbox.append(letter())
        with pytest.raises(ConnectionFailed, match="refuses connections"):
            desk.run(progress=at_commit(2, server.stop))
        (row,) = desk.runs()
        assert row.state == "failed"
        assert 4 <= row.imported < 12, "what had been fetched ahead is kept too"
        assert row.imported == len(desk.mails())
        server.restart()
        desk.run()
        check_complete(desk)


def test_copies_are_known_before_the_page_of_the_first_is_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Further pages are judged while the bodies of earlier ones are still on their way."""
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 1)
    desk.account()
    desk.contact(GUIDE)
    twin, skipped = letter(), letter(sender="stranger@else.test")
    for raw in (twin, letter(), twin, letter(), twin, skipped, letter(), skipped):
        desk.mailbox.append(raw)
    counts = desk.run().counts
    assert (counts.imported, counts.skipped, counts.known) == (4, 1, 3)
    assert all(row.mail_id for row in desk.ledger()), "each known copy names its mail"


@SQLITE_ONLY
def test_a_disk_that_fills_up_keeps_what_is_committed_and_the_next_run_goes_on(
    full: Desk,
) -> None:
    for _ in range(4):
        full.mailbox.append(letter(body="x" * 20_000))
    engine = full.services.store.engine

    def limit(connection: Any, *_more: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(ServiceError, match="disk that holds the store is full"):
        full.run(progress=at_commit(2, lambda: event.listen(engine, "checkout", limit)))
    event.remove(engine, "checkout", limit)
    engine.dispose()  # the limit is each connection's own
    kept = len(full.mails())
    assert 4 <= kept < 16
    assert full.runs()[0].state == "failed"
    assert "full" in full.runs()[0].message
    assert full.run().counts.imported == 16 - kept
    check_complete(full, 16)


def test_mail_that_vanishes_during_the_run_is_accounted_for_as_gone(full: Desk) -> None:
    uids = full.mailbox.uids
    vanishing = uids[9:]  # beyond what is fetched ahead
    result = full.run(progress=at_commit(1, lambda: full.mailbox.expunge(vanishing)))
    assert (result.counts.imported, result.counts.gone) == (9, 3)
    rows = {row.item: row.outcome for row in full.ledger()}
    assert [rows[str(uid)] for uid in vanishing] == ["gone"] * 3


def test_mail_that_vanishes_between_its_headers_and_its_body_is_gone(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = ImapImporter.bodies

    def late(self: ImapImporter, items: Sequence[str]) -> Any:
        full.mailbox.expunge([int(items[0])])
        return bodies(self, items)

    monkeypatch.setattr(ImapImporter, "bodies", late)
    counts = full.run().counts
    assert (counts.imported, counts.gone) == (6, 6)


def test_mail_that_vanishes_before_it_is_listed_is_gone_without_a_row(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = ImapImporter._above

    def late(self: ImapImporter, settled: int, inbox: Any) -> Any:
        full.mailbox.expunge(full.mailbox.uids[:2])
        self._own.noop()
        return above(self, settled, inbox)

    monkeypatch.setattr(ImapImporter, "_above", late)
    counts = full.run().counts
    assert (counts.server_count, counts.imported, counts.gone) == (12, 10, 2)


def test_a_comparison_that_is_cut_short_does_not_take_the_mark_back(full: Desk) -> None:
    full.run()
    mark = full.mark()
    with full.services.store.write() as session:
        session.exec(delete(LedgerRow))
    cancel = Cancel()
    with pytest.raises(Cancelled):
        full.services.importing.run(
            "DESK",
            trigger="command",
            surroundings=Surroundings(full.around.config, cancel),
            reconcile=True,
            progress=at_commit(3, cancel.cancel),
        )
    assert mark is not None
    assert full.mark() == mark


# ------------------------------------------------------------------ leases and fences


def test_a_run_whose_lease_ran_out_is_taken_over_and_its_program_fenced_off(
    full: Desk, clock: Clock, tmp_path: Path
) -> None:
    second = Desk(services_in(tmp_path, clock), full.mailbox, full.around)

    def take_over() -> None:
        clock.forward(seconds=91)
        assert second.run().counts.imported == 8

    with pytest.raises(Fenced):
        full.run(progress=at_commit(2, take_over))
    first, other = full.runs()
    assert (first.state, first.claim, first.imported) == ("failed", 2, 4)
    assert (other.state, other.imported, other.known) == ("done", 8, 4)
    second.services.close()
    check_complete(full)


def test_a_lease_is_renewed_while_a_run_goes_on(
    full: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.importing.claim.RENEW_SECONDS", 0.02)

    def wait() -> None:
        clock.forward(seconds=60)
        from tests.servers.process import wait_until

        wait_until(lambda: full.runs()[0].lease_until > clock() + timedelta(seconds=80), "renewal")

    full.run(progress=at_commit(1, wait))


def test_an_account_that_is_changed_meanwhile_ends_the_run(full: Desk) -> None:
    """Its new server, user or start must not meet the old mailbox's mark."""

    def change() -> None:
        account = full.services.accounts.get("DESK")
        identity = account.identity.model_copy(update={"description": "New"})
        draft = account.model_copy(update={"identity": identity})
        full.services.accounts.save(draft, of=account.id)

    with pytest.raises(ServiceError, match="was changed during the import"):
        full.run(progress=at_commit(2, change))
    assert len(full.mails()) == 4
    assert full.runs()[0].state == "failed"
    full.run()
    check_complete(full)


def test_an_account_that_is_deleted_meanwhile_ends_the_run_and_keeps_its_mail(full: Desk) -> None:
    with pytest.raises(Fenced):
        full.run(progress=at_commit(2, lambda: full.services.accounts.delete("DESK")))
    assert [line.account for line in full.mails()] == ["DESK"] * 4
    assert full.ledger() == []


def test_a_run_waits_for_a_connection_and_says_who_has_them(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "WAIT_SECONDS", 0.1)
    account = full.services.accounts.get("DESK")
    mailbox = account.settings.mailbox()
    with (
        full.services.connections.hold(mailbox, "test", "OTHER", unsaved_limit=None),
        full.services.store.write() as session,
    ):
        from models.account import EmailAccountRow

        row = session.get_one(EmailAccountRow, account.id)
        row.connection_limit = 1
        session.add(row)
    with (
        full.services.connections.hold(mailbox, "test", "OTHER"),
        pytest.raises(MailboxBusy, match="test of OTHER"),
    ):
        full.run()
    assert full.runs()[0].state == "failed"
    assert timedelta(0) < connections.LEASE
    full.run()


# ------------------------------------------------------------------ alarms and bugs


def test_a_message_without_a_row_raises_an_alarm_and_is_found_by_the_next_run(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Book.write

    def forgetful(self: Book, session: Session, entries: Sequence[Entry]) -> None:
        write(self, session, entries[1:])

    with monkeypatch.context() as patched:
        patched.setattr(Book, "write", forgetful)
        result = full.services.importing.run("DESK", trigger="command", surroundings=full.around)
    assert not result.ok
    assert "without a row" in result.message
    assert full.runs()[0].state == "failed"
    assert full.run().counts.imported == 6
    check_complete(full)


def test_a_bug_that_one_mail_lays_bare_costs_neither_the_run_nor_the_mail(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = examine.judge
    raw = letter(subject="poison")
    full.mailbox.append(raw)

    def buggy(finding: Any, background: Any) -> Any:
        if finding.facts.subject == "poison":
            raise ZeroDivisionError
        return judge(finding, background)

    monkeypatch.setattr(examine, "judge", buggy)
    counts = full.run().counts
    assert (counts.imported, counts.errors) == (12, 1)
    (line,) = full.mails(outcome="error")
    assert full.services.mail.raw(line.id) == raw


def test_a_bug_in_the_run_itself_does_not_leave_it_running(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_args: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(Book, "write", bug)
        full.run()
    assert full.runs()[0].state == "failed"
    full.run()
    check_complete(full)


def test_bodies_are_fetched_in_batches_bounded_by_bytes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 200)
    monkeypatch.setattr(walk, "BATCH_MESSAGES", 200)
    monkeypatch.setattr(walk, "BATCH_BYTES", 100_000)
    desk.account()
    desk.contact(GUIDE)
    for _ in range(10):
        desk.mailbox.deliver_raw(letter(body="x" * 30_000))
    desk.mailbox.deliver_raw(letter(body="x" * 200_000))
    batches: list[int] = []
    bodies = ImapImporter.bodies

    def spy(self: ImapImporter, items: Sequence[str]) -> list[Body]:
        found = list(bodies(self, items))
        batches.append(sum(len(body.data or b"") for body in found))
        return found

    monkeypatch.setattr(ImapImporter, "bodies", spy)
    assert desk.run().counts.imported == 11
    assert len(batches) == 5
    assert sorted(batches)[-2] <= 100_000
