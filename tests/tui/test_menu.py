"""The menu and the palette: every way to a screen."""

from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import console
from tui.menu import MENU, Entry, place, places

EMAIL_ACCOUNT = ("Home", "System", "Code Setup", "System", "Email Account")


@pytest.mark.parametrize(
    "keys",
    [
        ("enter", "enter"),
        ("c", "e"),
        ("s", "c", "s", "e"),
        ("s", "up", "enter", "down", "up", "enter"),
        ("end", "home", "enter", "home", "right"),
    ],
    ids=" ".join,
)
async def test_email_account_is_walked_to(folder: Path, keys: tuple[str, ...]) -> None:
    async with console(folder, *keys) as driver:
        assert driver.crumbs == EMAIL_ACCOUNT


async def test_esc_goes_back_level_by_level_and_home_stays(folder: Path) -> None:
    async with console(folder, "c", "e", "escape") as driver:
        assert driver.crumbs == EMAIL_ACCOUNT[:3]
        await driver.press("escape")
        assert driver.crumbs == ("Home",)
        await driver.press("escape")
        assert driver.crumbs == ("Home",)


async def test_the_palette_jumps_to_a_screen_from_anywhere(folder: Path) -> None:
    async with console(folder, "c", "q", "n") as driver:
        await driver.find("contact types")
        assert driver.crumbs == ("Home", "System", "Code Setup", "Messaging", "Contact Types")
        await driver.press("escape")
        assert driver.crumbs == ("Home", "System", "Code Setup"), "the way back is the menu's"


async def test_the_palette_opens_an_account_by_its_name(folder: Path, services: Services) -> None:
    save(services, imap_raw("ALPHA"))
    save(services, imap_raw("[/x] BETA"))
    async with console(folder) as driver:
        await driver.find("beta")
        assert driver.crumbs == (*EMAIL_ACCOUNT, "[/x] BETA")
        await driver.press("escape")
        assert driver.screen.list.current.name == "[/x] BETA"


async def test_the_palette_runs_an_action_of_the_screen(folder: Path) -> None:
    async with console(folder, "c", "e") as driver:
        await driver.find("insert")
        assert driver.crumbs == (*EMAIL_ACCOUNT, "Insert")


async def test_a_jump_asks_before_it_discards_what_was_typed(folder: Path) -> None:
    async with console(folder, "c", "e", "n", "tab") as driver:
        await driver.type("X")
        await driver.find("users")
        assert driver.sees("Discard what you typed")
        await driver.press("escape")
        assert driver.crumbs[-1] == "Insert"
        await driver.find("users")
        await driver.press("d")
        assert driver.crumbs[-1] == "Users"


async def test_quit_asks_before_it_discards_what_was_typed(folder: Path) -> None:
    async with console(folder, "c", "e", "n", "tab") as driver:
        await driver.type("X")
        await driver.press("ctrl+q")
        assert driver.sees("Discard what you typed")
        await driver.press("k")
        assert driver.editor("identity.name").value == "X"


def test_every_entry_names_a_screen_that_exists_or_has_entries() -> None:
    for found in places():
        if found.entry.screen:
            assert found.page().path == found.path
        else:
            assert found.entry.entries


def test_no_two_entries_share_a_path() -> None:
    paths = [found.path for found in places()]
    assert len(paths) == len(set(paths))
    assert place(EMAIL_ACCOUNT).entry.title == "Email Account"


def test_a_new_screen_is_one_line() -> None:
    menu = Entry("Home", entries=(*MENU.entries, Entry("New", "tui.screens.home:Home")))
    assert ("Home", "New") in [found.path for found in places(menu)]


async def test_the_palette_finds_the_reply_simulator_from_anywhere(
    folder: Path, services: Services
) -> None:
    save(services, imap_raw())
    async with console(folder, "o") as driver:
        await driver.find("reply simulator")
        await driver.until("A message as .eml")
        assert driver.app.screen_stack[-2].path[-1] == "Email Management"
        await driver.press("escape")
        await driver.find("new message")
        await driver.until("Addresses, with commas between them.")
        assert driver.crumbs == ("Home", "Messages", "Outbox", "New Message")
