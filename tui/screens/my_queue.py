"""My Queue: what the user who has logged in is to look after, and what lies in the queues."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from services.paging import Page as Rows
from services.queues.service import QueueCounts
from services.queues.views import QueueMessage
from services.results import Result
from services.text import count
from tui.menu import place
from tui.screens.action_run import run_action
from tui.screens.mail_columns import named
from tui.screens.mail_preview import MailPage
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.filter_line import FilterLine
from tui.widgets.list_page import RowsPage
from tui.widgets.pick import Pick
from tui.widgets.record_list import Column, RecordList
from tui.widgets.times import age

if TYPE_CHECKING:
    from services.bootstrap import Services

WIDE = 120
"""Cells from which what happened has a column."""
MINE, EVERY = "", "\n"
"""Two values of the filter; all others are queues, none of which has a line break in its name."""

_TASKS = ("Home", "System", "Scheduled Tasks")
_ACCOUNTS = ("Home", "System", "Code Setup", "System", "Email Account")


class MyQueue(RowsPage):
    """Queue messages, newest first."""

    HELP = """Mail that could not be imported, and what the system itself reports, for the members
    of its queue (Queue Destination). Enter shows the mail, with all that can be done about it: once
    it is imported, assigned or dismissed, its message is gone here. x says that one is looked
    after. a gives one to a user, member or not: the queue's Owner may, and every member where it
    has none. Space marks messages, and x and a are then for all of them. o shows other queues. A
    user is known by the login name, whatever its domain."""
    NOUN: ClassVar[tuple[str, str]] = ("message", "messages")
    EMPTY: ClassVar[str] = "Nothing waits for you."
    MARKS: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "settle", "Done"),
        Binding("a", "reassign", "Assign to"),
        Binding("o", "queue", "Show"),
    ]

    def __init__(self, path: tuple[str, ...], argument: str = "") -> None:
        """Begin with what is the user's own."""
        super().__init__(path, argument)
        self.queue = argument or MINE
        self.counts = QueueCounts()

    def body(self) -> Iterable[Widget]:
        """Put the filter above the list."""
        yield FilterLine()
        yield from super().body()

    def columns(self) -> Sequence[Column]:
        """Return what fits the width."""
        found = [
            Column("Age", 6, self._age),
            Column("Queue", 12, lambda row: row.queue),
            Column("What", 15, _what),
            Column("From", 16, lambda row: row.sender),
            Column("Subject", 0, _subject),
            Column("Assigned", 8, lambda row: named(row.assigned, "all")),
        ]
        if self.size.width >= WIDE:
            found.insert(5, Column("Why", 50, lambda row: row.text if row.mail_id else ""))
        return found

    def _age(self, row: QueueMessage) -> str:
        return age(row.created_at, self.console.services.now())

    def on_resize(self) -> None:
        """Show what there is room for."""
        self.list.columns = list(self.columns())
        self.list.records.refresh()

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of the chosen queue's messages."""
        if self.queue == MINE:
            return services.queue_messages.mine(text, after, limit)
        return services.queue_messages.list(self.queue.strip(), text, after, limit)

    def key(self, row: QueueMessage) -> Hashable:
        """Tell messages apart by their number."""
        return row.id

    # ------------------------------------------------------------------ what is said of them

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Look how many there are, and for whom."""
        event.prevent_default()
        self.start(self._look(), group="look")
        self.refresh_bindings()

    async def _look(self) -> None:
        services = await self.services()
        self.counts = found = await self.ask(services.queue_messages.counts)
        whose = f"{found.mine:,} for {found.user}, " if found.user else ""
        self.state = f"{whose}{count(sum(found.queues.values()), *self.NOUN)} in all queues"
        login = services.actor.login
        nobody = f"No user has your login name {login}: insert one in Security Setup, Users."
        self.list.empty = self.EMPTY if found.user or self.queue != MINE else nobody
        self._show_filter()
        self.list.records.refresh()

    def _show_filter(self) -> None:
        shown = {MINE: f"mine ({self.counts.user or 'nobody'})", EVERY: "all queues"}
        self.query_one(FilterLine).filters = (("Show", shown.get(self.queue, self.queue)),)

    def on_record_list_marked(self, event: RecordList.Marked) -> None:
        """Say how many are marked."""
        self.describe(None)

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say what happened, in full."""
        if not self.query_one(MessageLine).flashing:
            self.describe(None)
        self.refresh_bindings()

    def describe(self, widget: Widget | None) -> None:
        """Say what happened, or how many are marked, whatever has the focus."""
        row, marked = self.list.current, len(self.list.marked)
        words = f"{count(marked, *self.NOUN)} marked: x and a act on all of them."
        notice = Notice("help", words) if marked else Notice("busy", row.text if row else "")
        self.query_one(MessageLine).show(notice)

    # ------------------------------------------------------------------ ways

    def open_row(self, row: QueueMessage) -> None:
        """Show the mail, or the screen where what is reported can be mended."""
        self.start(self._open(row), opens=True)

    async def _open(self, row: QueueMessage) -> None:
        if row.mail_id is not None:
            page = MailPage((*self.path, f"Message {row.mail_id}"), row.mail_id)
            await self.console.push_screen(page, wait_for_dismiss=True)
            self.list.reload()
        elif row.kind == "uncertain":
            await self._outbox(int(row.object))
        else:
            self.console.open(place(_ACCOUNTS if row.kind == "secret" else _TASKS))

    async def _outbox(self, which: int) -> None:
        from tui.screens.outbox_message import OutboxMessagePage

        page = OutboxMessagePage((*self.path, f"Message {which}"), which)
        await self.console.push_screen(page, wait_for_dismiss=True)
        self.list.reload()

    def action_queue(self) -> None:
        """Choose whose messages to show."""
        self.start(self._pick_queue(), group="pick", opens=True)

    async def _pick_queue(self) -> None:
        services = await self.services()
        names = [record.key for record in await self.ask(lambda: services.codes.list("queue"))]
        options = [(MINE, "mine"), (EVERY, "all queues")]
        options += [(name, f"{name} ({self.counts.queues.get(name, 0):,})") for name in names]
        found = await self.dialog(Pick("Show", options, self.queue))
        if found is not None and found != self.queue:
            self.queue = found
            self._show_filter()
            self.list.restart()

    # ------------------------------------------------------------------ actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is, and to give away only what one may."""
        if action in ("settle", "reassign") and self.is_mounted:
            row = self.list.current
            return row is not None and (action == "settle" or row.may_reassign)
        return super().check_action(action, parameters)

    @property
    def targets(self) -> Sequence[int]:
        """The marked messages, else the one under the cursor."""
        return [key for key in self.list.targets if isinstance(key, int)]

    def action_settle(self) -> None:
        """Say that they are looked after."""
        ids = self.targets
        job = self._do("Done", lambda services: services.queue_messages.done(ids))
        self.start(job, group="act", opens=True)

    def action_reassign(self) -> None:
        """Give them to a user."""
        self.start(self._reassign(self.targets), group="act", opens=True)

    async def _reassign(self, ids: Sequence[int]) -> None:
        services = await self.services()
        users = await self.ask(lambda: services.codes.choices("user"))
        options = [("", "every member"), *((user.value, user.label) for user in users)]
        row = self.list.current
        to = await self.dialog(Pick("Assign to", options, row.assigned if row else ""))
        if to is not None:
            await self._do("Assign", lambda s: s.queue_messages.reassign(ids, to or None))

    async def _do(self, title: str, work: "Callable[[Services], Sequence[Result]]") -> None:
        results = await run_action(self, title, lambda services, _around, _tell: work(services))
        self.list.marked -= {result.id for result in results or () if result.done}
        self.list.reload()


def _what(row: QueueMessage) -> tuple[str, str]:
    return row.kind.replace("-", " "), "bad" if row.mail_id else "warn"


def _subject(row: QueueMessage) -> tuple[str, str]:
    return named(row.subject, "(no subject)") if row.mail_id else (row.text, "")
