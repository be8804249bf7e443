"""Home's right side: what waits, how accounts fare, who is at work, each one key away."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from models.codes import QueueDestinationRow
from models.mail import MailRow, OutgoingMail
from models.queue import QueueMessageRow
from models.submission import Submission
from models.work import ImportRunRow, WorkerRow
from services.bootstrap import Services
from services.sending.drop import DropFolder
from tests.stores import imap_raw, office365_raw, save, smtp_raw
from tests.tui.driver import console
from tui.screens.board import command


def add_errors(services: Services, *reasons: str, dismissed: bool = False) -> None:
    now = services.now()
    with services.store.write() as session:
        session.add_all(
            MailRow(
                account_name="ALPHA",
                outcome="error",
                reason=reason,
                why="",
                received_at=now,
                size=1,
                created_at=now,
                dismissed_at=now if dismissed else None,
            )
            for reason in reasons
        )


def add_worker(services: Services, *, imports: str = "") -> None:
    now, soon = services.now(), services.now() + timedelta(minutes=1)
    with services.store.write() as session:
        session.add(WorkerRow(holder="mail1:7:ab", version="1", started_at=now, seen_at=now))
        if imports:
            session.add(
                ImportRunRow(
                    account_name=imports,
                    trigger="schedule",
                    holder="mail1:7:ab",
                    lease_until=soon,
                    started_at=now,
                    started_by="root",
                    server_count=240,
                    imported=61,
                )
            )


async def test_an_empty_store_says_what_to_do_next(folder: Path) -> None:
    async with console(folder) as driver:
        assert driver.sees("None yet: press c, e, n to insert one.")
        assert not driver.sees("Waiting for you")


async def test_accounts_stand_with_what_they_do(folder: Path, services: Services) -> None:
    save(services, imap_raw("ALPHA"))
    save(services, smtp_raw("A name of nearly thirty signs"))
    async with console(folder) as driver:
        assert driver.sees("ALPHA IMAP")
        assert driver.sees("SMTP sends for all")
        assert driver.sees("1 account imports, 1 sends.")


async def test_open_errors_are_counted_by_cause_and_open_by_a_digit(
    folder: Path, services: Services
) -> None:
    add_errors(services, "unknown-sender", "unknown-sender", "unreadable")
    add_errors(services, "too-large", dismissed=True)
    async with console(folder, size=(120, 30)) as driver:
        assert driver.sees("[1] 3 errors: 2 unknown sender, 1 unreadable")
        assert driver.sees("Email Management 3 errors")
        await driver.press("1")
        assert driver.crumbs == ("Home", "Messages", "Email Management")
        assert driver.sees("Outcome errors")


async def test_messages_in_my_queue_lead_there(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = replace(services.actor, login="anna")
    monkeypatch.setattr("services.bootstrap.current_actor", lambda: me)
    with services.store.write() as session:
        queue = session.exec(select(QueueDestinationRow)).one()
        assert queue.id is not None
        session.add(
            QueueMessageRow(queue_id=queue.id, event="x", text="X", created_at=services.now())
        )
    async with console(folder) as driver:
        assert driver.sees("[1] 1 message in My Queue")
        assert driver.sees("My Queue 1 open")
        await driver.press("1")
        assert driver.crumbs == ("Home", "Messages", "My Queue")


async def test_mail_that_nobody_sends_leads_to_the_outbox(folder: Path, services: Services) -> None:
    save(services, smtp_raw())
    services.outbox.accept(OutgoingMail(to=("a@lodge.example",), subject="S", text="T"))
    async with console(folder) as driver:
        assert driver.sees("1 message to send, and no worker is")
        assert driver.sees("none alive: run tourmail worker")
        await driver.press("1")
        assert driver.crumbs[-1] == "Outbox"
        assert driver.sees("State queued")


async def test_mail_of_other_programs_waits_for_a_worker_too(
    folder: Path, services: Services
) -> None:
    drop = services.config.drop_path
    drop.mkdir()
    DropFolder(drop).put(Submission(data=b"\nHi", recipients=("a@lodge.example",)))
    async with console(folder) as driver:
        assert driver.sees("1 message to send, and no worker is")


async def test_a_secret_that_ends_leads_to_its_account(folder: Path, services: Services) -> None:
    ends = date.today() + timedelta(days=12)
    save(services, office365_raw(secret_expires=ends))
    async with console(folder) as driver:
        assert driver.sees("[1] OFFICE: its secret expires in 12 days")
        await driver.press("1")
        assert driver.crumbs[-2:] == ("Email Account", "OFFICE")


async def test_what_is_said_of_an_account_is_cut_beside_a_name_of_wide_characters(
    folder: Path, services: Services
) -> None:
    ends = date.today() + timedelta(days=12)
    save(services, office365_raw("旅行代理店東京", secret_expires=ends))
    async with console(folder, size=(88, 24)) as driver:
        (line,) = (one for one in driver.text().splitlines() if "Office 365" in one)
        assert line.endswith("…"), "what does not fit is known to be missing"


async def test_enter_opens_the_account_of_a_line(folder: Path, services: Services) -> None:
    save(services, imap_raw("ALPHA"))
    save(services, imap_raw("BETA"))
    async with console(folder, "tab", "down", "enter") as driver:
        assert driver.crumbs[-2:] == ("Email Account", "BETA")


async def test_workers_say_what_they_import(folder: Path, services: Services) -> None:
    save(services, imap_raw("ALPHA"))
    add_worker(services, imports="ALPHA")
    async with console(folder) as driver:
        assert driver.sees("mail1 importing ALPHA 61 of 240")
        assert driver.sees("Today: 61 imported, 0 skipped, 0 errors.")


async def test_the_gauge_shows_connections_in_use_and_by_whom(
    folder: Path, services: Services
) -> None:
    raw = imap_raw("ALPHA")
    raw["limit"] = {"limit_to": 3}
    account = save(services, raw)
    with services.connections.hold(account.settings.mailbox(), "import", "ALPHA"):
        async with console(folder) as driver:
            assert driver.sees("ALPHA 1 of 3: import on ")
    async with console(folder) as driver:
        assert not driver.sees("Connections")


async def test_home_looks_again_by_itself(folder: Path, services: Services) -> None:
    async with console(folder) as driver:
        add_errors(services, "unreadable")
        driver.screen._look_again()
        await driver.settle()
        assert driver.sees("1 error: 1 unreadable")


async def test_digits_without_a_line_do_nothing(folder: Path, services: Services) -> None:
    add_errors(services, "unreadable")
    async with console(folder, "2", "9") as driver:
        assert driver.crumbs == ("Home",)


def test_the_worker_is_named_as_this_program_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/tourmail")])
    assert command() == ".venv/bin/tourmail"
    (tmp_path / "tourmail").touch(0o755)
    assert command() == "tourmail"
