"""A save under way: nothing is lost of it, nothing is done twice, and it closes what it should."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.bootstrap import Services
from services.codes import CodeService
from tests.tui.driver import Driver, console
from tui.widgets.dialogs import Question


class Slow:
    """The saves of codes, which end when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number, self.go_on = 0, threading.Event()
        whole: Callable[..., Any] = CodeService.save

        def save(service: CodeService, *args: Any) -> Any:
            self.number += 1
            assert self.go_on.wait(10)
            return whole(service, *args)

        monkeypatch.setattr(CodeService, "save", save)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Saves that take as long as the test wants."""
    return Slow(monkeypatch)


async def seen(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


@asynccontextmanager
async def saving(folder: Path, slow: Slow) -> AsyncIterator[Driver]:
    """Show the contact type RS, changed, with a save of it under way."""
    async with console(folder, "c", "c", "down", "enter") as driver:
        assert driver.crumbs[-1] == "RS"
        await driver.type("Bookings")
        driver._send("ctrl+s", None)
        await seen(lambda: slow.number == 1)
        yield driver


async def test_esc_while_saving_says_so_and_the_form_closes_when_it_is_saved(
    folder: Path, slow: Slow, services: Services
) -> None:
    async with saving(folder, slow) as driver:
        driver._send("escape", None)
        await seen(lambda: driver.message == "Saving…")
        slow.go_on.set()
        await driver.settle()
        assert driver.message == "RS is saved."
        assert driver.crumbs[-1] == "Contact Types"
    saved = services.codes.get("contact-type", "RS")
    assert saved.values.model_dump()["description"] == "Bookings"


async def test_quit_while_saving_leaves_once_it_is_saved(
    folder: Path, slow: Slow, services: Services
) -> None:
    async with saving(folder, slow) as driver:
        driver._send("ctrl+q", None)
        await asyncio.sleep(0.3)
        assert not isinstance(driver.screen, Question)
        slow.go_on.set()
        await seen(lambda: driver.app._exit)
    saved = services.codes.get("contact-type", "RS")
    assert saved.values.model_dump()["description"] == "Bookings"


async def test_save_twice_at_once_saves_once(folder: Path, slow: Slow) -> None:
    async with saving(folder, slow) as driver:
        driver._send("ctrl+s", None)
        driver.screen.action_save()
        slow.go_on.set()
        await driver.settle()
        assert slow.number == 1


async def test_a_form_that_closes_below_a_question_leaves_the_question_alone(
    folder: Path, slow: Slow
) -> None:
    async with saving(folder, slow) as driver:
        form, question = driver.screen, Question("Exit", "Really?", "Yes", "No")
        driver.app.push_screen(question)
        slow.go_on.set()
        await seen(lambda: driver.app.door.busy == 0)
        await driver.settle()
        assert driver.screen is question
        await driver.press("n")
        assert form not in driver.app.screen_stack
        assert driver.crumbs[-1] == "Contact Types"


async def test_quit_asked_twice_asks_once(folder: Path) -> None:
    async with console(folder, "c", "c", "n") as driver:
        await driver.type("X")
        await driver.press("ctrl+q", "ctrl+q", "k")
        assert driver.crumbs[-1] == "Insert", "one answer was enough"
