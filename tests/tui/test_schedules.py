"""Scheduled Tasks from the console, by keys at 80×24."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import update

from models.schedule import ScheduleRow
from services.bootstrap import Services, utc_now
from services.config import Config
from tests.servers.mailbox import Mailbox
from tests.servers.tls import Authority
from tests.stores import config_in, imap_raw, save
from tests.tui.desk import add_account, fill
from tests.tui.driver import console
from tests.tui.test_import_run import dialog_says

TASKS = ("s", "enter")
HOME_TASKS = ("Home", "System", "Scheduled Tasks")


@pytest.fixture
def config(folder: Path, authority: Authority) -> Config:
    """The console's configuration, which trusts the test servers."""
    return config_in(folder, ca_bundle=authority.bundle)


def shift(services: Services, **values: object) -> None:
    """Change a schedule as time and failures would."""
    with services.store.write() as session:
        session.execute(update(ScheduleRow).values(**values))


async def test_it_is_walked_to_and_says_what_to_do(folder: Path) -> None:
    async with console(folder, *TASKS) as driver:
        assert driver.crumbs == HOME_TASKS
        assert driver.sees("press n to insert one")


async def test_an_interval_is_inserted_and_the_next_form_offers_who_is_left(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("GROUPS"))
    save(services, imap_raw("RES"))
    async with console(folder, *TASKS, "n") as driver:
        await driver.press("r")  # the account by its first letter
        await driver.walk_to("every")
        await driver.press("tab")
        await driver.press("home", "delete", "1", "0", "ctrl+s")
        assert driver.message == "RES is saved. Ready for the next one."
        await driver.press("g", "ctrl+s", "escape")
        assert driver.crumbs == HOME_TASKS
        assert driver.state == "2 tasks"
        assert driver.sees("RES 10 min ✓ now")
    forms = [line.form for line in services.schedules.list()]
    assert [(form.account, form.every) for form in forms] == [("GROUPS", 5), ("RES", 10)]


async def test_cron_is_asked_for_only_where_it_counts_and_judged_in_words(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("RES"))
    services.schedules.save({"account": "RES", "every": 5})
    async with console(folder, *TASKS, "enter") as driver:
        assert driver.editor("account").target.disabled
        assert driver.editor("cron").target.disabled
        await driver.walk_to("every")
        await driver.press("left")
        assert not driver.editor("cron").target.disabled
        await driver.press("ctrl+s")
        assert driver.focused_on("cron")
        assert driver.message == "Enter a cron expression, or choose Every."
        await driver.type("0 25 * * *")
        await driver.press("ctrl+s")
        assert driver.message == "The hour 25 is not one that cron knows."
        await driver.press("end", *["backspace"] * 8)
        await driver.type("7 * * 1-5")
        await driver.press("tab")
        await driver.type("Europe/Berlin")
        await driver.press("ctrl+s")
        assert driver.crumbs == HOME_TASKS
        assert driver.sees("RES 0 7 * * 1-5 ✓")
        await driver.press("down", "up")
    assert services.schedules.get("RES").form.zone == "Europe/Berlin"


async def test_e_turns_it_off_and_on_and_d_deletes_it(folder: Path, services: Services) -> None:
    save(services, imap_raw("RES"))
    services.schedules.save({"account": "RES"})
    async with console(folder, *TASKS) as driver:
        assert driver.sees("e Off")
        await driver.press("e")
        assert driver.message == "The schedule of RES is off."
        assert driver.sees("e On")
        assert driver.sees("RES 5 min ✓ The schedule of RES is off."), "the tick is the message's"
        await driver.press("e")
        assert driver.sees("RES 5 min ✓ now")
        await driver.press("d")
        assert driver.sees("Stop importing RES on a schedule?")
        await driver.press("y")
        assert driver.message == "The schedule of RES is deleted."
    assert services.schedules.list() == []


async def test_run_now_imports_and_history_adds_up(
    folder: Path, config: Config, services: Services, mailbox: Mailbox
) -> None:
    add_account(services, mailbox)
    fill(mailbox)
    services.schedules.save({"account": "RESERVATIONS", "every": 60})
    async with console(folder, *TASKS, "r", config=config) as driver:
        await dialog_says(driver, "1 imported, 2 skipped, 1 error")
        await driver.press("escape")
        assert driver.sees("1 new")
        assert "1 imported, 2 skipped, 1 error, 0 known" in driver.message
        await driver.press("l")
        assert driver.crumbs == (*HOME_TASKS, "RESERVATIONS", "Log")
        assert driver.sees("Started By Result Mailbox Before Known New Skip Err Gone")
        assert driver.sees("console done 4 0 0 1 2 1 0")
        assert driver.message.startswith("done, console of ")
        await driver.press("enter")
        assert driver.sees("4 messages in the mailbox = 0 before Import From + 0 known")
        await driver.press("escape", "escape")
        assert driver.crumbs == HOME_TASKS


async def test_alarms_are_seen_in_the_list_and_on_home(folder: Path, services: Services) -> None:
    save(services, imap_raw("RES"))
    services.schedules.save({"account": "RES"})
    since = utc_now() - timedelta(minutes=1)
    clock = f"{since.astimezone():%H:%M}"
    shift(services, failing_since=since, next_run_at=utc_now() + timedelta(minutes=4))
    async with console(folder) as driver:
        assert driver.sees("▲ RES IMAP failing")
        await driver.press(*TASKS)
        assert driver.sees("r Run d Delete e Off l Log Esc Exit F1 Help")
        assert driver.sees(f"in 4 min failing since {clock}")
        assert f"RES: failing since {clock}" in driver.message
        assert driver.kind == "warning"
        shift(services, failing_since=None, next_run_at=utc_now() - timedelta(minutes=16))
        await driver.press("ctrl+l")
        assert driver.sees("no run since")
        shift(services, next_run_at=utc_now() + timedelta(minutes=4))
        await driver.press("escape", "escape", "escape")
        assert driver.sees("in 4 min")


async def test_a_schedule_changed_meanwhile_is_not_overwritten(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("RES"))
    services.schedules.save({"account": "RES", "every": 5})
    async with console(folder, *TASKS, "enter") as driver:
        await driver.walk_to("enabled")
        await driver.press("space")
        services.schedules.save({"account": "RES", "every": 7}, "RES")
        await driver.press("ctrl+s")
        assert driver.sees("changed the schedule of RES today")
        await driver.press("escape")
    assert services.schedules.get("RES").form.every == 7
