"""Modal dialogs: their frame, a question, a bug that was reported.

* `Dialog(title)`: say `contents()`; `dismiss(result)` closes it.
* `Question(title, text, yes, no)` hands back True or False; y, n and first letters answer at once.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from services.text import plain
from tui.widgets.chrome import KeyLine
from tui.widgets.controls import Control
from tui.widgets.page import Worker

WALK: list[BindingType] = [
    Binding("down,tab,enter", "walk(1)", show=False),
    Binding("up,shift+tab", "walk(-1)", show=False),
]
"""Keys that walk the fields, the same in every form and dialog."""


class Button(Control):
    """A word to press: Enter, Space, its first letter, or the mouse."""

    DEFAULT_CSS = """
    Button { padding: 0 1; margin: 0 1 0 0; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "press", show=False)]

    class Pressed(Control.Changed):
        """The button was pressed."""

    def __init__(self, label: str, *, id: str) -> None:
        """Take the word."""
        super().__init__()
        self.id, self.text = id, label

    def render(self) -> Text:
        """Draw the word, its first letter underlined as the key."""
        text = Text(f"[ {self.text} ]", end="", no_wrap=True)
        text.stylize("underline", 2, 3)
        return text

    def action_press(self) -> None:
        """Tell the dialog."""
        self.post_message(self.Pressed(self))

    def on_click(self) -> None:
        """Press by mouse."""
        self.action_press()


class Dialog(ModalScreen[Any], Worker[Any]):
    """A box in the middle of the screen."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: transparent; }
    Dialog > #box {
        width: 76; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: solid $primary; border-title-style: bold; background: $background;
    }
    Dialog #buttons { height: 1; width: 100%; align-horizontal: right; margin: 1 0 0 0; }
    Dialog #text { width: 100%; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close")]

    def __init__(self, title: str) -> None:
        """Take the words on the frame."""
        super().__init__()
        self.heading = title

    def compose(self) -> Iterable[Widget]:
        """Frame the contents."""
        box = Vertical(*self.contents(), id="box")
        # A Text, since a plain string would be read as markup.
        box.border_title = Text(plain(self.heading)).markup
        yield box

    def contents(self) -> Iterable[Widget]:
        """Return what stands in the box."""
        return ()

    def action_leave(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def action_walk(self, step: int) -> None:
        """Go to the next field or button, or back."""
        (self.focus_next if step > 0 else self.focus_previous)()


class Question(Dialog):
    """A sentence and two answers; the harmless one has the focus where something would be lost."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *WALK,
        Binding("right", "walk(1)", show=False),
        Binding("left", "walk(-1)", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("n", "answer(False)", show=False),
        Binding("f1,ctrl+g", "help", "Help"),
    ]
    HELP: ClassVar[str | None] = """Enter gives the answer that has the focus; arrows and Tab go to
    the other one. The first letter of an answer gives it at once, and so do y and n. Esc is the
    answer that changes nothing."""

    def __init__(self, title: str, text: str, yes: str, no: str, *, safe: bool = True) -> None:
        """Take the words; `safe` puts the focus on `no`."""
        super().__init__(title)
        self.text, self.yes, self.no, self.safe = text, yes, no, safe

    def contents(self) -> Iterable[Widget]:
        """Put the answers below the sentence."""
        yield Static(Text(plain(self.text)), id="text", markup=False)
        yield Horizontal(Button(self.yes, id="yes"), Button(self.no, id="no"), id="buttons")

    def on_mount(self) -> None:
        """Focus one answer."""
        self.query_one("#no" if self.safe else "#yes").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.action_answer(event.control_widget.id == "yes")

    def on_key(self, event: events.Key) -> None:
        """An answer's first letter gives it."""
        for word, answer in ((self.yes, True), (self.no, False)):
            if event.character and event.character.casefold() == word[0].casefold():
                event.stop()
                self.action_answer(answer)
                return

    def action_answer(self, answer: bool) -> None:
        """Hand the answer back."""
        self.dismiss(answer)

    def action_help(self) -> None:
        """Say how to answer."""
        from tui.widgets.help import HelpDialog

        self.app.push_screen(HelpDialog(self, self.heading, self.HELP or ""))

    def action_leave(self) -> None:
        """Esc is the harmless answer."""
        self.dismiss(False)


class BugDialog(Dialog):
    """Says that something broke, without what it was working on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", "Close")]

    def __init__(self, kind: str, log: str) -> None:
        """Take the kind of the fault, and where it is described."""
        super().__init__("Something broke in tourmail")
        self.kind, self.log_path = kind, log

    def contents(self) -> Iterable[Widget]:
        """Say what to do."""
        words = (
            f"This is a fault of tourmail ({self.kind}), not of what you did. What was saved is "
            f"saved; what you were just doing may not be.\n\nThe fault is described, without your "
            f"data, in {self.log_path}. Please report it."
        )
        yield Static(Text(words), id="text", markup=False)
        yield KeyLine()
