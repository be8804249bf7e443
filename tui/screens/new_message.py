"""New Message: typed here, refused by the rules with the field focused, else queued."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import TextArea

from models.message import MessageForm
from services.forms import check
from services.text import count
from tui.widgets.chrome import Notice
from tui.widgets.form_page import FormPage
from tui.widgets.heading import Heading
from tui.widgets.settings_form import SettingsForm


class BodyText(TextArea):
    """Several lines to type; Up on the first one goes back to the fields, Tab on leaves it."""

    DEFAULT_CSS = """
    BodyText, BodyText:focus {
        height: 1fr; border: none; padding: 0; background: transparent;
        & .text-area--cursor-line { background: transparent; }
        & .text-area--cursor { text-style: reverse; background: transparent; color: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # TextArea has keys of its own for these; the screens' are the same everywhere.
        Binding("tab", "screen.walk(1)", show=False),
        Binding("shift+tab", "screen.walk(-1)", show=False),
    ]

    notice = Notice("help", "The text of the message. Ctrl+S sends it, Tab goes to To.")

    def __init__(self) -> None:
        """Make it compact and still."""
        super().__init__(compact=True, highlight_cursor_line=False, tab_behavior="focus")
        self.cursor_blink = False

    def action_cursor_up(self, select: bool = False) -> None:
        """Leave upwards from the first line."""
        if self.cursor_at_first_line and not select:
            self.screen.focus_previous()
        else:
            super().action_cursor_up(select)


class NewMessage(FormPage[str | None]):
    """Hands back what was queued, in words."""

    HELP = """The message goes out through the System Email Account. It is queued first: what is
    accepted here survives, and the Outbox shows what became of it. Where the account's rules refuse
    it, such as with a CC while Allow CC is not ticked, nothing is queued."""
    DEFAULT_CSS = """
    NewMessage #body { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "save", "Send")]

    def __init__(self, path: tuple[str, ...], argument: str = "") -> None:
        """Begin blank."""
        super().__init__(path, argument)
        self.form = SettingsForm(MessageForm)
        self.text = BodyText()

    def body(self) -> Iterable[Widget]:
        """Put the text below the fields."""
        yield self.form
        yield Heading("Text")
        yield self.text

    def forms(self) -> Sequence[SettingsForm]:
        """Return the fields above the text."""
        return [self.form]

    def on_mount(self) -> None:
        """Begin at To."""
        self.form.focus_field("to")

    @property
    def unsaved(self) -> bool:
        """Whether anything was typed."""
        return bool(self.text.text) or super().unsaved

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Show that something was typed."""
        self.show_state()

    def wrong(self, errors: Mapping[str, str]) -> None:
        """Go to the wrong field; the text has none of the form's editors."""
        super().wrong(errors)
        if "text" in errors and len(errors) == 1:
            self.text.focus()
            self.call_after_refresh(self.say, "error", errors["text"])

    async def save(self) -> None:
        """Queue the message, and go back to the Outbox."""
        services = await self.services()
        mail = check(MessageForm, self.form.raw()).mail(self.text.text)
        accepted = await self.ask(lambda: services.outbox.accept(mail))
        self.dismiss(f"Queued for {count(len(accepted.recipients), 'recipient')}.")
