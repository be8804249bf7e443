"""A scrolling view of lines with a cursor, drawn on the line API: menus, boxes and long lists.

Subclass `LineView` and say `count()`, `draw(index, width)` and where needed `selectable(index)` and
`draw_header(width)`. A drawn line is a sequence of `(text, tone)`; tones are "", "dim", "good",
"bad", "warn", "head". Every text passes `services.text.plain`, so foreign text is harmless here.
`cursor` is the chosen index; Enter posts `Opened`, a move posts `Moved`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from services.text import plain
from tui.widgets.chrome import fit

Part = tuple[str, str]
"""A stretch of a line and its tone."""


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows lines and lets one be chosen; only what is seen is ever drawn."""

    DEFAULT_CSS = """
    LineView {
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden;
        & > .line--dim { text-style: dim; }
        & > .line--head { text-style: bold; color: $primary; }
        & > .line--good { color: $success; }
        & > .line--bad { color: $error; text-style: bold; }
        & > .line--warn { color: $warning; }
        &:focus > .line--cursor { text-style: reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"line--{tone}" for tone in ("dim", "head", "good", "bad", "warn", "cursor")
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "open", "Open"),
    ]
    HEADERS: ClassVar[int] = 0
    """Lines at the top that do not scroll: 0 or 1."""

    cursor: reactive[int] = reactive(0, repaint=False, init=False)

    @dataclass
    class Opened(Message):
        """A line was opened by Enter or a second click."""

        view: "LineView"
        index: int

        @property
        def control(self) -> "LineView":
            """The view, for `@on` selectors."""
            return self.view

    @dataclass
    class Moved(Message):
        """The cursor went to another line."""

        view: "LineView"
        index: int

        @property
        def control(self) -> "LineView":
            """The view, for `@on` selectors."""
            return self.view

    # ------------------------------------------------------------------ for subclasses

    def count(self) -> int:
        """Return how many lines there are."""
        raise NotImplementedError

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Return a line's parts; what is shorter than `width` cells is padded."""
        raise NotImplementedError

    def draw_header(self, width: int) -> Sequence[Part]:
        """Return the parts of the line that stays at the top."""
        return ()

    def draw_empty(self) -> str:
        """Return what stands where there are no lines: what to do next."""
        return ""

    def selectable(self, index: int) -> bool:
        """Tell whether the cursor may stand on a line."""
        return True

    # ------------------------------------------------------------------ drawing

    def renew(self) -> None:
        """Draw again after the lines have changed; the cursor stays where it can."""
        self.virtual_size = Size(self.size.width, self.count() + self.HEADERS)
        self.cursor = self._nearest(min(self.cursor, max(self.count() - 1, 0)))
        self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.virtual_size = Size(self.size.width, self.count() + self.HEADERS)
        self.call_after_refresh(self.show_cursor)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y - self.HEADERS
        if y < self.HEADERS:
            return self._strip(self.draw_header(width), width, Style())
        if self.count() == 0 and y == self.HEADERS:
            return self._strip([(f"  {self.draw_empty()}", "dim")], width, Style())
        if not 0 <= index < self.count():
            return Strip.blank(width, self.rich_style)
        chosen = index == self.cursor and self.selectable(index)
        style = self._tone("cursor") if chosen else Style()
        return self._strip(self.draw(index, width), width, style)

    def _strip(self, parts: Sequence[Part], width: int, over: Style) -> Strip:
        base = self.rich_style
        # Under the cursor a line has one style: reversed colours would be patches of their own.
        segments = [Segment(plain(text), base + (over or self._tone(tone))) for text, tone in parts]
        strip = Strip(segments).adjust_cell_length(width, base + over)
        return strip.crop(0, width)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"line--{tone}", partial=True) if tone else Style()

    # ------------------------------------------------------------------ moving

    def watch_cursor(self, old: int, new: int) -> None:
        """Repaint the two lines concerned and keep the new one in view."""
        for index in (old, new):
            self.refresh_lines(index + self.HEADERS)
        self.show_cursor()
        self.post_message(self.Moved(self, new))

    def show_cursor(self) -> None:
        """Scroll so that the cursor's line is seen."""
        height = max(self.size.height - self.HEADERS, 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            # A heading above the first selectable line comes into view with it.
            first = self.cursor if self._nearest(0) != self.cursor else 0
            self.scroll_to(y=first, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def _nearest(self, index: int, step: int = 1) -> int:
        """Return the selectable line at or beyond `index`, else the one on the other side."""
        for candidates in (
            range(index, self.count()) if step > 0 else range(index, -1, -1),
            range(index, -1, -1) if step > 0 else range(index, self.count()),
        ):
            for candidate in candidates:
                if 0 <= candidate < self.count() and self.selectable(candidate):
                    return candidate
        return 0

    def action_move(self, step: int) -> None:
        """Go one line up or down."""
        target = self.cursor + step
        if 0 <= target < self.count():
            self.cursor = self._nearest(target, step)

    def action_page(self, step: int) -> None:
        """Go a screenful up or down."""
        target = self.cursor + step * max(self.size.height - self.HEADERS - 1, 1)
        self.cursor = self._nearest(min(max(target, 0), max(self.count() - 1, 0)), step)

    def action_first(self) -> None:
        """Go to the first line."""
        self.cursor = self._nearest(0)

    def action_last(self) -> None:
        """Go to the last line."""
        self.cursor = self._nearest(max(self.count() - 1, 0), -1)

    def action_open(self) -> None:
        """Open the chosen line."""
        if self.count():
            self.post_message(self.Opened(self, self.cursor))

    def index_at(self, event: events.Click) -> int | None:
        """Return the line that was clicked, None where there is none to choose."""
        place = event.get_content_offset(self)
        if place is None or place.y < self.HEADERS:
            return None
        index = place.y + self.scroll_offset.y - self.HEADERS
        return index if index < self.count() and self.selectable(index) else None

    def on_click(self, event: events.Click) -> None:
        """Choose the line under the mouse; a second click opens it."""
        index = self.index_at(event)
        if index is not None:
            self.cursor = index
            if event.chain == 2:
                self.action_open()


def column(text: Any, width: int, *, right: bool = False, gap: int = 1) -> str:
    """Return a cell's text in its column's width, harmless, with the gap after it."""
    return fit(plain(str(text)), width, right=right) + " " * gap


def rule(title: str, width: int, mark: str, after: str = "") -> Sequence[Part]:
    """Return a section's heading: its title, then a rule, then what stands at its end."""
    head = f"{title} "
    tail = f" {after} {mark * 2}" if after else ""
    return (head, "head"), (mark * max(width - len(head) - len(tail), 2), "dim"), (tail, "dim")
