"""New Message: typed here, refused by the rules with the field focused, else queued."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import TextArea

from models.fields import address_key, is_steering
from models.message import MessageForm, mailboxes
from models.outgoing import OutgoingMail
from services import attachments
from services.contacts.people import Person
from services.errors import InvalidInput, ServiceError
from services.forms import check
from services.sending.views import OutboxMessage
from services.text import count, size_words
from tui.widgets.choose_contact import ChooseContact
from tui.widgets.chrome import Notice
from tui.widgets.dialogs import Question
from tui.widgets.editors import TextEditor
from tui.widgets.form_page import editor_of
from tui.widgets.heading import Heading
from tui.widgets.kept_form import KeptForm
from tui.widgets.settings_form import SettingsForm

PEOPLE = ("to", "cc", "bcc")
"""Fields that take addresses."""


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

    async def _on_paste(self, event: events.Paste) -> None:
        """Take what was copied without what could steer the terminal that shows it."""
        event.prevent_default()
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        kept = "".join(char for char in text if char in "\n\t" or not is_steering(char))
        await super()._on_paste(events.Paste(kept))
        event.stop()

    def action_cursor_up(self, select: bool = False) -> None:
        """Leave upwards from the first line."""
        if self.cursor_at_first_line and not select:
            self.screen.focus_previous()
        else:
            super().action_cursor_up(select)


class NewMessage(KeptForm[str | None]):
    """Hands back what was queued, in words."""

    HELP = """The message goes out through the System Email Account. It is queued first: what is
    accepted here survives, and the Outbox shows what became of it. Where the account's rules refuse
    it, such as with a CC while Allow CC is not ticked, nothing is queued. In To, CC and BCC ^N
    chooses among the contacts; an address that is typed is found among them by itself."""
    DEFAULT_CSS = """
    NewMessage #body { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Send"),
        Binding("ctrl+n,f6", "contact", "Contact"),
    ]

    def __init__(self, path: tuple[str, ...], argument: str = "") -> None:
        """Begin blank."""
        super().__init__(path, argument)
        self.form = SettingsForm(MessageForm)
        for name in (*PEOPLE, "attachments"):
            editor = self.form.editors[name]
            if isinstance(editor, TextEditor):
                editor.input.several = True
        self.text = BodyText()
        self.heading = Heading("Text")
        self.chosen: dict[str, int] = {}
        """Contacts that were chosen, by address: one address may be several contacts'."""

    def body(self) -> Iterable[Widget]:
        """Put the text below the fields."""
        yield self.form
        yield self.heading
        yield self.text

    def forms(self) -> Sequence[SettingsForm]:
        """Return the fields above the text."""
        return [self.form]

    def on_mount(self) -> None:
        """Begin at To."""
        self.form.focus_field("to")
        self.start(self._offer(), opens=True)

    async def _offer(self) -> None:
        await self.offer_draft(await self.services())

    @property
    def kind(self) -> str:
        """A message."""
        return "message"

    def values(self) -> dict[str, Any]:
        """Return what was typed, the text included."""
        return {**super().values(), "text": self.text.text}

    def base(self) -> dict[str, Any]:
        """Return what the form began from, the text included."""
        return {"text": "", **super().base()}

    def put_values(self, values: Mapping[str, Any]) -> None:
        """Show values, the text among them."""
        self.text.text = str(values.get("text", self.text.text))
        super().put_values(values)

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

    # ------------------------------------------------------------------ contacts

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer contacts where an address is typed."""
        if action == "contact":
            return self._people_field is not None
        return super().check_action(action, parameters)

    @property
    def _people_field(self) -> str | None:
        """The field with the focus, where it takes addresses."""
        editor = editor_of(self.focused)
        return editor.spec.name if editor and editor.spec.name in PEOPLE else None

    def action_contact(self) -> None:
        """Choose a contact."""
        if (name := self._people_field) is not None:
            self.start(self._choose(name), group="contact", opens=True)

    async def _choose(self, name: str) -> None:
        """Put a contact in the place of what was begun to be typed."""
        await self.services()
        written = list(mailboxes(str(self.form.raw()[name])))
        begun = written.pop() if written and "@" not in written[-1] else ""
        person: Person | None = await self.dialog(ChooseContact(begun))
        if person is not None:
            self.form.put({name: ", ".join([*written, person.mailbox])})
            self.chosen[address_key(person.email)] = person.id
            self.show_state()
            self.say("done", f"{person.name or person.email}, {person.party}.")

    def _contact(self, form: MessageForm) -> int | None:
        """Return the first contact that was chosen and is still addressed."""
        written = ", ".join((form.to, form.cc, form.bcc)).casefold()
        return next((one for key, one in self.chosen.items() if key in written), None)

    # ------------------------------------------------------------------ files

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Look at the files that were named in the field that was left."""
        left = self._at.spec.name if self._at is not None else ""
        super().on_descendant_focus(event)
        if left == "attachments" and editor_of(event.widget) is not self.form.editors[left]:
            self.start(self._weigh(), group="files")

    async def _weigh(self) -> None:
        """Say how much the files weigh, or at their field that one cannot be read."""
        self.heading.state = ""
        try:
            files = check(MessageForm, {"attachments": self.form.raw()["attachments"]}).files
            size = await self.ask(lambda: attachments.weigh(files))
        except InvalidInput as error:
            self.form.show_errors(error.errors)
            return
        if files:
            self.heading.state = f"{count(len(files), 'file')}, {size_words(size)}"

    # ------------------------------------------------------------------ sending

    async def save(self) -> None:
        """Queue the message, and go back to the Outbox."""
        services = await self.services()
        form = check(MessageForm, self.form.raw())
        files = await self.ask(lambda: attachments.read(form.files))
        mail = form.mail(self.text.text, files, self._contact(form))
        await self.ask(lambda: services.outbox.check(mail))
        if not await self._is_meant(mail):
            self.form.focus_field("subject")
            return
        alive = await self.ask(services.outbox.workers_alive) > 0
        accepted = await self.ask(lambda: services.outbox.accept(mail))
        with suppress(ServiceError):  # it is queued: a form that stays would send it twice
            await self.forget_draft()
        self.dismiss(told(accepted, alive=alive))

    async def _is_meant(self, mail: OutgoingMail) -> bool:
        """Ask before a message goes out that says nothing."""
        if mail.subject.strip() or self.text.text.strip():
            return True
        words = "It has neither a subject nor a text. Send it all the same?"
        return bool(await self.dialog(Question("Send", words, "Send", "Keep editing")))


def told(accepted: OutboxMessage, *, alive: bool) -> str:
    """Say what was queued, for whom, and whether anybody sends it."""
    known = f", for {accepted.contact}" if accepted.contact else ""
    waits = "" if alive else " No worker runs: w sends it."
    return f"Queued for {count(len(accepted.recipients), 'recipient')}{known}.{waits}"
