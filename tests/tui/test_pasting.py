"""What is pasted or pressed out of habit."""

from pathlib import Path

import pytest
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


async def test_pasted_lines_of_recipients_are_joined_by_commas(
    folder: Path, services: Services
) -> None:
    async with console(folder, "o", "n") as driver:
        driver.send(Paste("anna@agent.test\r\njim@agent.test,\n\nBen <ben@agent.test>\n"))
        await driver.settle()
        assert driver.editor("to").value == "anna@agent.test, jim@agent.test, Ben <ben@agent.test>"
        assert driver.sees("3 lines were pasted, and joined by commas.")
        assert driver.kind == "warning"
        await driver.press("tab")
        assert not driver.sees("pasted")
        assert driver.errors() == {}


async def test_a_comma_pasted_behind_a_recipient_parts_it_from_the_next_one(
    folder: Path, services: Services
) -> None:
    async with console(folder, "o", "n") as driver:
        for text in ("anna@agent.test, ", "jim@agent.test"):
            driver.send(Paste(text))
            await driver.settle()
        assert driver.editor("to").value == "anna@agent.test,jim@agent.test"


async def test_pasted_lines_of_a_text_are_joined_by_spaces(
    folder: Path, services: Services
) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to("identity.description")
        driver.send(Paste("Replies of\nlodges"))
        await driver.settle()
        assert driver.editor("identity.description").value == "Replies of lodges"
        assert driver.message == "2 lines were pasted, and joined by spaces."
        await driver.type("!")
        assert not driver.sees("pasted")


@pytest.mark.parametrize(
    ("field", "pasted", "kept"),
    [("settings.port", "993\n143", "993"), ("settings.password", "hush\nhush\n", "hush")],
)
async def test_of_lines_that_cannot_be_joined_the_first_is_taken_and_that_is_said(
    folder: Path, services: Services, field: str, pasted: str, kept: str
) -> None:
    async with console(folder, *INSERT) as driver:
        await driver.walk_to(field)
        driver.send(Paste(pasted))
        await driver.settle()
        typed = driver.editor(field).value
        assert getattr(typed, "get_secret_value", lambda: typed)() == kept
        assert driver.message == "2 lines were pasted: only the first was taken."


async def test_lines_pasted_into_a_filter_are_told_too(folder: Path, services: Services) -> None:
    async with console(folder, "e", "slash") as driver:
        driver.send(Paste("night\ndesk"))
        await driver.settle()
        assert driver.screen.list.filter_text == "night desk"
        assert driver.sees("2 lines were pasted, and joined by spaces.")


async def test_how_to_quit_is_said_until_the_next_key(folder: Path, services: Services) -> None:
    services.codes.save("queue", {"name": "Other", "description": "Of others"})
    async with console(folder, "c", "q") as driver:
        before = driver.message
        await driver.press("ctrl+c")
        assert driver.sees("Ctrl+Q quits.")
        await driver.press("down")
        assert not driver.sees("Ctrl+Q quits.")
        await driver.press("up", "ctrl+c", "ctrl+c", "left")
        assert driver.message == before
