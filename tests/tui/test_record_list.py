"""The list widget: paging, cursor, filter, marks, and foreign text."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from services.paging import Page, cut, direction
from tui.door import Door
from tui.widgets.record_list import Column, RecordList


@dataclass
class Row:
    """A row of the test's store."""

    key: int
    name: str


class Rows:
    """A store that remembers what it was asked."""

    def __init__(self, total: int) -> None:
        self.rows = [Row(i, f"name {i}") for i in range(total)]
        self.asked: list[str | None] = []

    def fetch(self, text: str, after: str | None, limit: int) -> Page[Row]:
        """Return a keyset page."""
        self.asked.append(after)
        backwards, place = direction(after)
        found = [row for row in self.rows if text in row.name]
        if backwards:
            found = [row for row in reversed(found) if place is None or row.key < int(place)]
        elif place is not None:
            found = [row for row in found if row.key > int(place)]
        return cut(found[: limit + 1], limit, backwards, lambda row: str(row.key))


class Lists(App[None]):
    """One list and nothing else."""

    def __init__(self, rows: Rows, *, marks: bool, ends: bool) -> None:
        super().__init__()
        self.door = Door()
        columns = [
            Column("Key", 7, lambda row: f"{row.key:,}", right=True, sort=lambda row: row.key),
            Column("Name", 0, lambda row: row.name),
        ]
        self.list = RecordList(
            columns, rows.fetch, lambda row: row.key, empty="None.", marks=marks, ends=ends
        )

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        self.list.records.focus()
        self.list.reload()


