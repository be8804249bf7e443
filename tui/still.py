"""What makes Textual calm and legible on any terminal."""

from collections.abc import Mapping
from typing import ClassVar

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.scrollbar import ScrollBarRender


def is_dumb(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal knows no colours by its kind; Textual sends true colour to it."""
    return environ.get("TERM") in ("dumb", "unknown")


class NoColour(LineFilter):
    """No colour codes at all, as NO_COLOR asks for; bold, reverse and underline stay.

    Textual's own filter turns colours to greys, or names the default ones, in codes all the same.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colours."""
        return [
            Segment(text, style.without_color if style else None, control)
            for text, style, control in segments
        ]


class PlainBar(ScrollBarRender):
    """A scrollbar of blanks alone, which every locale can show."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]
