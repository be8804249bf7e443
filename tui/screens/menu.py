"""A menu: headings and the entries below them, walked by arrows, Enter and first letters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.widget import Widget

from tui.menu import Place, place
from tui.widgets.chrome import fit
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part
from tui.widgets.page import Page

Note = Part
"""What stands at an entry's right: words and their tone."""


class MenuLines(LineView):
    """The lines of a menu."""

    notes: reactive[Mapping[tuple[str, ...], Note]] = reactive(dict)

    DEFAULT_CSS = """
    MenuLines { height: 1fr; padding: 1 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("right", "open", show=False)]

    def __init__(self, top: Place) -> None:
        """Take the entry whose menu this is."""
        super().__init__()
        self.lines = list(_lines(top))
        self.set_reactive(LineView.cursor, self._nearest(0))

    def count(self) -> int:
        """Return how many lines there are."""
        return len(self.lines)

    def selectable(self, index: int) -> bool:
        """Only entries that open something can be chosen."""
        return bool(self.lines[index].entry.screen)

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw a heading, or an entry below it."""
        entry = self.lines[index].entry
        if not entry.screen:
            return [(entry.title, "head")]
        mark = glyphs().cursor if index == self.cursor else " "
        words, tone = self.notes.get(self.lines[index].path, ("", ""))
        title = f" {mark} {entry.title} "
        return [(title, ""), (fit(words, max(width - cell_len(title) - 2, 0), right=True), tone)]

    def on_key(self, event: events.Key) -> None:
        """A first letter opens the only entry that it begins, else goes to the next of them.

        Where it begins no entry but a heading, it goes below that.
        """
        letter = (event.character or "").casefold()
        if not letter.strip() or not event.is_printable:
            return
        chosen = [i for i in range(self.count()) if self._begins(i, letter) and self.selectable(i)]
        below = [i + 1 for i in range(self.count()) if self._begins(i, letter)]
        if chosen or below:
            event.stop()
            later = [i for i in chosen if i > self.cursor]
            self.cursor = [*later, *chosen, *below][0]
            if len(chosen) == 1:
                self.action_open()

    def _begins(self, index: int, letter: str) -> bool:
        return self.lines[index].entry.title.casefold().startswith(letter)


def _lines(top: Place) -> Iterable[Place]:
    for entry in top.entry.entries:
        yield Place((*top.path, entry.title), entry)
        if not entry.screen:
            for below in entry.entries:
                yield Place((*top.path, entry.title, below.title), below)


class MenuPage(Page[None]):
    """One level of the menu."""

    HELP = """Arrows and Enter open an entry; so does its first letter where no other entry begins
    with it. Ctrl+P finds any screen, account or action by its name."""

    def body(self) -> Iterable[Widget]:
        """Return the menu."""
        yield MenuLines(place(self.path))

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open the chosen entry."""
        event.stop()
        if isinstance(event.view, MenuLines):
            self.console.open(event.view.lines[event.index])
