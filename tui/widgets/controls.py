"""The controls that editors are made of: compact, one line each, still (no blink, no animation).

`TextInput` is Textual's Input; `Tick`, `Choice` and `Radios` are drawn by one widget each, so that
Enter and arrows are left to the form ("walk the fields") and Space and ←/→ do the choosing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive, var
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from services.text import plain
from tui.widgets.chrome import fit
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part

MOST = 4096
"""Characters that any line takes; the model says in words what is too long."""

Option = tuple[str, str]
"""A value and its label."""


class TextInput(Input):
    """A line to type in; its extent is underlined, which needs no colour."""

    DEFAULT_CSS = """
    TextInput, TextInput:focus, TextInput.-textual-compact {
        height: 1; padding: 0; border: none; background: transparent; background-tint: transparent;
        & > .input--cursor, & > .input--selection {
            color: $foreground; background: $background; text-style: reverse;
        }
        &:ansi > .input--cursor, &:ansi > .input--selection {
            color: $foreground; background: $background; text-style: reverse;
        }
        & > .input--placeholder { text-style: dim; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # Enter walks the fields: the form's binding is to be reached.
        Binding("enter", "screen.walk(1)", show=False),
    ]

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        password: bool = False,
        restrict: str | None = None,
        max_length: int = 0,
        id: str | None = None,
    ) -> None:
        """Make it compact and still."""
        super().__init__(
            value,
            placeholder=placeholder,
            password=password,
            restrict=restrict,
            max_length=max_length or MOST,
            compact=True,
            id=id,
        )
        self.cursor_blink = False

    @property
    def _value(self) -> Text:
        """Show a secret as marks that the locale has, and foreign characters harmless."""
        if self.password:
            marks = glyphs().dot * len(self.value)
            return Text(marks, no_wrap=True, overflow="ignore", end="")
        shown = "".join(char if char.isprintable() else "\ufffd" for char in self.value)
        return Text(shown, no_wrap=True, overflow="ignore", end="")

    def render_line(self, y: int) -> Strip:
        """Underline the whole extent, so that one sees where to type."""
        strip = super().render_line(y).adjust_cell_length(self.size.width)
        underlined = not self.disabled and self.id != "filter"
        return strip.apply_style(Style(underline=True)) if underlined else strip


class SecretInput(TextInput):
    """A line for a secret: what is typed is never shown, copied or cut (OSC 52).

    ^X, which cuts elsewhere, asks for the removal of what is stored.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+x", "remove_stored", "Remove stored")]

    stored: var[bool] = var(False)
    """Whether something is stored that could be removed."""

    class RemovalAsked(Message):
        """The admin wants the stored secret removed, or takes that back."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to remove only what is stored."""
        return self.stored if action == "remove_stored" else True

    def action_remove_stored(self) -> None:
        """Ask the editor."""
        self.post_message(self.RemovalAsked())

    def action_copy(self) -> None:
        """Keep the secret out of the clipboard."""

    def action_cut(self) -> None:
        """Keep the secret out of the clipboard."""


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


class Choice(Control):
    """`IMAP      ▾`; Space opens the list, a first letter chooses without opening it."""

    DEFAULT_CSS = """
    Choice { layout: vertical; }
    Choice > DropDown {
        overlay: screen; constrain: none inside; offset: 0 1; height: auto; max-height: 10;
        border: solid $primary; background: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "open", "Open")]

    value: reactive[str] = reactive("")

    def __init__(self, options: Sequence[Option], value: str) -> None:
        """Take the options; a value that is none of theirs is shown as it is."""
        super().__init__()
        self.options = list(options)
        self.set_reactive(Choice.value, value)
        self.styles.width = max([20, *(len(label) for _value, label in self.options)]) + 2

    def offer(self, options: Sequence[Option]) -> None:
        """Take other options, such as those that have come from the store."""
        self.options = list(options)
        self.styles.width = max([20, *(len(label) for _value, label in self.options)]) + 2
        self.refresh(layout=True)

    def render(self) -> Text:
        """Draw the chosen label and the arrow that says that there are more."""
        label = dict(self.options).get(self.value, self.value)
        text = Text(fit(plain(label), max(self.size.width - 2, 1)), end="", no_wrap=True)
        text.stylize("underline")
        return text.append(f" {glyphs().drop}")

    def choose(self, value: str) -> None:
        """Choose an option as the admin does."""
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self))

    def on_key(self, event: events.Key) -> None:
        """A first letter chooses."""
        step_to_letter(self, event, self.options, self.value, self.choose)

    def action_open(self) -> None:
        """Open the list."""
        if not self.query(DropDown):
            self.mount(DropDown(self))

    def on_click(self, event: events.Click) -> None:
        """Open by mouse."""
        if event.widget is self:
            self.action_open()


class DropDown(LineView):
    """The open list of a Choice; arrows stay inside, Enter or Space choose, Esc closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "open", show=False),
        Binding("escape", "close", "Close"),
        Binding("tab", "open", show=False),
    ]

    def __init__(self, choice: Choice) -> None:
        """Take the choice whose options are shown."""
        super().__init__()
        self.choice = choice
        values = [value for value, _label in choice.options]
        place = values.index(choice.value) if choice.value in values else 0
        self.set_reactive(LineView.cursor, place)

    def on_mount(self) -> None:
        """Take the size of the options, and the focus."""
        self.styles.width = max([20, *(len(label) for _value, label in self.choice.options)]) + 4
        self.styles.height = min(max(self.count(), 1), 8) + 2
        self.renew()
        self.focus()

    def count(self) -> int:
        """Return how many options there are."""
        return len(self.choice.options)

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw an option."""
        return [(f" {self.choice.options[index][1]}", "")]

    def draw_empty(self) -> str:
        """Say that there is nothing to choose from."""
        return "Nothing to choose from"

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Choose, and close."""
        event.stop()
        self.choice.choose(self.choice.options[event.index][0])
        self.action_close()

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Keep the move to oneself."""
        event.stop()

    def on_key(self, event: events.Key) -> None:
        """A first letter goes to its option."""
        options = self.choice.options

        def go(value: str) -> None:
            self.cursor = [entry for entry, _label in options].index(value)

        if options:
            step_to_letter(self, event, options, options[self.cursor][0], go)

    def action_close(self) -> None:
        """Close without choosing."""
        self.choice.focus()
        self.remove()

    def on_blur(self) -> None:
        """Close when the focus goes elsewhere."""
        self.remove()


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
