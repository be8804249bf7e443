"""Text to read: wrapped to the width, scrolled by keys, drawn only where it is seen.

    paper = Paper()
    paper.show([Paragraph("walter@lodge.example", label="From"), *map(Paragraph, body)])

Every text passes `services.text.plain`, so foreign text is harmless here, and none is markup.
What follows a label is wrapped beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from services.text import plain

MOST = 200_000
"""Characters of a mail's body that are worth showing; its file has all."""


@dataclass(frozen=True)
class Paragraph:
    """One line of text before wrapping."""

    text: str
    tone: str = ""
    """As in `tui.widgets.lines`: "", "dim", "good", "bad", "warn", "head"."""
    label: str = ""
    """Stands before the text in dim, such as "Subject"; continuation lines hang below the text."""


LABEL = 12
"""Cells of a label with the gap after it."""


class Paper(ScrollView, can_focus=True, inherit_bindings=False):
    """See the top of this file."""

    DEFAULT_CSS = """
    Paper {
        height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden;
        scrollbar-gutter: stable; padding: 0 1;
        & > .paper--dim { text-style: dim; }
        & > .paper--head { text-style: bold; color: $primary; }
        & > .paper--good { color: $success; }
        & > .paper--bad { color: $error; text-style: bold; }
        & > .paper--warn { color: $warning; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"paper--{tone}" for tone in ("dim", "head", "good", "bad", "warn")
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go(-1)", "Up", show=False),
        Binding("down", "go(1)", "Down", show=False),
        Binding("pageup,b", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home", "go(-1_000_000_000)", "Top", show=False),
        Binding("end", "go(1_000_000_000)", "End", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        """Begin blank."""
        super().__init__(id=id)
        self.paragraphs: list[Paragraph] = []
        self.lines: list[Paragraph] = []
        self._width = 0

    def show(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show other text from its top."""
        self.paragraphs = list(paragraphs)
        self._width = 0
        self._wrap()
        self.scroll_to(y=0, animate=False, immediate=True)

    def add(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show more below; one stays where one reads."""
        self.paragraphs += paragraphs
        self._width = 0
        self._wrap()

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._wrap()

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        if width > 0 and width != self._width:
            self._width = width
            self.lines = [line for entry in self.paragraphs for line in folded(entry, width)]
            self.virtual_size = Size(width, len(self.lines))
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        index = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if not 0 <= index < len(self.lines):
            return Strip.blank(width, self.rich_style)
        line, base = self.lines[index], self.rich_style
        parts = [(line.label, "dim"), (line.text, line.tone)]
        strip = Strip([Segment(text, base + self._tone(tone)) for text, tone in parts if text])
        return strip.adjust_cell_length(width, base)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"paper--{tone}", partial=True) if tone else Style()

    def action_go(self, lines: int) -> None:
        """Scroll by lines, as far as there are any; at once, since each frame costs bytes."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False, immediate=True)

    def action_page(self, step: int) -> None:
        """Scroll by a screenful, of which one line stays."""
        self.action_go(step * max(self.size.height - 1, 1))


def folded(entry: Paragraph, width: int) -> Iterator[Paragraph]:
    """Wrap one paragraph into lines of at most `width` cells."""
    hang = LABEL if entry.label else 0
    label = f"{entry.label:<{LABEL}}" if entry.label else ""
    for line in wrapped(plain(entry.text), max(width - hang, 8)):
        yield Paragraph(line, entry.tone, label)
        label = " " * hang


def wrapped(text: str, width: int) -> list[str]:
    """Break a line at blanks where that is possible, keeping the blanks within; cell by cell."""
    if cell_len(text) <= width:
        return [text]
    lines, line, length = [], "", 0
    for word in _words(text):
        room = cell_len(word)
        if line and length + cell_len(word.rstrip()) > width:
            lines.append(line.rstrip())
            line, length = "", 0
        if room > width:
            *full, word = chop_cells(word, width)
            lines += full
            room = cell_len(word)
        line, length = line + word, length + room
    return [*lines, line.rstrip()]


def _words(text: str) -> Iterator[str]:
    """Yield each word with the blanks after it."""
    start = 0
    for place in range(1, len(text)):
        if text[place - 1] == " " and text[place] != " ":
            yield text[start:place]
            start = place
    yield text[start:]
