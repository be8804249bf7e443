"""One outgoing message: how it stands, and what the server said of each recipient."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.outbox import OutboxState, RecipientState
from services.errors import ServiceError
from services.results import reasons
from services.sending.views import OutboxMessage, RecipientView
from services.text import count, plain_lines, size_words
from tui.screens.mail_columns import named
from tui.widgets.dialogs import Question
from tui.widgets.page import Page
from tui.widgets.paper import MOST, Paper, Paragraph
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from services.importing.parse import Preview


Refused = tuple[OutboxMessage, str]
"""A message with which nothing was done, and why."""


@dataclass(frozen=True)
class Action:
    """What a person may do with a message; its name is the service's."""

    title: str
    yes: str
    """What the button says that does it."""
    question: Callable[[Sequence[OutboxMessage]], str]
    states: frozenset[OutboxState]


ACTIONS = {
    "resend": Action(
        "Resend",
        "Resend",
        lambda rows: (
            f"{_doubt(rows)}Queue {_it(rows)} again for {_who(rows)} who did not certainly get it?"
        ),
        frozenset(OutboxState) - {OutboxState.SENT, OutboxState.SENDING},
    ),
    "mark_sent": Action(
        "Mark Sent",
        "Mark Sent",
        lambda rows: f"Mark {_it(rows)} sent? Do so only where {_who(rows)} were found to have it.",
        frozenset({OutboxState.UNCERTAIN}),
    ),
    "cancel": Action(
        "Cancel",
        "Give up sending",
        lambda rows: f"Give up what is not sent yet{_of(rows)}? Recipients who have it keep it.",
        frozenset({OutboxState.QUEUED, OutboxState.UNCERTAIN, OutboxState.FAILED}),
    ),
}


def _doubt(rows: Sequence[OutboxMessage]) -> str:
    may = sum(row.state == OutboxState.UNCERTAIN for row in rows)
    if not may:
        return ""
    which = "It" if len(rows) == 1 else f"{may} of them"
    return f"{which} may have been sent already, and would then come twice. "


def _it(rows: Sequence[OutboxMessage]) -> str:
    return "it" if len(rows) == 1 else count(len(rows), "message")


def _of(rows: Sequence[OutboxMessage]) -> str:
    return "" if len(rows) == 1 else f" of {_it(rows)}"


def _who(rows: Sequence[OutboxMessage]) -> str:
    left = [one for row in rows for one in row.recipients if one.state != RecipientState.SENT]
    return count(len(left), "recipient")


def offered(row: OutboxMessage) -> list[str]:
    """Return the names of the actions that a message's state allows."""
    return [name for name, action in ACTIONS.items() if row.state in action.states]


def state_tone(state: OutboxState | RecipientState) -> str:
    """Return the tone that a state is drawn in."""
    if state in ("failed", "bounced"):
        return "bad"
    return "warn" if state == "uncertain" else ""


class OutboxMessagePage(Page[None]):
    """Everything that is known of one outgoing message."""

    HELP = """State is kept for every recipient by itself: a retry goes only to those who are still
    due. Uncertain means that the connection broke after the message was handed over."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "act('resend')", "Resend"),
        Binding("m", "act('mark_sent')", "Mark Sent"),
        Binding("c", "act('cancel')", "Cancel"),
    ]

    def __init__(self, path: tuple[str, ...], which: int) -> None:
        """Take the message's number."""
        super().__init__(path)
        self.which = which
        self.message: OutboxMessage | None = None

    def body(self) -> Iterable[Widget]:
        """Return the page to read."""
        yield Paper()

    def on_mount(self) -> None:
        """Fetch the message."""
        self.query_one(Paper).focus()
        self.start(self._load())

    async def _load(self) -> None:
        services = await self.services()
        found = await self.ask(lambda: services.outbox.get(self.which))
        self.message = found
        shown = list(_described(found, services.now()))
        self.query_one(Paper).show(shown)
        self.refresh_bindings()
        content = await self.ask(lambda: list(_content(services.outbox.preview(self.which))))
        self.query_one(Paper).add(content)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the message's state allows."""
        if action == "act":
            return self.message is not None and parameters[0] in offered(self.message)
        return super().check_action(action, parameters)

    def action_act(self, name: str) -> None:
        """Resend, mark sent or cancel, after a confirmation."""
        if self.message is not None:
            self.start(self._act(self.message, name), group="act")

    async def _act(self, message: OutboxMessage, name: str) -> None:
        if await act(self, [message], name):
            await self._load()


