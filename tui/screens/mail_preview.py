"""One message that came in: who wrote it, why it was imported or not, and what it says.

All of it is foreign text; `Paper` neutralises each line.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from services.mail.views import AnsweredMail, MailLine, MailView
from services.results import Result
from services.text import plain_lines, size_words
from tui.screens.mail_actions import ACTIONS_HELP, MailActions
from tui.screens.mail_columns import named, reason_words, tone
from tui.screens.mail_save import save_parts
from tui.screens.outbox_message import OutboxMessagePage
from tui.widgets.paper import MOST, Paper, Paragraph
from tui.widgets.times import short_clock


class MailPage(MailActions):
    """A message on the whole screen."""

    HELP = f"""Why says which rule decided, and by which header or contact. h shows every header as
    it came, v the message of ours that it answers. s saves the message, exactly as the server gave
    it, or an attachment to a file. {ACTIONS_HELP}"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "save", "Save"),
        Binding("v", "answered", "View sent"),
        Binding("h", "headers", "Headers"),
    ]

    def __init__(self, path: tuple[str, ...], mail_id: int) -> None:
        """Take the message's number."""
        super().__init__(path)
        self.mail_id = mail_id
        self.view: MailView | None = None
        self.all_headers = False
        self.changed = False
        """Whether something was done with it here."""

    @property
    def targets(self) -> Sequence[int]:
        """The message, for actions."""
        return [self.mail_id]

    def line(self) -> MailLine | None:
        """Return the message, once it has come."""
        return self.view.line if self.view else None

    def acted(self, results: Sequence[Result]) -> None:
        """Show it as it is now."""
        self.changed = True
        self.start(self._load(), group="show")

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
        self.refresh_bindings()
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to view only what there is."""
        if action == "answered":
            return self.view is not None and self.view.answers is not None
        return super().check_action(action, parameters)

    def action_answered(self) -> None:
        """Show the message of ours that it answers."""
        answers = self.view.answers if self.view else None
        if answers is not None:
            path = (*self.path, f"Answers {answers.id}")
            self.console.push_screen(OutboxMessagePage(path, answers.id))

    def action_save(self) -> None:
        """Save the raw message or an attachment to a file."""
        if self.view is not None:
            self.start(save_parts(self, self.mail_id, self.view.attachments), group="save")


def described(view: MailView, now: datetime, *, headers: bool = False) -> Sequence[Paragraph]:
    """Return a message as it is read, top to bottom; on a thread, since bodies can be long."""
    shown = [*_people(view), *_circumstances(view, now), *_reasons(view, now), Paragraph("")]
    if headers or not view.complete:
        shown += _headers(view)
    return [*shown, *_body(view)]


def previewed(view: MailView, now: datetime) -> Sequence[Paragraph]:
    """Return the same in short, as it stands below the list that says the rest."""
    headers = [] if view.complete else _headers(view)
    return [*_people(view), *_reasons(view, now), Paragraph(""), *headers, *_body(view)]


def _people(view: MailView) -> Iterable[Paragraph]:
    line = view.line
    yield Paragraph(*named(line.sender, "(no sender)"), label="From")
    yield Paragraph(*named(view.recipients, "(no recipients)"), label="To")
    yield Paragraph(*named(line.subject, "(no subject)"), label="Subject")
    if line.contact:
        yield Paragraph(line.contact, label="Contact")


def _circumstances(view: MailView, now: datetime) -> Iterable[Paragraph]:
    line = view.line
    yield Paragraph(f"{short_clock(line.received, now)} by {line.account}", label="Received")
    if line.booking:
        yield Paragraph(line.booking, label="Booking")
    queue = f", in the queue {line.queue}" if line.queue else ""
    automatic = ", automatic" if line.automatic else ""
    over = ", dismissed" if line.dismissed else ""
    words = f"{line.outcome}: {reason_words(line.reason)}{automatic}{queue}{over}"
    yield Paragraph(words, tone(line), "Outcome")


def _reasons(view: MailView, now: datetime) -> Iterable[Paragraph]:
    if view.answers is not None:
        yield Paragraph(_answered(view.answers, now), label="Answers")
    yield Paragraph(view.why, "warn" if view.line.unverified else "", "Why")
    if view.advice:
        yield Paragraph(view.advice, label="To do")
    for done in view.actions:
        words = f"{short_clock(done.at, now)} by {done.who}: {done.action} {done.detail}".rstrip()
        yield Paragraph(words, label="Done")
    if view.attachments:
        files = (f"{one.name} ({size_words(one.size)})" for one in view.attachments)
        yield Paragraph(", ".join(files), label="Attached")


def _headers(view: MailView) -> list[Paragraph]:
    found = [Paragraph(f"{name}: {value}", "dim") for name, value in view.headers]
    return [*found, Paragraph("")]


def _body(view: MailView) -> list[Paragraph]:
    if not view.complete:
        return [Paragraph("Only the headers of this message are kept.", "dim")]
    shown = [Paragraph(line) for line in plain_lines(view.text[:MOST]).split("\n")]
    if len(view.text) > MOST:
        words = f"Shown are the first {MOST:,} characters; s saves the whole message."
        shown += [Paragraph(""), Paragraph(words, "warn")]
    return shown


def _answered(sent: AnsweredMail, now: datetime) -> str:
    when = f"sent {short_clock(sent.sent, now)}" if sent.sent else "not sent yet"
    return f'"{sent.subject}", {when} to {sent.recipients}'
