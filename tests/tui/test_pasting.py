"""What is pasted or pressed out of habit."""

from pathlib import Path

from textual.events import Paste

from services.bootstrap import Services
from tests.tui.driver import EMAIL_ACCOUNT, console

INSERT = (*EMAIL_ACCOUNT, "n")


async def test_a_number_pasted_with_spaces_is_taken(folder: Path, services: Services) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.port")
        driver.app.post_message(Paste(" 993 \n"))
        await driver.settle()
        assert driver.screen.configuration.form.raw()["port"] == "993"


async def test_a_secret_pasted_with_spaces_keeps_them(folder: Path, services: Services) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.password")
        driver.app.post_message(Paste(" hush "))
        await driver.settle()
        typed = driver.screen.configuration.form.raw()["password"]
        assert getattr(typed, "get_secret_value", lambda: typed)() == " hush "


async def test_a_suggestion_is_offered_as_soon_as_it_is_one(
    folder: Path, services: Services
) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("settings.port")
        assert driver.sees("F4")
        await driver.press("9", "9", "3")
        assert not driver.sees("F4")


async def test_ctrl_c_says_how_to_leave_on_the_message_line(
    folder: Path, services: Services
) -> None:
    async with console(folder, *EMAIL_ACCOUNT) as driver:
        await driver.press("ctrl+c")
        assert driver.sees("Ctrl+Q quits.")
