"""Home's right side: what waits, how accounts fare, who is at work, each one key away."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from models.codes import QueueDestinationRow
from models.mail import MailRow
from models.outbox import OutboxRow
from models.outgoing import OutgoingMail
from models.queue import QueueMessageRow
from models.submission import Submission
from models.work import ImportRunRow, WorkerRow
from services.bootstrap import Services
from services.sending.drop import DropFolder
from tests.stores import imap_raw, office365_raw, save, smtp_raw
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console
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


def board(driver: Driver) -> str:
    """Return what stands beside the menu, in one line."""
    return " ".join(" ".join(line[33:] for line in driver.text().splitlines()).split())


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
        assert driver.sees("1 message to send, no worker is alive")
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
        assert driver.sees("1 message to send, no worker is alive")


async def test_a_secret_that_ends_leads_to_its_account(folder: Path, services: Services) -> None:
    ends = date.today() + timedelta(days=12)
    save(services, office365_raw(secret_expires=ends))
    async with console(folder) as driver:
        assert driver.sees("[1] OFFICE: its secret expires in 12 days")
        await driver.press("1")
        assert driver.crumbs[-2:] == ("Email Account", "OFFICE")


async def test_what_is_said_of_an_account_has_room_below_a_name_of_wide_characters(
    folder: Path, services: Services
) -> None:
    ends = date.today() + timedelta(days=12)
    save(services, office365_raw("旅行代理店東京", secret_expires=ends))
    async with console(folder, size=(88, 24)) as driver:
        assert f"Office 365 its secret expires in 12 days, on {ends}" in board(driver)


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


async def test_an_account_without_its_password_is_told_before_its_first_import(
    folder: Path, services: Services
) -> None:
    text = save_without_password(services)
    async with console(folder) as driver:
        assert driver.sees(f"[1] RESERVATIONS: {text}")
        assert driver.sees(f"▲ RESERVATIONS IMAP {text}")
        await driver.press("1")
        assert driver.crumbs[-2:] == ("Email Account", "RESERVATIONS")
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        assert driver.sees(f"▲ {text}")
        assert driver.message == f"RESERVATIONS: {text}"
        assert driver.kind == "warning"


async def test_an_account_that_needs_no_password_lacks_none(
    folder: Path, services: Services
) -> None:
    save(services, smtp_raw())  # a relay
    async with console(folder) as driver:
        assert not driver.sees("yet")
        assert driver.sees("SMTP sends for all")


def save_without_password(services: Services) -> str:
    """Apply an account as text, and return what is to be said of it."""
    text = """[[account]]
        name = "RESERVATIONS"
        protocol = "imap"
        server = "mail.example.com"
        port = 993
        user = "res@example.com"
    """
    services.account_text.apply(services.account_text.plan(text), without_secrets=True)
    return "no Password yet"


async def test_what_waits_is_read_in_full(folder: Path, services: Services) -> None:
    add_errors(services, "not-delivered", "too-large", "unknown-sender", "unreadable")
    async with console(folder) as driver:
        words = "[1] 4 errors: 1 not delivered, 1 too large, 1 unknown sender, 1 unreadable"
        assert words in board(driver)
        await driver.press("tab", "enter")
        assert driver.crumbs[-1] == "Email Management"
    async with console(folder, size=(60, 15)) as driver:
        assert driver.sees("[1] 4 errors")
        assert "…" not in driver.text()


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_the_command_of_a_worker_is_never_cut(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("tui.screens.board.command", lambda: "/opt/office/tourmail/bin/tourmail")
    save(services, smtp_raw())
    add_errors(services, "unreadable")
    async with console(folder, size=size) as driver:
        words = "none alive: run /opt/office/tourmail/bin/tourmail worker"
        assert words.replace(" ", "") in board(driver).replace(" ", "")


async def test_why_mail_of_an_account_waits_is_read_below_it(
    folder: Path, services: Services
) -> None:
    save(services, smtp_raw())
    which = services.outbox.accept(OutgoingMail(to=("a@lodge.example",), subject="S", text="T")).id
    with services.store.write() as session:
        row = session.get_one(OutboxRow, which)
        row.attempts, row.last_error = 1, "mail.example.com does not answer at port 587."
    for size in ((80, 24), (60, 15)):
        async with console(folder, "tab", "end", size=size) as driver:
            assert "1 waiting: mail.example.com does not answer" in board(driver)
