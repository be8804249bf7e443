"""The one list and form that maintain every code table."""

from pathlib import Path

import pytest

from models.codes import CODE_TABLES
from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import console

TYPES, QUEUES, USERS = ("c", "c"), ("c", "q"), ("s", "s", "enter", "u")


async def test_records_are_inserted_one_after_the_other(folder: Path, services: Services) -> None:
    async with console(folder, *TYPES, "n") as driver:
        await driver.fill("sa", "Sales")
        await driver.press("ctrl+s")
        assert driver.message == "SA is saved. Ready for the next one."
        await driver.type("gr")
        await driver.press("enter")
        await driver.type("Groups")
        await driver.press("ctrl+s", "escape")
        assert driver.state == "4 contact types"
        assert driver.sees("SA Sales")
        assert driver.screen.list.current.key == "GR", "the cursor is on what was saved last"
        assert driver.message == "GR is saved."
    assert [r.key for r in services.codes.list("contact-type")] == ["AC", "GR", "RS", "SA"]


async def test_a_queue_has_members_and_an_owner_chosen_from_users(
    folder: Path, services: Services
) -> None:
    services.codes.save("user", {"name": "BEN", "full_name": "Ben Ode"})
    async with console(folder, *QUEUES, "n") as driver:
        await driver.fill("Refunds", "Money back")
        await driver.press("space", "tab")
        await driver.press("b", "tab")  # Owner
        await driver.press("space", "down", "space", "ctrl+s")
        assert driver.message == "Refunds is saved. Ready for the next one."
    values = services.codes.get("queue", "refunds").values
    assert values.model_dump() == {
        "name": "Refunds",
        "description": "Money back",
        "system_event": True,
        "owner": "BEN",
        "members": ("ANNA", "BEN"),
    }


async def test_a_user_is_edited_but_not_renamed(folder: Path, services: Services) -> None:
    async with console(folder, *USERS, "enter") as driver:
        assert driver.editor("name").target.disabled
        await driver.type("Anna B. Berg")
        await driver.press("tab")
        await driver.type("anna@example.com")
        await driver.press("ctrl+s")
        assert driver.message == "ANNA is saved."
        assert driver.sees("Anna B. Berg")
    assert services.codes.get("user", "ANNA").values.email == "anna@example.com"  # type: ignore[attr-defined]


async def test_a_code_in_use_is_not_deleted_and_one_that_is_not_is(
    folder: Path, services: Services
) -> None:
    raw = imap_raw()
    raw["importing"]["agent_types"] = ["RS"]
    save(services, raw)
    async with console(folder, *TYPES) as driver:
        await driver.press("down", "d", "y")
        assert driver.kind == "error"
        assert "RS is in use by 1 email account" in driver.message
        await driver.press("up", "d")
        assert driver.sees("Delete the contact type AC?")
        await driver.press("y")
        assert driver.message == "AC is deleted."
    assert [r.key for r in services.codes.list("contact-type")] == ["RS"]


async def test_a_key_taken_in_another_case_is_told_at_its_field(folder: Path) -> None:
    async with console(folder, *QUEUES, "n") as driver:
        await driver.type("ERRORS")
        await driver.press("ctrl+s")
        assert driver.message == "ERRORS exists already."
        assert driver.focused_on("name")


async def test_a_record_changed_meanwhile_is_not_overwritten(
    folder: Path, services: Services
) -> None:
    async with console(folder, *TYPES, "enter") as driver:
        await driver.type("Mine")
        services.codes.save("contact-type", {"code": "AC", "description": "Theirs"}, "AC")
        await driver.press("ctrl+s")
        assert driver.sees("since you opened it")
        await driver.press("escape")
        assert driver.message == "Nothing was saved."
    assert services.codes.get("contact-type", "AC").values.description == "Theirs"  # type: ignore[attr-defined]


async def test_the_list_is_filtered_and_sorted(folder: Path) -> None:
    async with console(folder, *TYPES) as driver:
        await driver.press("slash")
        await driver.type("serv")
        assert driver.state == "1 contact type"
        await driver.press("enter")
        assert driver.screen.list.current.key == "RS"
        await driver.press("slash", "escape")
        assert driver.state == "2 contact types"
        await driver.press("s", "s")
        assert [r.key for r in driver.screen.list.window.held()] == ["RS", "AC"]
        assert driver.screen.list.current.key == "RS"


async def test_nothing_found_and_nothing_there_say_what_to_do(folder: Path) -> None:
    async with console(folder, *TYPES) as driver:
        await driver.press("slash")
        await driver.type("zzz")
        assert driver.sees("Nothing contains that.")
    async with console(folder, "c", "e") as driver:
        assert driver.sees("No accounts yet: press n to insert the first one.")


@pytest.mark.parametrize("key", CODE_TABLES)
async def test_every_table_opens_from_the_menu(folder: Path, key: str) -> None:
    async with console(folder) as driver:
        from tui.menu import places

        target = next(p for p in places() if p.entry.argument == key)
        assert await driver.app.jump(target)
        await driver.settle()
        await driver.press("n", "ctrl+s")
        assert driver.message == "Required."
