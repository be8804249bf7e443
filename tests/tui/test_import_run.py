"""Import Now and Rehearse from the console, on a real mailbox."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select

from models.work import ImportRunRow
from services.bootstrap import Services
from services.config import Config
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.stores import config_in, imap_raw, save, smtp_raw
from tests.tui.desk import KNOWN, add_account, fill, letter
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console


@pytest.fixture
def config(folder: Path, authority: Authority) -> Config:
    """The console's configuration, which trusts the test servers."""
    return config_in(folder, ca_bundle=authority.bundle)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def runs(services: Services) -> list[ImportRunRow]:
    with services.store.read() as session:
        return list(session.exec(select(ImportRunRow)))


async def dialog_says(driver: Driver, words: str) -> None:
    """Wait for words while work goes on."""
    for _ in range(500):
        await driver.pilot.pause(0.02)
        if driver.sees(words):
            return
    raise AssertionError(f"{words!r} does not come:\n{driver.text()}")


async def run_begins(driver: Driver, services: Services) -> None:
    """Wait until the run is in the store: one that is stopped sooner leaves none behind."""
    for _ in range(500):
        await driver.pilot.pause(0.02)
        if runs(services):
            return
    raise AssertionError(f"no run begins:\n{driver.text()}")


async def test_import_now_accounts_for_every_message(
    folder: Path, config: Config, services: Services, mailbox: Mailbox
) -> None:
    add_account(services, mailbox)
    fill(mailbox)
    async with console(folder, *EMAIL_ACCOUNT, "i", config=config) as driver:
        await dialog_says(driver, "1 imported, 2 skipped, 1 error")
        assert "Esc Close" in driver.text()
        assert driver.sees(
            "4 messages in the mailbox = 0 before Import From + 0 known + 1 imported + 2 skipped "
            "+ 1 error + 0 gone"
        )
        await driver.press("escape", "i")
        await dialog_says(driver, "0 before Import From + 4 known + 0 imported")
        await driver.press("escape")
        assert driver.sees("ok"), "the list shows how the last run went"
    assert [(run.trigger, run.state) for run in runs(services)] == [("console", "done")] * 2
    assert services.mail.count() == 4


async def test_from_the_import_one_goes_to_the_accounts_mail(
    folder: Path, config: Config, services: Services, mailbox: Mailbox
) -> None:
    add_account(services, mailbox)
    fill(mailbox)
    async with console(folder, *EMAIL_ACCOUNT, "i", config=config) as driver:
        await dialog_says(driver, "1 imported")
        await driver.press("e")
        assert driver.crumbs == ("Home", "Messages", "Email Management")
        assert driver.sees("Account RESERVATIONS")
        assert driver.state == "4 messages"
        await driver.press("escape")
        assert driver.crumbs[-1] == "Email Account"


async def test_a_rehearsal_lists_what_an_import_would_do_and_changes_nothing(
    folder: Path, config: Config, services: Services, mailbox: Mailbox
) -> None:
    add_account(services, mailbox)
    fill(mailbox)
    async with console(folder, *EMAIL_ACCOUNT, config=config) as driver:
        assert driver.sees("i Import R Rehearse Esc Exit F1 Help")
        await driver.press("R")
        assert driver.crumbs[-1] == "Rehearsal of RESERVATIONS"
        assert driver.state == "1 imported, 2 skipped, 1 error"
        assert driver.sees("imported walter@lodge.example Two cabins are left")
        assert driver.sees("skipped offers@shop.example Offer")
        assert "\x1b" not in driver.text()
        await driver.press("down")
        assert "Billing of supplier LODGE Safari Lodge, type AC" in driver.message
        await driver.press("enter")
        assert driver.sees("From billing@lodge.example Subject Invoice 2291 Outcome skipped Why")
        await driver.press("escape", "escape")
        assert driver.crumbs[-1] == "Email Account"
    assert services.mail.count() == 0
    assert runs(services) == []


