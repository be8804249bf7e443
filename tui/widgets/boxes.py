"""Editors that are lists in boxes of their own: what they share, and tick lists.

They scroll inside their box, so a form with them keeps its height. Arrows stay inside; Tab leaves.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from tui.widgets.controls import step_to_letter
from tui.widgets.field_editor import FieldEditor
from tui.widgets.field_spec import FieldSpec
from tui.widgets.glyphs import glyphs
from tui.widgets.heading import Heading
from tui.widgets.lines import LineView, Part, column


class BoxEditor(FieldEditor):
    """What the two box editors share."""

    DEFAULT_CSS = """
    BoxEditor { layout: vertical; height: 1fr; min-height: 3; width: 1fr; }
    BoxEditor > LineView { height: 1fr; }
    """

    def __init__(self, spec: FieldSpec) -> None:
        """Take the field that is edited."""
        super().__init__(spec)
        self.heading = Heading(spec.title)

    def watch_error(self) -> None:
        """Mark the heading."""
        self.heading.set_class(bool(self.error), "-wrong")

    def remark_on(self, text: str) -> None:
        """Say something at the heading's end."""
        self.heading.state = text


class TickLines(LineView):
    """The lines of a tick list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick"),
        Binding("enter", "screen.walk(1)", show=False),
    ]

    def __init__(self, box: "TickListEditor") -> None:
        """Take the editor whose options these are."""
        super().__init__()
        self.box = box

    def count(self) -> int:
        """Return how many options there are."""
        return len(self.box.options)

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw box and label."""
        value, label = self.box.options[index]
        mark = glyphs().ticked if value in self.box.ticked else glyphs().unticked
        return [(column(f"{mark} {label}", width, gap=0), "")]

    def draw_empty(self) -> str:
        """Say where entries come from."""
        return "None are set up yet."

    def action_tick(self) -> None:
        """Tick or untick the line."""
        if self.count():
            self.box.toggle(self.box.options[self.cursor][0])
            self.refresh()

    def on_key(self, event: events.Key) -> None:
        """A first letter goes to its line."""
        options = self.box.options
        values = [value for value, _label in options]
        if options:
            step_to_letter(self, event, options, values[self.cursor], self._go)

    def _go(self, value: str) -> None:
        self.cursor = [entry for entry, _label in self.box.options].index(value)

    def on_click(self, event: events.Click) -> None:
        """Tick by mouse."""
        super().on_click(event)
        if self.index_at(event) is not None:
            self.action_tick()


class TickListEditor(BoxEditor):
    """Several of a code table's records, ticked in a list."""

    def __init__(self, spec: FieldSpec, options: Sequence[tuple[str, str]]) -> None:
        """Take the options."""
        super().__init__(spec)
        self.options = list(options)
        self.ticked: set[str] = set()
        self.lines = TickLines(self)

    def compose(self) -> ComposeResult:
        """Put the heading above the box."""
        yield self.heading
        yield self.lines

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Take other options."""
        self.options = list(options)
        self._show()

    @property
    def target(self) -> Widget:
        """The lines."""
        return self.lines

    @property
    def value(self) -> tuple[str, ...]:
        """The ticked values, in the order of the list."""
        known = [value for value, _label in self.options if value in self.ticked]
        return (*known, *sorted(self.ticked - set(known)))

    @value.setter
    def value(self, value: Any) -> None:
        self.ticked = set(value or ())
        self._show()

    def toggle(self, value: str) -> None:
        """Tick or untick as the admin does."""
        self.ticked ^= {value}
        self._show()
        self.tell()

    def _show(self) -> None:
        self.heading.state = f"{len(self.ticked)} of {len(self.options)}" if self.options else ""
        if self.lines.is_attached:
            self.lines.renew()
