"""Keys mean the same everywhere, and each that a terminal may lack has a second one."""

from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, console

INSERT = (*EMAIL_ACCOUNT, "n")


@pytest.mark.parametrize("forward", ["tab", "down", "enter"])
async def test_tab_arrows_and_enter_walk_every_field_of_the_server_tab(
    folder: Path, forward: str
) -> None:
    back = {"tab": "shift+tab", "down": "up", "enter": "up"}[forward]
    async with console(folder, *INSERT, "s") as driver:
        walked = [driver.app.focused]
        while True:
            await driver.press(forward)
            if driver.app.focused is walked[0]:
                break
            walked.append(driver.app.focused)
        assert walked == driver.screen.focus_chain
        assert len(walked) == 17, "every control once"
        await driver.press(back)
        assert driver.app.focused is walked[-1]
        assert driver.state == "changed", "only the protocol was"


@pytest.mark.parametrize(
    ("first", "second", "crumb"),
    [
        ("insert", "n", "Insert"),
        ("f1", "ctrl+g", None),
    ],
)
async def test_second_bindings(folder: Path, first: str, second: str, crumb: str | None) -> None:
    for key in (first, second):
        async with console(folder, *EMAIL_ACCOUNT, key) as driver:
            if crumb:
                assert driver.crumbs[-1] == crumb
            else:
                assert driver.sees("Help")


@pytest.mark.parametrize(("there", "back"), [("f3", "f2"), ("ctrl+pagedown", "ctrl+pageup")])
async def test_tabs_are_switched(folder: Path, there: str, back: str) -> None:
    async with console(folder, *INSERT, there) as driver:
        assert driver.sees("[Import]")
        assert driver.focused_on("importing.enabled")
        await driver.press(back)
        assert driver.sees("[Server]")


async def test_radios_are_chosen_by_arrows_and_by_letter(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("limit.limit_to")
        limit = driver.editor("limit.limit_to")
        assert limit.value is None
        assert limit.input.disabled
        await driver.press("right")
        assert not limit.input.disabled
        await driver.press("tab")
        await driver.type("12")
        assert limit.value == "12"
        await driver.press("shift+tab", "left")
        assert limit.value is None
        await driver.press("l")
        assert limit.value == "12", "what was typed is still there"


async def test_typing_into_a_field_replaces_its_default(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.port")
        await driver.type("993")
        assert driver.editor("settings.port").value == "993"


async def test_a_secret_is_neither_shown_copied_nor_cut(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.password")
        await driver.type("hunter2")
        await driver.press("ctrl+shift+a", "ctrl+c", "ctrl+x")
        assert driver.app.clipboard == ""
        assert driver.editor("settings.password").value.get_secret_value() == "hunter2"
        assert "hunter2" not in driver.text()


async def test_help_explains_the_field_its_rules_and_the_screen(folder: Path) -> None:
    async with console(folder, *INSERT, "tab", "f1") as driver:
        assert driver.sees("Names the account in scheduled tasks and on the command line.")
        assert driver.sees("Mandatory. At most 30 characters.")
        assert driver.sees("provided by your email service provider")
        await driver.press("escape")
        assert driver.focused_on("identity.name")


async def test_the_message_line_shows_the_fields_help_in_short(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.timeout")
        assert driver.kind == "help"
        assert driver.sees("How many minutes to wait for the server")


async def test_the_footer_shows_what_the_focus_can_do(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        last = driver.text().splitlines()[-1]
        for shown in ("n Insert", "⏎ Open", "/ Filter", "d Delete", "Esc Exit", "F1 Help"):
            assert shown in last
        await driver.press("n")
        last = driver.text().splitlines()[-1]
        for shown in ("^S Save", "Space Open", "F5 Test", "Esc Exit", "F1 Help", "^P Palette"):
            assert shown in last


async def test_the_mouse_works_too(folder: Path, services: Services) -> None:
    save(services, imap_raw())
    async with console(folder) as driver:
        await driver.pilot.click("MenuLines", offset=(6, 2), times=2)
        await driver.settle()
        assert driver.crumbs[-1] == "Code Setup"
        await driver.press("e")
        column = driver.text().splitlines()[-1].index("Insert")
        await driver.pilot.click("KeyLine", offset=(column, 0))
        await driver.settle()
        assert driver.crumbs[-1] == "Insert"
        await driver.pilot.click("TabBar", offset=(13, 0))
        await driver.settle()
        assert driver.sees("[Import]")
        await driver.pilot.click(driver.editor("importing.enabled").target)
        await driver.settle()
        assert driver.editor("importing.enabled").value is True


async def test_the_footer_of_a_drop_down_says_that_enter_chooses(folder: Path) -> None:
    async with console(folder, *INSERT, "space") as driver:
        footer = driver.text().splitlines()[-1]
        assert "⏎ Choose" in footer
        assert "Open" not in footer


async def test_help_says_while_there_is_more_below(folder: Path) -> None:
    async with console(folder, *INSERT, "f1") as driver:
        await driver.settle()
        assert driver.sees("more below: Down, PgDn")
        await driver.press(*["pagedown"] * 6)
        await driver.settle()
        assert not driver.sees("more below")


async def test_a_question_explains_how_it_is_answered(folder: Path) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("identity.name")
        await driver.type("RES")
        await driver.press("escape")
        assert driver.sees("Discard")
        for key in ("f1", "ctrl+g"):
            await driver.press(key)
            assert driver.sees("Esc is the answer that changes nothing.")
            await driver.press("escape")
        await driver.press("escape")
        assert driver.editor("identity.name").value == "RES"
