"""The line of a form that stands for its Advanced fields."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from tui.widgets.chrome import Notice, fit
from tui.widgets.controls import Control
from tui.widgets.glyphs import glyphs


class AdvancedLine(Control):
    """Sums the Advanced fields up in one line; Space opens them."""

    DEFAULT_CSS = """
    AdvancedLine { width: 100%; }
    AdvancedLine:focus { text-style: none; }
    AdvancedLine.-wrong { color: $error; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "open", "Advanced")]

    error: reactive[str] = reactive("")
    summary: reactive[str] = reactive("")

    class Wanted(Message):
        """The admin wants to see the Advanced fields."""

    def render(self) -> Text:
        """Draw label and summary."""
        mark = glyphs().wrong if self.error else " "
        text = Text(f"{'Advanced':<21}{mark} ", end="", no_wrap=True)
        if self.has_focus:
            text.stylize("bold")
        room = max(self.size.width - 23, 1)
        return text.append(fit(self.summary, room).rstrip(), "reverse" if self.has_focus else "dim")

    def watch_error(self) -> None:
        """Mark the line."""
        self.set_class(bool(self.error), "-wrong")

    @property
    def notice(self) -> Notice:
        """Say what the line is for, or what is wrong behind it."""
        if self.error:
            return Notice("error", self.error)
        return Notice("help", "Settings that few accounts need. Space opens them.")

    def action_open(self) -> None:
        """Ask the page to open the modal."""
        self.post_message(self.Wanted())

    def on_click(self) -> None:
        """Open by mouse."""
        self.action_open()
