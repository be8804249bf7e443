"""Ticks and radios, and what all controls of one line share.

Each is drawn by one widget, so that Enter and arrows are left to the form ("walk the fields") and
Space and ←/→ do the choosing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.glyphs import glyphs

Option = tuple[str, str]
"""A value and its label."""


class Control(Widget, can_focus=True):
    """A control of one line that draws itself."""

    DEFAULT_CSS = """
    Control {
        height: 1; width: auto; background: transparent;
        &:focus { text-style: reverse; }
        &:disabled { text-style: dim; }
    }
    """

    @dataclass
    class Changed(Message):
        """The admin chose something else."""

        control_widget: "Control"


class Tick(Control):
    """`[x] Label`; Space ticks."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "tick", "Tick")]

    value: reactive[bool] = reactive(False)

    def __init__(self, label: str = "", value: bool = False) -> None:
        """Take the words beside the box, which may be none."""
        super().__init__()
        self.label = label
        self.wide = len(f"{glyphs().ticked} {label}".rstrip())
        """Cells that it takes."""
        self.styles.width = self.wide
        self.set_reactive(Tick.value, value)

    def render(self) -> Text:
        """Draw box and label."""
        box = glyphs().ticked if self.value else glyphs().unticked
        return Text(f"{box} {self.label}".rstrip(), end="", no_wrap=True)

    def action_tick(self) -> None:
        """Tick or untick."""
        self.value = not self.value
        self.post_message(self.Changed(self))

    def on_click(self) -> None:
        """Tick by mouse."""
        self.action_tick()


class Radios(Control):
    """`(•) One   ( ) Two`; ← and → choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Choose", key_display="←→"),
        Binding("right,space", "step(1)", show=False),
    ]
    GAP: ClassVar[str] = "   "

    value: reactive[str] = reactive("")

    def __init__(self, options: Sequence[Option], value: str) -> None:
        """Take the options; the value is one of theirs."""
        super().__init__()
        self.options = list(options)
        self.set_reactive(Radios.value, value)

    def render(self) -> Text:
        """Draw every option, the chosen one with its mark."""
        return Text(self.GAP.join(self._drawn()), end="", no_wrap=True)

    def _drawn(self) -> list[str]:
        marks = {True: glyphs().chosen, False: glyphs().unchosen}
        return [f"{marks[value == self.value]} {label}" for value, label in self.options]

    def choose(self, value: str) -> None:
        """Choose an option as the admin does."""
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self))

    def action_step(self, step: int) -> None:
        """Choose the option beside the present one."""
        values = [value for value, _label in self.options]
        self.choose(values[(values.index(self.value) + step) % len(values)])

    def on_key(self, event: events.Key) -> None:
        """A first letter chooses too."""
        step_to_letter(self, event, self.options, self.value, self.choose)

    def on_click(self, event: events.Click) -> None:
        """Choose by mouse."""
        start = 0
        for (value, _label), drawn in zip(self.options, self._drawn(), strict=True):
            if start <= event.x < start + len(drawn):
                self.choose(value)
            start += len(drawn) + len(self.GAP)


def step_to_letter(
    widget: Widget,
    event: events.Key,
    options: Sequence[Option],
    value: str,
    choose: Callable[[str], None],
) -> None:
    """Choose the next option whose label begins with the typed character, round the list."""
    letter = event.character.casefold() if event.character and event.is_printable else ""
    if not letter.strip() or widget.disabled:
        return
    values = [entry for entry, _label in options]
    start = values.index(value) + 1 if value in values else 0
    for entry, label in [*options[start:], *options[:start]]:
        if label.casefold().startswith(letter):
            event.stop()
            event.prevent_default()
            choose(entry)
            return
