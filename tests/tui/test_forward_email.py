"""The Import tab's Forward Email list and its modal."""

from pathlib import Path
from uuid import UUID

from models.mail import MailboxMarkRow
from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console


async def on_forward(driver: Driver) -> None:
    """Go from the form to the list of forward addresses."""
    await driver.press("f3")
    await driver.walk_to("importing.forward")


def saved(services: Services) -> list[tuple[str, str]]:
    """Return the stored forward addresses."""
    importing = services.accounts.get("RESERVATIONS").importing
    assert importing is not None
    return [(entry.email, entry.name) for entry in importing.forward]


def with_forward(*entries: tuple[str, str]) -> dict[str, object]:
    """Return an account with forward addresses."""
    raw = imap_raw()
    raw["importing"]["forward"] = [{"email": email, "name": name} for email, name in entries]
    return raw


async def test_addresses_are_inserted_edited_deleted_and_saved_with_the_account(
    folder: Path, services: Services
) -> None:
    save(services, with_forward(("old@example.com", "Old"), ("gone@example.com", "")))
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await on_forward(driver)
        assert not driver.sees("not saved yet")
        await driver.press("insert")
        await driver.fill("new@example.com", "New")
        await driver.press("space")
        assert driver.sees("new@example.com New not saved yet")
        await driver.press("home", "enter")
        await driver.press("tab")
        await driver.type("Older")
        await driver.press("ctrl+s")
        await driver.press("down", "d")
        assert saved(services) == [("old@example.com", "Old"), ("gone@example.com", "")]
        await driver.press("ctrl+s")
    assert saved(services) == [("old@example.com", "Older"), ("new@example.com", "New")]


async def test_a_wrong_or_repeated_address_stays_in_the_modal(
    folder: Path, services: Services
) -> None:
    save(services, with_forward(("ops@example.com", "Ops")))
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await on_forward(driver)
        await driver.press("n", "ctrl+s")
        assert driver.message == "Required."
        await driver.type("nobody")
        await driver.press("ctrl+s")
        assert "not an email address" in driver.message
        await driver.press("home", *["delete"] * 6)
        await driver.type("OPS@example.com")
        await driver.press("ctrl+s")
        assert driver.message == "Each forward address can be entered once."
        await driver.press("escape")
        assert driver.state == "", "Cancel changed nothing"


async def test_the_modal_explains_its_fields(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await on_forward(driver)
        await driver.press("n", "tab", "f1")
        assert driver.sees("Whose address it is. At most 60 characters.")
        await driver.press("escape")
        assert driver.focused_on("name")


async def test_editing_an_entry_without_changing_it_is_no_repetition(
    folder: Path, services: Services
) -> None:
    save(services, with_forward(("ops@example.com", "Ops")))
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await on_forward(driver)
        await driver.press("enter", "ctrl+s")
        assert driver.crumbs[-1] == "RESERVATIONS"
        assert not driver.sees("not saved yet")


async def test_tick_lists_keep_arrows_inside_and_tab_leaves(folder: Path) -> None:
    async with console(folder, *EMAIL_ACCOUNT, "n", "f3") as driver:
        await driver.walk_to("importing.agent_types")
        await driver.press("down", "down", "down")
        assert driver.focused_on("importing.agent_types")
        await driver.press("space")
        assert driver.editor("importing.agent_types").value == ("RS",)
        await driver.press("a", "space")
        assert driver.editor("importing.agent_types").value == ("AC", "RS")
        assert driver.sees("2 of 2")
        await driver.press("tab")
        assert driver.focused_on("importing.supplier_types")
        await driver.press("enter", "enter")
        assert driver.focused_on("importing.enabled"), "an empty list is walked past"


async def test_import_from_is_fixed_after_the_first_import_until_started_over(
    folder: Path, services: Services
) -> None:
    account = save(services, imap_raw())
    began(services, account.id)
    async with console(folder, *EMAIL_ACCOUNT, "enter", "f3") as driver:
        assert driver.editor("importing.start").radios.disabled
        assert driver.sees("fixed; F6 restarts")
        await driver.press("f6")
        assert driver.focused_on("importing.start")
        await driver.press("n", "ctrl+s")
        assert driver.sees("Start over from the new Import From?")
        await driver.press("y")
        assert driver.message == "RESERVATIONS is saved."


def began(services: Services, account: UUID) -> None:
    """Leave the mark that a first import leaves."""
    with services.store.write() as session:
        session.add(MailboxMarkRow(account_id=account, scope="1", cursor="1"))


async def test_quit_asks_before_it_discards_what_was_typed_in_the_modal(
    folder: Path, services: Services
) -> None:
    save(services, with_forward())
    async with console(folder, *EMAIL_ACCOUNT, "enter") as driver:
        await on_forward(driver)
        await driver.press("n")
        await driver.type("ops@example.com")
        await driver.press("ctrl+q")
        assert driver.sees("Discard what you typed in Forward Email?")
        await driver.press("k")
        assert driver.sees("ops@example.com"), "it is still there to be finished"
