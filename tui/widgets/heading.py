"""The heading of a section or box."""

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.glyphs import glyphs


class Heading(Widget):
    """A section's title with a rule to the end of the line, and a state at its right."""

    DEFAULT_CSS = """
    Heading { height: 1; width: 100%; color: $primary; }
    Heading.-wrong { color: $error; text-style: bold; }
    """

    state: reactive[str] = reactive("")

    def __init__(self, title: str, *, id: str | None = None) -> None:
        """Take the title."""
        super().__init__(id=id)
        self.title = title

    def render(self) -> Text:
        """Draw title, rule and state."""
        mark = glyphs().rule
        tail = f" {self.state} {mark}" if self.state else ""
        wrong = f" {glyphs().wrong}" if self.has_class("-wrong") else ""
        head = f"{self.title}{wrong} "
        room = max(self.size.width - len(head) - len(tail), 0)
        text = Text(head, style="bold", end="", no_wrap=True)
        return text.append(mark * room + tail, "not bold dim")
