"""One outgoing message: how it stands, and what the server said of each recipient."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.mail import OutboxState, RecipientState
from services.sending.views import OutboxMessage, RecipientView
from services.text import count
from tui.widgets.dialogs import Question
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph
from tui.widgets.times import short_clock


@dataclass(frozen=True)
class Action:
    """What a person may do with a message; its name is the service's."""

    title: str
    question: Callable[[OutboxMessage], str]
    states: frozenset[OutboxState]


ACTIONS = {
    "resend": Action(
        "Resend",
        lambda row: f"{_doubt(row)}Queue it again for {_who(row)} who did not certainly get it?",
        frozenset(OutboxState) - {OutboxState.SENT, OutboxState.SENDING},
    ),
    "mark_sent": Action(
        "Mark Sent",
        lambda row: f"Mark it sent? Do so only where {_who(row)} were found to have it.",
        frozenset({OutboxState.UNCERTAIN}),
    ),
    "cancel": Action(
        "Cancel",
        lambda row: "Give up what is not sent yet? Recipients who have it keep it.",
        frozenset({OutboxState.QUEUED, OutboxState.UNCERTAIN, OutboxState.FAILED}),
    ),
}


def _doubt(row: OutboxMessage) -> str:
    may = row.state == OutboxState.UNCERTAIN
    return "It may have been sent already, and would then come twice. " if may else ""


def _who(row: OutboxMessage) -> str:
    left = [one for one in row.recipients if one.state != RecipientState.SENT]
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
        self.query_one(Paper).show(list(_described(found, services.now())))
        self.refresh_bindings()

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
        if await act(self, message, name):
            await self._load()


async def act(page: Page[None], message: OutboxMessage, name: str) -> bool:
    """Do one of `ACTIONS` after a confirmation; tell whether it was done. Raises ServiceError."""
    services, action = await page.services(), ACTIONS[name]
    question = Question(action.title, action.question(message), action.title, "Leave it")
    if not await page.dialog(question):
        return False
    do: Callable[[int], OutboxMessage] = getattr(services.outbox, name)
    found = await page.ask(lambda: do(message.id))
    page.say("done", f"The message to {message.to} is now {found.state}.")
    return True


def _described(message: OutboxMessage, now: datetime) -> Iterable[Paragraph]:
    yield Paragraph(message.state, state_tone(message.state), "State")
    yield Paragraph(message.header_from, label="From")
    yield Paragraph(message.subject, label="Subject")
    if message.booking:
        yield Paragraph(message.booking, label="Booking")
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
