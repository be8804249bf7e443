"""What stands beside a control: the field's label before it, a note behind it."""

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from services.text import plain
from tui.widgets.glyphs import glyphs


class Label(Widget):
    """A field's label with its star and, where it is wrong, its mark."""

    DEFAULT_CSS = """
    Label {
        height: 1; width: 23;
        &.-wrong { color: $error; text-style: bold; }
        &.-warned { color: $warning; }
    }
    """

    def __init__(self, title: str, required: bool) -> None:
        """Take the title and whether the field must be filled in."""
        super().__init__()
        self.title = f"{title} *" if required else title

    def render(self) -> Text:
        """Draw the label, and the mark just before the control."""
        wrong, warned = self.has_class("-wrong"), self.has_class("-warned")
        mark = glyphs().wrong if wrong else glyphs().bad if warned else " "
        width = max(self.size.width - 2, 1)
        return Text(f"{self.title[:width]:<{width}}{mark} ", end="", no_wrap=True)


class Note(Widget):
    """What stands beside a control: a unit, a remark, or a short error."""

    DEFAULT_CSS = """
    Note { height: 1; width: 1fr; padding: 0 0 0 2; text-style: dim; }
    Note.-wrong { color: $error; text-style: none; }
    """

    text: reactive[str] = reactive("")

    def render(self) -> Text:
        """Draw the text where it fits; an error that does not is told on the message line."""
        fits = len(self.text) <= self.size.width or not self.has_class("-wrong")
        return Text(plain(self.text) if fits else "", end="", no_wrap=True, overflow="ellipsis")
