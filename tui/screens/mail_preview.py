"""One message that came in: who wrote it, why it was imported or not, and what it says.

All of it is foreign text; `Paper` neutralises each line.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.fields import Line, Section
from models.mail import Outcome
from services.errors import InvalidInput
from services.mail_views import AnsweredMail, MailView
from services.text import plain_lines
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph
from tui.widgets.section_dialog import SectionDialog
from tui.widgets.settings_form import SettingsForm
from tui.widgets.times import short_clock

MOST = 200_000
"""Characters of a body that are shown; the file that Save writes has all."""

TONES = {Outcome.ERROR: "bad", Outcome.SKIPPED: "dim"}


class SaveTo(Section):
    """Where a message is saved."""

    folder: Line = Field(title="Folder", min_length=1)
    """The file gets a name of its own there, is never written over another one, and is yours
    alone to read."""


class MailPage(Page[None]):
    """A message on the whole screen."""

    HELP = """Why says which rule decided, and by which header or contact. h shows every header as
    it came. s saves the message, exactly as the server gave it, to a file."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "save", "Save"),
        Binding("h", "headers", "Headers"),
    ]

    def __init__(self, path: tuple[str, ...], mail_id: int) -> None:
        """Take the message's number."""
        super().__init__(path)
        self.mail_id = mail_id
        self.view: MailView | None = None
        self.all_headers = False

    def body(self) -> Iterable[Widget]:
        """Return the page to read."""
        yield Paper()

    def on_mount(self) -> None:
        """Fetch the message."""
        self.query_one(Paper).focus()
        self.start(self._load())

    async def _load(self) -> None:
        services = await self.services()
        self.view = await self.ask(lambda: services.mail.get(self.mail_id))
        await self._show(self.view)

    async def _show(self, view: MailView) -> None:
        services, headers = await self.services(), self.all_headers
        shown = await self.ask(lambda: described(view, services.now(), headers=headers))
        self.query_one(Paper).show(shown)

    def action_headers(self) -> None:
        """Show every header, or the few that matter."""
        self.all_headers = not self.all_headers
        if self.view is not None:
            self.start(self._show(self.view), group="show")

    def action_save(self) -> None:
        """Save the raw message to a file."""
        self.start(save_mail(self, self.mail_id), group="save")


async def save_mail(page: Page[Any], mail_id: int) -> None:
    """Ask for a folder and save a message there as .eml; never over another file."""
    services = await page.services()
    folder, said = _here(), dict[str, str]()
    while True:
        form = SettingsForm(SaveTo)
        form.load({"folder": folder})
        form.show_errors(said)
        found = await page.dialog(SectionDialog("Save as .eml", form))
        if found is None:
            return
        folder = str(found["folder"])
        try:
            path = await page.ask(partial(services.mail.save, mail_id, _expanded(folder)))
        except InvalidInput as error:
            said = error.errors
        else:
            page.say("done", f"Saved as {path}.")
            return


def _here() -> str:
    with suppress(FileNotFoundError):  # the folder in which we were started is gone
        return str(Path.cwd())
    return str(Path.home())


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise InvalidInput({"folder": "There is no such user."}) from None


def described(view: MailView, now: datetime, *, headers: bool = False) -> Sequence[Paragraph]:
    """Return a message as it is read, top to bottom; on a thread, since bodies can be long."""
    shown = [*_summary(view, now), Paragraph("")]
    if headers or not view.complete:
        shown += [Paragraph(f"{name}: {value}", "dim") for name, value in view.headers]
        shown.append(Paragraph(""))
    if not view.complete:
        return [*shown, Paragraph("Only the headers of this message are kept.", "dim")]
    shown += [Paragraph(line) for line in plain_lines(view.text[:MOST]).split("\n")]
    if len(view.text) > MOST:
        words = f"Shown are the first {MOST:,} characters; s saves the whole message."
        shown += [Paragraph(""), Paragraph(words, "warn")]
    return shown


def _summary(view: MailView, now: datetime) -> Iterable[Paragraph]:
    line = view.line
    yield Paragraph(*named(line.sender, "(no sender)"), label="From")
    yield Paragraph(view.recipients, label="To")
    yield Paragraph(*named(line.subject, "(no subject)"), label="Subject")
    received = short_clock(line.received, now)
    yield Paragraph(f"{received} by {line.account}", label="Received")
    for label, value in (("Contact", line.contact), ("Booking", line.booking)):
        if value:
            yield Paragraph(value, label=label)
    reason = line.reason.replace("-", " ")
    queue = f", in the queue {line.queue}" if line.queue else ""
    automatic = ", automatic" if line.automatic else ""
    tone = TONES.get(line.outcome, "")
    yield Paragraph(f"{line.outcome}: {reason}{automatic}{queue}", tone, "Outcome")
    yield Paragraph(view.why, "warn" if line.unverified else "", "Why")
    if view.answers is not None:
        yield Paragraph(_answered(view.answers, now), label="Answers")
    if view.attachments:
        files = (f"{one.name} ({size_words(one.size)})" for one in view.attachments)
        yield Paragraph(", ".join(files), label="Attached")


def _answered(sent: AnsweredMail, now: datetime) -> str:
    when = f"sent {short_clock(sent.sent, now)}" if sent.sent else "not sent yet"
    return f'"{sent.subject}", {when} to {sent.recipients}'


def named(text: str, absent: str) -> tuple[str, str]:
    """Return a text with its tone; where it is blank, dim words that say so."""
    return (text, "") if text.strip() else (absent, "dim")


def size_words(octets: int) -> str:
    """Return a size as people name it."""
    if octets < 1_000:
        return f"{octets} bytes"
    return f"{octets / 1_000:,.0f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:,.1f} MB"
