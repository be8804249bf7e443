"""A list of records: columns, filter line, paging from the store, cursor kept across reloads.

    RecordList(
        [Column("Name", 14, lambda line: line.name), Column("Rows", 6, ..., right=True)],
        fetch=lambda text, after, limit: services.x.list(text, after, limit),   # -> Page
        key=lambda line: line.id,
        empty="No accounts yet: press n to insert the first one.",
    )

`fetch` runs on a thread (through the app's door) and is given the filter text. It returns a `Page`;
a service that returns everything is wrapped by `whole(rows)`. A million rows cost what is seen:
pages far from the cursor are let go and fetched again by their keyset token.

* `column.cell(row)` returns text, or `(text, tone)` with a tone of `tui.widgets.lines`; foreign
  text needs no care. One column may have width 0: it takes what is left.
* `reload()` fetches again and keeps the cursor on its record; `select(key)` moves it.
* `restart()` fetches from the first row, for filters outside the list that `fetch` looks at.
* `current` is the chosen record or None; `marked` the keys ticked with Space (`marks=True`), until
  a filter lists other rows: nothing is done with what is not seen; `targets` the keys of the one or
  the others.
* Messages: `Opened(row)` by Enter, `Moved(row)`, `Marked`, `Unmarked(count)`, `Loaded(count,
  complete)`.
* `ends=True`: `fetch` reads from either end (see `services.paging`), and End goes to the last row
  at once; else it goes on by a page.
* `chooses=True`: Enter hands a record back, and the footer says Choose for Open.
* Keys inside: arrows, PgUp/PgDn, Home/End, Enter, `/` filter, `s` sort (lists of one page only).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from services.paging import Page
from tui.door import Door
from tui.typeahead import hold_keys
from tui.widgets.glyphs import glyphs
from tui.widgets.inputs import TextInput
from tui.widgets.lines import LineView, Part
from tui.widgets.record_window import Slot, Window
from tui.widgets.records import Chooser, Records

LIMIT = 100
"""Rows fetched at once: a few screenfuls."""

LEAST = 8
"""Cells below which no column is narrowed."""

Fetch = Callable[[str, str | None, int], Page[Any]]


@dataclass(frozen=True)
class Column:
    """One column: its title, its width in cells (0: the rest), and what it shows of a row."""

    title: str
    width: int
    cell: Callable[[Any], str | Part]
    right: bool = False
    sort: Callable[[Any], Any] | None = None
    """Makes the column sortable: the value to sort a row by."""


def whole(rows: Sequence[Any]) -> Page[Any]:
    """Return a complete list as the one page that it is."""
    return Page(list(rows), None)


class RecordList(Vertical):
    """See the top of this file."""

    DEFAULT_CSS = """
    RecordList { height: 1fr; }
    RecordList > #filter { width: 100%; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "Clear"),
        Binding("s", "sort", "Sort"),
    ]

    @dataclass
    class Opened(Message):
        """A record was opened."""

        list: "RecordList"
        row: Any

    @dataclass
    class Moved(Message):
        """The cursor went to another record, or the rows changed under it."""

        list: "RecordList"
        row: Any

    @dataclass
    class Marked(Message):
        """A record was marked, or is marked no more."""

        list: "RecordList"

    @dataclass
    class Unmarked(Message):
        """Marks were dropped, since other rows are listed now."""

        list: "RecordList"
        count: int

    @dataclass
    class Loaded(Message):
        """Rows have come."""

        list: "RecordList"
        count: int
        complete: bool

    @dataclass
    class Failed(Message):
        """The rows could not be fetched."""

        list: "RecordList"
        error: Exception

    def __init__(
        self,
        columns: Sequence[Column],
        fetch: Fetch,
        key: Callable[[Any], Hashable],
        *,
        empty: str,
        marks: bool = False,
        ends: bool = False,
        chooses: bool = False,
        id: str | None = None,
    ) -> None:
        """Take what to show, where it comes from, and what to say where there is nothing."""
        super().__init__(id=id)
        self.columns, self.fetch, self.key = list(columns), fetch, key
        self.empty, self.marks, self.ends, self.chooses = empty, marks, ends, chooses
        self.window: Window[Any] = Window()
        self.marked: set[Hashable] = set()
        self._sorted: tuple[int, bool] | None = None
        self._under_way: set[Slot[Any]] = set()
        self._turn = 0
        self._loaded = self._broken = self._to_end = False
        self._wish: Hashable | None = None
        self._filtered_by: str | None = None

    def compose(self) -> ComposeResult:
        """Put the filter line above the rows."""
        yield TextInput(placeholder="/", id="filter")
        yield (Chooser if self.chooses else Records)(self)

    @property
    def records(self) -> Records:
        """The rows' view, which has the focus."""
        return self.query_one(Records)

    @property
    def settled(self) -> bool:
        """Whether the rows that are seen have come, or cannot come."""
        return self._broken or not self.is_attached or (self._loaded and not self._under_way)

    @property
    def filter_text(self) -> str:
        """What the rows are filtered by."""
        return self.query_one("#filter", TextInput).value.strip()

    @property
    def current(self) -> Any | None:
        """The record under the cursor, None where there is none."""
        return self.window.row(self.records.cursor) if self.window.count() else None

    @property
    def targets(self) -> Sequence[Hashable]:
        """The keys of the records that an action is for: those marked, else the current one."""
        if self.marked or self.current is None:
            return list(self.marked)
        return [self.key(self.current)]

    # ------------------------------------------------------------------ rows

    def reload(self) -> None:
        """Fetch anew; the cursor stays on its record, or at its height where that is gone."""
        if not (self._loaded and self.query_one("#filter").has_focus):
            hold_keys(self.app, lambda: self.settled, lambda: self.screen is self.app.screen)
        current = self.current
        self._wish = self.key(current) if current is not None and not self._wish else self._wish
        self._renew()

    def select(self, key: Hashable) -> None:
        """Put the cursor on a record, now or as soon as it has come."""
        self._wish = key
        if self.window.find(lambda row: self.key(row) == key) is not None:
            self._find_wish()

    def _renew(self) -> None:
        self._turn += 1
        self._broken = False
        self._under_way = set()
        cursor, height = self.records.cursor, max(self.records.size.height, 1)
        if self.filter_text == self._filtered_by:
            # Deep in a long list one stays there: only what is seen is fetched again.
            self.window.forget()
            self.need(max(cursor - height, 0), cursor + height)
        else:
            self._filtered_by = self.filter_text
            self._unmark()
            self.window = Window()
            self.need(0, height)

    def restart(self) -> None:
        """Fetch anew from the first row, since `fetch` now returns other rows."""
        self.window, self._filtered_by = Window(), None
        self.records.cursor = 0
        self._renew()

    def go_to_start(self) -> None:
        """Go to the first row, which is fetched where the list was entered from its end."""
        self.window = Window()
        self.records.cursor = 0
        self._renew()

    def go_to_end(self) -> None:
        """Go to the last row, without what lies between."""
        hold_keys(self.app, lambda: self.settled, lambda: self.screen is self.app.screen)
        self.window, self._to_end = Window.from_the_end(), True
        self._renew()

    def need(self, first: int, last: int) -> None:
        """Fetch the pages that the rows from `first` to `last` stand on."""
        for slot in [self.window.slots[number] for number in self.window.wanted(first, last)]:
            if slot not in self._under_way:
                self._under_way.add(slot)
                self.run_worker(self._load(slot, self._turn), exit_on_error=False)

    async def _load(self, slot: "Slot[Any]", turn: int) -> None:
        door: Door = self.app.door  # type: ignore[attr-defined]
        text, after = self._filtered_by or "", slot.after
        try:
            page = await door(lambda: self.fetch(text, after, LIMIT))
        except Exception as error:  # noqa: BLE001 - the page tells refusals from our own faults
            self._broken = True
            self.records.refresh()
            self.post_message(self.Failed(self, error))
        else:
            if turn == self._turn and self.is_attached and slot in self.window.slots:
                self._take(slot, page)
        if turn == self._turn:
            self._under_way.discard(slot)
            self._follow_filter()

    def _take(self, slot: "Slot[Any]", page: Page[Any]) -> None:
        self._under_way.discard(slot)
        moved = self.window.arrived(self.window.slots.index(slot), page)
        self._loaded = True
        self._apply_sort()
        if self._to_end:
            self._to_end, self._wish = False, None
            self.records.show_last()
        else:
            self.records.move_down(moved)
        self.window.trim(self.records.cursor)
        self._find_wish()
        self.records.renew()
        self.post_message(self.Loaded(self, self.window.count(), self.window.whole))
        self.post_message(self.Moved(self, self.current))

    def _find_wish(self) -> None:
        if self._wish is None:
            return
        index = self.window.find(lambda row: self.key(row) == self._wish)
        if index is not None:
            self._wish = None
            self.records.cursor = index
        elif self.window.count():
            self._wish = None

    @on(LineView.Moved)
    def _moved(self, event: LineView.Moved) -> None:
        event.stop()
        height = max(self.records.size.height, 1)
        self.need(max(event.index - height, 0), event.index + height)
        self.post_message(self.Moved(self, self.current))

    @on(LineView.Opened)
    def _opened(self, event: LineView.Opened) -> None:
        event.stop()
        if self.current is not None:
            self.post_message(self.Opened(self, self.current))

    # ------------------------------------------------------------------ drawing

    def widths(self, width: int) -> list[tuple[Column, int]]:
        """Share the width out: fixed columns first, the rest to the one of width 0.

        Where too little would be left for that one, the widest of the others give way.
        """
        fixed = [entry.width for entry in self.columns]
        room = width - 2 - len(fixed)  # the gap after the last one may be off the screen
        while room - sum(fixed) < LEAST and max(fixed) > LEAST:
            fixed[fixed.index(max(fixed))] -= 1
        rest = max(room - sum(fixed), LEAST)
        return [(entry, own or rest) for entry, own in zip(self.columns, fixed, strict=True)]

    def nothing(self) -> str:
        """Return what stands in the place of rows."""
        if self._broken:
            return "The rows could not be fetched: ^L tries again."
        if not self._loaded or self._under_way:
            return "Loading" + glyphs().ellipsis
        if self.filter_text:
            return "Nothing contains that. Esc in the filter clears it."
        return self.empty

    # ------------------------------------------------------------------ filter, sort, marks

    def action_filter(self) -> None:
        """Start the filter."""
        self.query_one("#filter").focus()

    def action_clear(self) -> None:
        """List everything again; a second Esc leaves."""
        self.query_one("#filter", TextInput).value = ""

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._follow_filter()

    def _follow_filter(self) -> None:
        # One query at a time: what is typed meanwhile is sought once the answer has come.
        ready = self.is_attached and self._loaded and not self._under_way
        if ready and self.filter_text != self._filtered_by:
            self.reload()

    def on_key(self, event: Any) -> None:
        """Leave the filter: Enter, Down to the rows, Esc clears it first."""
        box = self.query_one("#filter", TextInput)
        if not box.has_focus or event.key not in ("enter", "down", "tab", "escape"):
            return
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            box.value = ""
        self.records.focus()

    def arrow(self, entry: Column) -> str:
        """Return the sort's arrow for a column, nothing for the others."""
        if self._sorted is None or self.columns[self._sorted[0]] is not entry:
            return ""
        return " " + (glyphs().falling if self._sorted[1] else glyphs().rising)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to sort only what has an order of its own; the key is a page's otherwise."""
        if action == "clear" and self.is_mounted:
            return bool(self.filter_text)
        return action != "sort" or any(entry.sort for entry in self.columns)

    def action_sort(self) -> None:
        """Sort by the next column, each upwards then downwards, then as the store gives them."""
        orders = [(i, down) for i, c in enumerate(self.columns) if c.sort for down in (False, True)]
        if not orders or not self.window.whole or len(self.window.slots) > 1:
            return
        place = orders.index(self._sorted) + 1 if self._sorted in orders else 0
        self._sorted = orders[place] if place < len(orders) else None
        self.reload()

    def _apply_sort(self) -> None:
        key = self.columns[self._sorted[0]].sort if self._sorted else None
        if self._sorted and key:
            self.window.sort(key, reverse=self._sorted[1])

    def mark(self, index: int) -> None:
        """Tick or untick a record, where marks are wanted."""
        row = self.window.row(index)
        if self.marks and row is not None:
            self.marked ^= {self.key(row)}
            self.post_message(self.Marked(self))
            self.records.renew()
            self.records.action_move(1)

    def _unmark(self) -> None:
        """Drop all marks: what they stand on may be out of sight now."""
        if self.marked:
            number, self.marked = len(self.marked), set()
            self.post_message(self.Marked(self))
            self.post_message(self.Unmarked(self, number))