async def test_the_form_rehearses_a_saved_account(
    folder: Path, config: Config, services: Services, mailbox: Mailbox
) -> None:
    add_account(services, mailbox)
    fill(mailbox)
    keys = (*EMAIL_ACCOUNT, "enter", "f3", "ctrl+r")
    async with console(folder, *keys, config=config) as driver:
        await driver.settle()
        assert driver.crumbs[-1] == "Rehearsal of RESERVATIONS"
        await driver.press("escape")
        assert driver.crumbs[-1] == "RESERVATIONS"


async def test_only_accounts_that_import_offer_it(folder: Path, services: Services) -> None:
    save(services, smtp_raw())
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        assert not driver.sees("i Import")
        await driver.press("i", "R")
        assert driver.crumbs[-1] == "Email Account"


async def test_what_keeps_the_import_from_running_is_said(folder: Path, services: Services) -> None:
    save(services, imap_raw(server="127.0.0.1", port=1))
    async with console(folder, *EMAIL_ACCOUNT, "i") as driver:
        await dialog_says(driver, "127.0.0.1")
        assert driver.sees("✗")
        await driver.press("escape")
        assert driver.sees("failed")


async def test_escape_leaves_at_once_and_stops_the_import(
    folder: Path, services: Services, silent: int
) -> None:
    save(services, imap_raw(server="127.0.0.1", port=silent))
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        driver._send("i", "i")
        await dialog_says(driver, "Connecting")
        await run_begins(driver, services)
        began = time.monotonic()
        driver._send("escape", None)
        await driver.pilot.pause()
        assert driver.crumbs[-1] == "Email Account"
        assert time.monotonic() - began < 1
        await driver.settle()
    assert [run.state for run in runs(services)] == ["cancelled"]


async def test_the_list_tells_that_an_import_was_stopped(
    folder: Path, services: Services, silent: int
) -> None:
    save(services, imap_raw(server="127.0.0.1", port=silent))
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        driver._send("i", "i")
        await dialog_says(driver, "Connecting")
        await run_begins(driver, services)
        assert "Esc stops it." in driver.text()
        assert "Esc Stop" in driver.text()
        assert "Esc Close" not in driver.text()
        driver._send("escape", None)
        await dialog_says(driver, "cancelled")
        assert not driver.sees("running")


async def test_leaving_the_console_stops_the_import(
    folder: Path, services: Services, silent: int
) -> None:
    save(services, imap_raw(server="127.0.0.1", port=silent))
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        driver._send("i", "i")
        await dialog_says(driver, "Connecting")
        await run_begins(driver, services)
        await driver.app._quit()
        assert driver.app.door.busy == 0
    assert [run.state for run in runs(services)] == ["cancelled"]


async def test_mail_before_import_from_is_told_before_the_rehearsal_is_listed(
    folder: Path, config: Config, services: Services, mailbox: Mailbox
) -> None:
    add_account(services, mailbox, "2026-01-01")
    mailbox.append(letter(KNOWN, "Two cabins are left"), datetime(2020, 1, 2, tzinfo=UTC))
    async with console(folder, *EMAIL_ACCOUNT, "R", config=config) as driver:
        await dialog_says(driver, "1 message lies before Import From (2026-01-01): choose")
        await driver.press("escape")
        assert driver.crumbs[-1] == "Rehearsal of RESERVATIONS"
        await driver.press("escape", "i")
        await dialog_says(driver, "1 message lies before Import From (2026-01-01): choose")


async def test_why_an_account_cannot_be_imported_is_said(folder: Path, services: Services) -> None:
    save(services, smtp_raw())
    raw = imap_raw("OFF")
    raw["importing"] |= {"enabled": False}
    save(services, raw)
    async with console(folder, *EMAIL_ACCOUNT, "i") as driver:
        assert (
            driver.message
            == "This account does not import. Tick Import on the account's Import tab."
        )
        await driver.press("down", "R")
        assert driver.message == "This account does not import: SMTP only sends."
        assert "i Import" not in driver.text().splitlines()[-1]