class Listed:
    """A list under test."""

    def __init__(self, app: Lists, pilot: Pilot[None]) -> None:
        self.app, self.pilot, self.list = app, pilot, app.list

    async def press(self, *keys: str) -> None:
        """Press keys, and wait for rows."""
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def settle(self) -> None:
        """Wait until all rows have come."""
        calm = 0
        while calm < 5:
            await self.pilot._wait_for_screen()
            await asyncio.sleep(0.003)
            calm = calm + 1 if self.app.door.busy == 0 else 0

    def lines(self) -> list[str]:
        """Return the screen's lines."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]


@asynccontextmanager
async def listed(rows: Rows, *, marks: bool = False, ends: bool = False) -> AsyncIterator[Listed]:
    """Show rows in a list."""
    app = Lists(rows, marks=marks, ends=ends)
    async with app.run_test(size=(60, 20)) as pilot:
        found = Listed(app, pilot)
        await found.settle()
        yield found


async def test_numbers_stand_right_and_columns_do_not_jump() -> None:
    async with listed(Rows(1500)) as found:
        starts = {line.index("name") for line in found.lines()[2:]}
        await found.press("pagedown", *["end"] * 20)
        starts |= {line.index("name") for line in found.lines()[2:]}
        assert len(starts) == 1
        assert found.lines()[-1].split()[-3:] == ["1,499", "name", "1499"]


async def test_a_long_list_asks_for_what_is_seen_and_lets_go_of_the_rest() -> None:
    rows = Rows(100_000)
    async with listed(rows) as found:
        assert len(rows.asked) <= 2
        for _ in range(30):
            await found.press("pagedown")
        assert found.list.current is not None
        assert found.list.current.key == found.list.records.cursor
        assert len(found.list.window.held()) < 700
        await found.press("home")
        assert found.list.current.key == 0
        assert found.lines()[2].split() == ["›", "0", "name", "0"]


async def test_the_cursor_stays_on_its_record_when_rows_come_before_it() -> None:
    rows = Rows(10)
    async with listed(rows) as found:
        await found.press("down", "down", "down")
        rows.rows.insert(0, Row(-1, "new"))
        found.list.reload()
        await found.settle()
        assert found.list.current == Row(3, "name 3")
        assert found.list.records.cursor == 4


async def test_the_cursor_stays_at_its_height_when_its_record_is_gone() -> None:
    rows = Rows(10)
    async with listed(rows) as found:
        await found.press("end")
        del rows.rows[-1]
        found.list.reload()
        await found.settle()
        assert found.list.current == Row(8, "name 8")


async def test_the_filter_asks_the_store_and_esc_clears_it() -> None:
    async with listed(Rows(500)) as found:
        await found.press("slash", "4", "9", "9")
        assert [row.key for row in found.list.window.held()] == [499]
        await found.press("escape")
        assert found.list.filter_text == ""
        assert found.list.records.has_focus


async def test_esc_among_the_rows_clears_the_filter_first() -> None:
    async with listed(Rows(500)) as found:
        assert "escape" not in found.app.screen.active_bindings
        await found.press("slash", "4", "9", "9", "enter")
        assert found.list.records.has_focus
        assert found.app.screen.active_bindings["escape"].binding.description == "Clear"
        await found.press("escape")
        assert found.list.filter_text == ""
        assert found.list.window.row(0) == Row(0, "name 0")


async def test_marks_do_not_outlive_a_filter() -> None:
    async with listed(Rows(10), marks=True) as found:
        await found.press("slash", "enter", "space", "space")
        assert found.list.marked == {0, 1}
        await found.press("slash", "7")
        assert found.list.targets == [7]
        await found.press("enter", "space", "escape")
        assert found.list.marked == set()
        found.list.restart()
        await found.settle()
        await found.press("space")
        found.list.restart()
        assert found.list.marked == set()


async def test_marks_are_kept_by_key() -> None:
    rows = Rows(10)
    async with listed(rows, marks=True) as found:
        await found.press("space", "space", "down", "space")
        assert found.list.marked == {0, 1, 3}
        rows.rows.reverse()
        found.list.reload()
        await found.settle()
        assert sum("✓" in line for line in found.lines()) == 3
        await found.press("home")
        assert found.list.marked == {0, 1, 3}


async def test_the_filter_forgets_marks_that_it_takes_out_of_sight() -> None:
    async with listed(Rows(10), marks=True) as found:
        await found.press("space", "slash", "7", "enter")
        assert found.list.marked == set()
        assert found.list.targets == [7], "what is done is done with the row that is seen"


async def test_an_empty_list_says_what_to_do() -> None:
    async with listed(Rows(0)) as found:
        assert "None." in "".join(found.lines())
        assert found.list.current is None
        await found.press("enter", "down", "end", "pageup", "space")


async def test_foreign_text_is_neither_markup_nor_control() -> None:
    rows = Rows(1)
    rows.rows[0].name = "[/x][red]A\x1b[31m\x9b31mB\u202eC\nD[/]"
    async with listed(rows) as found:
        shown = "".join(found.lines())
        assert "[/x][red]A" in shown
        assert not set(shown) & {"\x1b", "\x9b", "\u202e", "\n"}


async def test_end_shows_the_last_rows_at_once_and_home_the_first() -> None:
    rows = Rows(100_000)
    async with listed(rows, ends=True) as found:
        asked = len(rows.asked)
        await found.press("end")
        assert found.list.current == Row(99_999, "name 99999")
        assert found.lines()[-1].split() == ["›", "99,999", "name", "99999"]
        assert len(rows.asked) - asked <= 2
        for _ in range(20):
            await found.press("pageup")
            shown = [int(line.split("name")[1].split()[0]) for line in found.lines()[2:]]
            assert shown == list(range(shown[0], shown[0] + 18))
        assert 99_600 < found.list.current.key < 99_700
        await found.press("down", "up", "up")
        before = found.list.current.key
        found.list.reload()
        await found.settle()
        assert found.list.current.key == before
        await found.press("end")
        assert found.list.current.key == 99_999
        await found.press("home")
        assert found.list.current.key == 0
        assert found.lines()[2].split() == ["›", "0", "name", "0"]
        await found.press("pagedown", "down")
        assert found.list.current.key == found.list.records.cursor


async def test_end_and_back_up_meets_the_first_row() -> None:
    rows = Rows(250)
    async with listed(rows, ends=True, marks=True) as found:
        await found.press("space", "end", "space")
        assert found.list.marked == {0, 249}
        for _ in range(20):
            await found.press("pageup")
        assert found.list.current.key == 0
        assert found.list.window.count() == 250
        await found.press("up", "home", "end")
        assert found.list.current.key == 249


async def test_end_in_a_filtered_list_stays_within_it() -> None:
    async with listed(Rows(5_000), ends=True) as found:
        await found.press("slash", "7", "enter", "end")
        assert found.list.current.key == 4997
        await found.press("slash", "end", "7", "enter")
        assert found.list.window.held()[0].key == 77


async def test_end_of_an_empty_list_is_nothing() -> None:
    async with listed(Rows(0), ends=True) as found:
        await found.press("end", "home", "end", "up")
        assert found.list.current is None
        assert "None." in "".join(found.lines())
