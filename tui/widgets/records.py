"""The rows of a `RecordList`, drawn from what its window holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size

from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part, column

if TYPE_CHECKING:
    from tui.widgets.record_list import RecordList


class Records(LineView):
    """The rows themselves; `RecordList` puts the filter above them."""

    HEADERS = 1
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", "Mark", show=False)]

    def __init__(self, owner: "RecordList") -> None:
        """Take the list whose columns and rows are shown."""
        super().__init__()
        self.owner = owner

    def count(self) -> int:
        """Return how many rows are known."""
        return self.owner.window.count()

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw a row, or a placeholder where its page is on the way."""
        row = self.owner.window.row(index)
        if row is None:
            self.owner.call_next(self.owner.need, index, index)
            return [(f"  {glyphs().ellipsis}", "dim")]
        mark = glyphs().cursor if index == self.cursor else " "
        ticked = glyphs().yes if self.owner.key(row) in self.owner.marked else " "
        parts: list[Part] = [(f" {mark}{ticked}", "")]
        for entry, room in self.owner.widths(width):
            found = entry.cell(row)
            text, tone = found if isinstance(found, tuple) else (found, "")
            parts.append((column(text, room, right=entry.right), tone))
        return parts

    def draw_header(self, width: int) -> Sequence[Part]:
        """Draw the titles; the one that is sorted by carries an arrow."""
        parts: list[Part] = [("   ", "")]
        for entry, room in self.owner.widths(width):
            title = f"{entry.title}{self.owner.arrow(entry)}"
            parts.append((column(title, room, right=entry.right), "dim"))
        return parts

    def draw_empty(self) -> str:
        """Say what to do next, or that the rows are on their way."""
        return self.owner.nothing()

    def action_mark(self) -> None:
        """Tick the row, and go on to the next one."""
        self.owner.mark(self.cursor)

    def action_first(self) -> None:
        """Go to the list's first row."""
        if self.owner.window.begins:
            super().action_first()
        else:
            self.owner.go_to_start()

    def action_last(self) -> None:
        """Go to the list's last row, or to the last one that is known of."""
        if self.owner.window.complete or not self.owner.ends:
            super().action_last()
        else:
            self.owner.go_to_end()

    def show_last(self) -> None:
        """Put the cursor on the last row, whatever was shown before."""
        self.virtual_size = Size(self.size.width, self.count() + self.HEADERS)
        self.cursor = max(self.count() - 1, 0)
        self.show_cursor()

    def move_down(self, lines: int) -> None:
        """Keep what is seen where it is, as rows have come above it."""
        if lines:
            self.virtual_size = Size(self.size.width, self.count() + self.HEADERS)
            self.set_reactive(LineView.cursor, max(self.cursor + lines, 0))
            self.scroll_to(y=self.scroll_offset.y + lines, animate=False, immediate=True)


class Chooser(Records):
    """Rows of which one is handed back: Enter chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "Choose")]
