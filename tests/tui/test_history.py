"""The History screen, from lists and from forms."""

from pathlib import Path

from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, console

TYPES, TASKS = ("c", "c"), ("s", "enter")


async def test_a_list_and_a_form_show_who_changed_what(folder: Path, services: Services) -> None:
    saved = save(services, imap_raw())
    raw = imap_raw(password="", timeout=5)
    raw["identity"]["description"] = "Replies of the desk"
    save(services, raw, of=saved.id)
    async with console(folder, *EMAIL_ACCOUNT, "h") as driver:
        assert driver.crumbs[-2:] == ("RESERVATIONS", "History")
        assert driver.state == "2 changes"
        assert driver.sees(f"{services.actor.who} Description: Replies -> Replies of the desk; Ti")
        assert driver.sees("inserted: Protocol: IMAP; Name: RES")
        await driver.press("enter")
        assert driver.sees("Description old Replies new Replies of the desk Timeout old 1 new 5")
        await driver.press("escape", "down", "enter")
        assert driver.sees("Password: changed")
        assert not driver.sees("hunter2")
        await driver.press("escape", "escape")
        assert driver.crumbs[-1] == "Email Account"
        await driver.press("enter")
        assert driver.sees("F7 History")
        for key in ("f7", "ctrl+y"):
            await driver.press(key)
            assert driver.crumbs[-2:] == ("RESERVATIONS", "History")
            await driver.press("escape")
            assert driver.crumbs[-1] == "RESERVATIONS"


async def test_all_of_a_kind_are_shown_with_one_key_deleted_ones_too(
    folder: Path, services: Services
) -> None:
    services.codes.delete("contact-type", "RS")
    async with console(folder, *TYPES, "h") as driver:
        assert driver.state == "1 change"
        assert not driver.sees("Record")
        await driver.press("a")
        assert driver.state == "3 changes"
        assert driver.sees("Who Record Old -> new")
        assert driver.sees("RS deleted: Code: RS")
        assert driver.message == f"{services.actor.who} deleted RS: Code: RS; Description: " + (
            "Reservations"
        )
        await driver.press("slash")
        await driver.type("reserv")
        assert driver.state == "2 changes"
        await driver.press("escape", "a")
        assert driver.state == "1 change"


async def test_an_empty_list_shows_what_was_deleted(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    services.accounts.delete("RESERVATIONS")
    async with console(folder, *EMAIL_ACCOUNT, "h") as driver:
        assert driver.sees("RESERVATIONS deleted: Protocol: IMAP")


async def test_a_new_record_has_no_history(folder: Path) -> None:
    async with console(folder, *TYPES, "n") as driver:
        assert not driver.sees("F7 History")
        await driver.press("f7")
        assert driver.crumbs[-1] == "Insert"


async def test_tasks_have_a_log_of_runs_and_a_history_of_changes(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw("RES"))
    services.schedules.save({"account": "RES", "every": 10})
    services.schedules.switch("RES", on=False)
    async with console(folder, *TASKS, "h") as driver:
        assert driver.sees("On: yes -> no")
        await driver.press("escape", "l")
        assert driver.crumbs[-1] == "Log"
