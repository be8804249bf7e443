"""Dialogs on a small terminal: whatever they have to say, their keys stay in sight."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.bootstrap import Services
from services.results import Result
from tests.tui.driver import EMAIL_ACCOUNT, console
from tui.screens.action_run import WentWrong
from tui.widgets.merge_dialog import MergeDialog, Row
from tui.widgets.pick import Pick


def merging() -> MergeDialog:
    """Twenty fields that two people changed."""
    rows = [Row(f"Field {n}", "old", "new", "mine", None) for n in range(1, 21)]
    return MergeDialog("anna has changed the account DESK since you opened it, at 12:00.", rows)


def wrong() -> WentWrong:
    """More than are told of, each of them in more words than a line takes."""
    words = "No address is approved for the account DESK by which this message was imported."
    results = [Result(id=n, done=False, became="refused", words=words) for n in range(1, 15)]
    return WentWrong("Forward", results, results)


def many() -> Pick:
    """More to choose from than a screen has lines."""
    return Pick("Account", [(f"{n}", f"Account {n}") for n in range(1, 31)], "")


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
@pytest.mark.parametrize(
    ("dialog", "keys", "last"),
    [
        (merging, "Esc Cancel", "Field 20"),
        (wrong, "Esc Close", "and 4 more."),
        (many, "Esc", "Account 30"),
    ],
)
async def test_a_dialog_fits_and_its_last_line_is_reached(
    folder: Path, size: tuple[int, int], dialog: Callable[[], Any], keys: str, last: str
) -> None:
    async with console(folder, size=size) as driver:
        driver.app.push_screen(dialog())
        await driver.settle()
        assert driver.sees(keys)
        await driver.press("end")
        assert any(last in line for line in driver.text().splitlines())
        assert driver.sees(keys)
        await driver.press("escape")
        assert driver.crumbs == ("Home",)


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_help_is_read_to_its_end(folder: Path, size: tuple[int, int]) -> None:
    async with console(folder, "e", "f1", size=size) as driver:
        assert driver.sees("Esc Close")
        await driver.press("end")
        for _ in range(100):  # Textual scrolls to the end in its own time
            if driver.sees("^Q Quit"):
                break
            await driver.pilot.pause(0.02)
        assert driver.sees("^Q Quit"), "the keys come last"
        assert not driver.sees("Mail that imports have seen")
        assert driver.sees("Esc Close")


@pytest.mark.parametrize(("key", "last"), [("e", "Why"), ("m", "Assigned"), ("o", "State")])
async def test_every_column_of_a_list_stands_on_the_screen(
    folder: Path, key: str, last: str
) -> None:
    async with console(folder, key, size=(60, 15)) as driver:
        head = next(line for line in driver.text().splitlines() if "Subject" in line)
        assert last in head
        rooms = [room for _column, room in driver.screen.list.widths(60)]
        assert 2 + sum(room + 1 for room in rooms) <= 60


@pytest.mark.parametrize(("protocol", "secret"), [("i", "password"), ("o", "client_secret")])
async def test_the_repeat_of_a_secret_is_seen_where_it_is_typed(
    folder: Path, protocol: str, secret: str
) -> None:
    async with console(folder, "c", "e", "n", protocol, size=(60, 15)) as driver:
        await driver.walk_to(f"settings.{secret}")
        await driver.type("hush")
        await driver.press("tab")
        await driver.type("hush")
        await driver.until("Repeat")
        assert driver.app.focused is not None
        region = driver.app.focused.region
        assert (driver.app.focused.id, region.right <= 60) == ("repeat", True)
        line = driver.text().splitlines()[region.y]
        assert "Repeat" in line
        assert line[region.x :].startswith("••••")
        assert f"settings.{secret}" not in driver.errors()


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (45, 15)])
async def test_a_drop_down_with_long_labels_keeps_its_arrow(
    folder: Path, services: Services, size: tuple[int, int]
) -> None:
    name, description = "EVERYTHING", "Whatever could not be imported and is looked through by hand"
    services.codes.save("queue", {"name": name, "description": description})
    async with console(folder, *EMAIL_ACCOUNT, "n", "f3", size=size) as driver:
        await driver.walk_to("importing.error_queue")
        await driver.press("e", "e")
        [line] = [line for line in driver.text().splitlines() if "Error Queue" in line]
        assert "EVERYTHING" in line
        assert line.rstrip().endswith("▾")
