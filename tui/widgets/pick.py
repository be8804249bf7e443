"""Choosing one of a few in two keystrokes: the key that opens the list, and a first letter.

    chosen = await page.dialog(Pick("Outcome", [("", "all"), ("error", "errors")], "error"))

It hands back the value, or None where Esc closed it. A first letter that only one label begins with
chooses at once, as in the menus; others go from one to the next.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from tui.widgets.chrome import KeyLine
from tui.widgets.controls import Option
from tui.widgets.dialogs import Dialog
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part

MOST = 14
"""Lines shown at once; a longer list scrolls."""


class PickLines(LineView):
    """The values to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "open", "Choose")]

    def __init__(self, options: Sequence[Option], value: str) -> None:
        """Take the options, and which of them holds at present."""
        super().__init__()
        self.options, self.value = list(options), value
        values = [entry for entry, _label in self.options]
        self.set_reactive(LineView.cursor, values.index(value) if value in values else 0)

    def on_mount(self) -> None:
        """Be as high as the list is long."""
        self.styles.height = min(max(self.count(), 1), MOST)
        self.renew()

    def count(self) -> int:
        """Return how many values there are."""
        return len(self.options)

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw a value, the present one with a mark."""
        value, label = self.options[index]
        return [(f"{glyphs().yes if value == self.value else ' '} {label}", "")]

    def on_key(self, event: events.Key) -> None:
        """Choose by a first letter, or go to the next value that begins with it."""
        letter = (event.character or "").casefold()
        if not letter.strip() or not event.is_printable:
            return
        found = [i for i, (_v, label) in enumerate(self.options) if _begins(label, letter)]
        if found:
            event.stop()
            self.cursor = next((i for i in found if i > self.cursor), found[0])
            if len(found) == 1:
                self.action_open()


class Pick(Dialog):
    """See the top of this file."""

    DEFAULT_CSS = """
    Pick > #box { width: 48; }
    Pick PickLines { max-height: 75vh; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close")]

    def __init__(self, title: str, options: Sequence[Option], value: str) -> None:
        """Take the words on the frame, values with labels, and the present value."""
        super().__init__(title)
        self.lines = PickLines(options, value)

    def contents(self) -> Iterable[Widget]:
        """Return the list."""
        yield self.lines
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the list."""
        self.lines.focus()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Hand the value back."""
        event.stop()
        self.dismiss(self.lines.options[event.index][0])

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Keep the move to oneself."""
        event.stop()


def _begins(label: str, letter: str) -> bool:
    return label.casefold().startswith(letter)
