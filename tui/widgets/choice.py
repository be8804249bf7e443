"""A drop-down: closed it is one line, and its list exists only while it is open."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from services.text import plain
from tui.typeahead import hold_keys
from tui.widgets.chrome import fit
from tui.widgets.controls import Control, Option, step_to_letter
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part

WIDEST = 55
"""Cells of the widest closed drop-down, which fits behind its label at 80."""


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
        self.styles.width = min(_widest(self.options) + 2, WIDEST)

    def offer(self, options: Sequence[Option]) -> None:
        """Take other options, such as those that have come from the store."""
        self.options = list(options)
        self.styles.width = min(_widest(self.options) + 2, WIDEST)
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
            opened = DropDown(self)
            self.mount(opened)
            hold_keys(self.app, lambda: opened.has_focus or not opened.is_attached, lambda: True)

    def on_click(self, event: events.Click) -> None:
        """Open by mouse."""
        if event.widget is self:
            self.action_open()


class DropDown(LineView):
    """The open list of a Choice; arrows stay inside, Enter or Space choose, Esc closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "Choose"),
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
        self.styles.width = min(_widest(self.choice.options) + 4, self.screen.size.width)
        self.styles.height = min(max(self.count(), 1), 8) + 2
        self.renew()
        self.focus()

    def count(self) -> int:
        """Return how many options there are."""
        return len(self.choice.options)

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw an option."""
        return [(fit(plain(f" {self.choice.options[index][1]}"), width), "")]

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


def _widest(options: Sequence[Option]) -> int:
    """Return how many cells the longest label fills; a few where all are short."""
    return max([20, *(cell_len(plain(label)) for _value, label in options)])
