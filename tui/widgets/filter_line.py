"""One line above a list that says by what it is filtered, beside the text after `/`."""

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from services.text import plain
from tui.widgets.chrome import fit
from tui.widgets.glyphs import glyphs


class FilterLine(Widget):
    """`Outcome error   Account any`, and at its right what the admin should know of the list."""

    DEFAULT_CSS = """
    FilterLine { height: 1; width: 100%; padding: 0 1; }
    """

    filters: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """Title and value; a value of "" filters nothing."""
    warning: reactive[str] = reactive("")

    def render(self) -> Text:
        """Draw the filters, those that hold in bold, and the warning as far as it fits."""
        text = Text(end="", no_wrap=True)
        for title, value in self.filters:
            text.append(f"{title} ", "dim")
            text.append(plain(value) or "all", "bold" if value else "")
            text.append("   ")
        room = self.size.width - text.cell_len
        words = f"{glyphs().bad} {plain(self.warning)}" if self.warning else ""
        if words and room > 8:
            text.append(fit(words, room, right=True), "yellow")
        return text


def chosen(options: Sequence[tuple[str, str]], value: str) -> str:
    """Return a filter's value as the line shows it: its label, "" for all."""
    return dict(options).get(value, value) if value else ""
