"""What two people changed of one record, side by side: whose stands is chosen line by line.

`MergeDialog(words, rows)` hands back a side for every row, or None where it was left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from services.changes.merge import Side
from services.text import plain
from tui.widgets.chrome import KeyLine, MessageLine, Notice
from tui.widgets.dialogs import Dialog
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part, column

BLANK = "none"
AROUND = 10
"""Lines of the dialog that are no rows: its frame, the sentence, the heads, message and keys."""


@dataclass(frozen=True)
class Row:
    """One field, or one entry of a list, in words."""

    title: str
    was: str
    theirs: str
    mine: str
    side: Side | None
    """Whose stands; None where that is still to be chosen."""
    note: str = ""
    """What the sides mean, where the columns cannot show it."""

    @property
    def whole(self) -> str:
        """All of it in a sentence, since columns are narrow."""
        if self.note:
            return f"{self.title} {self.note}"
        was, theirs, mine = (words or BLANK for words in (self.was, self.theirs, self.mine))
        return f"{self.title}: was {was}; theirs {theirs}; mine {mine}"


class MergeLines(LineView):
    """The rows: what it was, theirs, mine."""

    HEADERS = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "choose('theirs')", "Theirs"),
        Binding("m", "choose('mine')", "Mine"),
        Binding("left", "choose('theirs')", show=False),
        Binding("right", "choose('mine')", show=False),
        Binding("T", "choose_all('theirs')", "All theirs", key_display="T"),
        Binding("M", "choose_all('mine')", "All mine", key_display="M"),
        Binding("enter", "screen.ok", show=False),
    ]

    def __init__(self, rows: Sequence[Row]) -> None:
        """Take the rows; those that only one side changed have their side already."""
        super().__init__()
        self.rows = list(rows)
        self.open_ones = [place for place, row in enumerate(rows) if row.side is None]
        """The rows that both sides changed."""

    def count(self) -> int:
        """Return how many rows there are."""
        return len(self.rows)

    def draw_header(self, width: int) -> Sequence[Part]:
        """Name the columns."""
        rooms = _rooms(width)
        titles = ("Field", "Was", "    Theirs", "    Mine")
        return [(column(title, room), "head") for title, room in zip(titles, rooms, strict=True)]

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw a row; what nobody has chosen yet stands out."""
        row, rooms = self.rows[index], _rooms(width)
        tone = "warn" if row.side is None else "" if index in self.open_ones else "dim"
        cells = (
            row.title,
            row.was or BLANK,
            _marked(row.theirs, row.side is Side.THEIRS),
            _marked(row.mine, row.side is Side.MINE),
        )
        return [(column(cell, room), tone) for cell, room in zip(cells, rooms, strict=True)]

    def action_choose(self, side: str) -> None:
        """Let one side stand on this row, and go to the next that is open."""
        self.rows[self.cursor] = replace(self.rows[self.cursor], side=Side(side))
        self.renew()
        self.go_to_open()

    def action_choose_all(self, side: str) -> None:
        """Let one side stand wherever both changed something."""
        for place in self.open_ones:
            self.rows[place] = replace(self.rows[place], side=Side(side))
        self.renew()

    def go_to_open(self) -> bool:
        """Go to the next row where nobody has chosen yet; tell whether there is one."""
        undecided = [place for place in self.open_ones if self.rows[place].side is None]
        after = [place for place in undecided if place > self.cursor]
        if undecided:
            self.cursor = (after or undecided)[0]
        return bool(undecided)


class MergeDialog(Dialog):
    """See the top of this file."""

    DEFAULT_CSS = """
    MergeDialog > #box { width: 100%; }
    MergeDialog > #box > MessageLine { height: 3; }
    MergeDialog MergeLines { height: 1fr; margin: 1 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "ok", "OK"),
        Binding("escape", "leave", "Cancel"),
        Binding("f1,ctrl+g", "help", "Help"),
    ]
    HELP = """Somebody else has saved this record while you were changing it. Where both of you
    changed a field, t or Left takes theirs, m or Right takes mine; what only one of you changed is
    taken over as it is. OK goes back to the form; nothing is saved before Save."""

    def __init__(self, words: str, rows: Sequence[Row]) -> None:
        """Take who changed the record, in a sentence, and the rows."""
        super().__init__("Changed meanwhile")
        self.words, self.lines = words, MergeLines(rows)

    def contents(self) -> Iterable[Widget]:
        """Put the rows below the sentence."""
        yield Static(Text(plain(self.words)), id="text", markup=False)
        yield self.lines
        yield MessageLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin at the first row that is open."""
        self.query_one("#box").styles.height = len(self.lines.rows) + AROUND
        self.lines.focus()
        if self.lines.open_ones:
            self.lines.cursor = self.lines.open_ones[0]
        self._describe()

    def on_line_view_moved(self) -> None:
        """Say in full what the columns cut."""
        self._describe()

    def _describe(self) -> None:
        row = self.lines.rows[self.lines.cursor]
        self.query_one(MessageLine).show(
            Notice("warning" if row.side is None else "fact", row.whole)
        )

    def action_ok(self) -> None:
        """Hand the sides back; where one is missing, go there."""
        if self.lines.go_to_open():
            row = self.lines.rows[self.lines.cursor]
            self.say("error", f"Take theirs (t) or mine (m) for {row.title} first.")
        else:
            self.dismiss([row.side for row in self.lines.rows])

    def action_help(self) -> None:
        """Explain what is to be done."""
        from tui.widgets.help import HelpDialog

        self.app.push_screen(HelpDialog(self, self.heading, self.HELP))


def _rooms(width: int) -> tuple[int, int, int, int]:
    """Share a line out: a title, what it was, and wider ones for both sides."""
    rest = max(width - 4, 40)
    title, was = min(rest // 4, 24), rest // 5
    side = (rest - title - was) // 2
    return title, was, side, side


def _marked(words: str, stands: bool) -> str:
    return f"{glyphs().chosen if stands else glyphs().unchosen} {words or BLANK}"