async def act(page: Page[None], rows: Sequence[OutboxMessage], name: str) -> bool:
    """Do one of `ACTIONS` with those whose state allows it, after a confirmation.

    Tells whether it was done with any. One that is refused stops no other.
    """
    services, action = await page.services(), ACTIONS[name]
    able = [row for row in rows if name in offered(row)]
    if not able:
        page.say("error", f"{action.title}: none of the marked messages is in a state for it.")
        return False
    left = len(rows) - len(able)
    more = f" {count(left, 'marked message')} cannot be, and stays as it is." if left else ""
    question = f"{action.question(able)}{more}"
    if not await page.dialog(Question(action.title, question, action.yes, "Leave it")):
        return False
    do: Callable[[int], OutboxMessage] = getattr(services.outbox, name)
    done, refused = await page.ask(lambda: _each(do, able))
    page.say("error" if refused else "done", _outcome(done, refused))
    return bool(done)


def _each(
    do: Callable[[int], OutboxMessage], rows: Sequence[OutboxMessage]
) -> tuple[list[OutboxMessage], list[Refused]]:
    done, refused = list[OutboxMessage](), list[Refused]()
    for row in rows:
        try:
            done.append(do(row.id))
        except ServiceError as error:
            refused.append((row, error.message))
    return done, refused


def _outcome(done: Sequence[OutboxMessage], refused: Sequence[Refused]) -> str:
    words = []
    if len(done) == 1:
        words.append(f"The message to {done[0].to} is now {done[0].state}.")
    elif done:
        states = Counter(row.state for row in done)
        parts = (f"{number:,} now {state}" for state, number in states.items())
        words.append(f"{count(len(done), 'message')}: {', '.join(parts)}.")
    if len(refused) == 1:
        words += [f"{row.to}: {why}" for row, why in refused]
    elif refused:
        words.append(f"{len(refused):,} refused: {reasons([why for _row, why in refused])}")
    return " ".join(words)


def _content(preview: "Preview") -> Iterable[Paragraph]:
    """Yield attachments and text as the recipient reads them; on a thread, since it is parsed."""
    yield Paragraph("")
    if preview.attachments:
        files = (f"{one.name} ({size_words(one.size)})" for one in preview.attachments)
        yield Paragraph(", ".join(files), label="Attached")
    yield Paragraph("Text", "head")
    text = preview.text[:MOST]
    for line in plain_lines(text).split("\n") if text.strip() else ["(none)"]:
        yield Paragraph(line)
    if len(preview.text) > MOST:
        yield Paragraph(f"Shown are the first {MOST:,} characters.", "warn")


def _described(message: OutboxMessage, now: datetime) -> Iterable[Paragraph]:
    yield Paragraph(message.state, state_tone(message.state), "State")
    yield Paragraph(message.header_from, label="From")
    yield Paragraph(*named(message.subject, "(no subject)"), label="Subject")
    if message.booking:
        yield Paragraph(message.booking, label="Booking")
    if message.contact:
        yield Paragraph(message.contact, label="Contact")
    yield Paragraph(message.account_name, label="Account")
    queued = short_clock(message.created_at, now)
    yield Paragraph(f"{queued} by {message.created_by}", label="Queued")
    yield Paragraph(_attempts(message, now), label="Attempts")
    if message.last_error:
        yield Paragraph(message.last_error, state_tone(message.state), "Said last")
    yield Paragraph(message.message_id, label="Message-ID")
    yield Paragraph("")
    yield Paragraph("Recipients", "head")
    for one in message.recipients:
        yield from _recipient(one)


def _attempts(message: OutboxMessage, now: datetime) -> str:
    words = [str(message.attempts)]
    if message.state == OutboxState.QUEUED and message.next_attempt_at:
        words.append(f"the next one {short_clock(message.next_attempt_at, now)}")
        words.append(f"given up {short_clock(message.give_up_at, now)}")
    if message.sent_at:
        words.append(f"sent {short_clock(message.sent_at, now)}")
    return ", ".join(words)


def _recipient(one: RecipientView) -> Iterable[Paragraph]:
    yield Paragraph(f"{one.address}: {one.state}", state_tone(one.state), one.kind.upper())
    if one.reply:
        yield Paragraph(one.reply, "dim", " ")
