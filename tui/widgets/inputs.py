"""Lines to type in: Textual's Input made compact and still (no blink), and one for secrets."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var
from textual.strip import Strip
from textual.widgets import Input

from tui.widgets.chrome import Notice
from tui.widgets.glyphs import glyphs

MOST = 4096
"""Characters that any line takes; the model says in words what is too long."""


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
        self.several = False
        """Whether it takes several entries with commas between them."""
        self.notice: Notice | None = None
        """What is said of the last paste, until the next key."""

    def _on_paste(self, event: events.Paste) -> None:
        """Take what was copied with spaces around it; in a secret they may be meant.

        Several lines become one, and that is said: nothing that was copied goes unnoticed.
        """
        event.prevent_default()
        event.stop()
        lines = self._lines(event.text)
        joins = not (self.password or self.restrict)
        text = (", " if self.several else " ").join(lines) if joins else lines[0]
        room = (self.max_length or MOST) - len(self.value) + len(self.selected_text)
        if len(text) > room:
            self._say(f"Nothing was pasted: this takes at most {self.max_length:,} characters.")
        elif len(lines) > 1:
            joined = f", and joined by {'commas' if self.several else 'spaces'}."
            became = joined if joins else ": only the first was taken."
            self._say(f"{len(lines)} lines were pasted{became}")
        super()._on_paste(events.Paste(text))

    def _lines(self, text: str) -> list[str]:
        if self.password:
            return text.strip("\r\n").splitlines() or [""]
        lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
        return [line.rstrip(",; ") for line in lines] if self.several and lines[1:] else lines

    def _say(self, words: str) -> None:
        self.notice = Notice("warning", words)
        say = getattr(self.screen, "say", None)  # Textual's own screens have none
        if say is not None:
            say("warning", words)

    def on_key(self) -> None:
        """What was said of a paste has been read."""
        self.notice = None

    def on_blur(self) -> None:
        """What was said of a paste belongs to this line alone."""
        self.notice = None

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
