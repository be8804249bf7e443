"""The outbox: what was queued, sent, may have been sent, and failed."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.outbox import OutboxState
from services.paging import Page as Rows
from services.sending.views import OutboxMessage
from services.text import count, counted_words, figure
from tui.screens.mail_columns import named
from tui.screens.new_message import NewMessage
from tui.screens.outbox_message import OutboxMessagePage, act, offered, state_tone
from tui.screens.send_due import SendDue
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.filter_line import FilterLine, chosen
from tui.widgets.list_page import RowsPage
from tui.widgets.pick import Pick
from tui.widgets.record_list import Column, RecordList
from tui.widgets.times import at, short_clock

if TYPE_CHECKING:
    from services.bootstrap import Services

WIDE = 120
"""Cells from which a list has room for more columns."""

STATES = [("", "all"), *((state.value, state.value) for state in OutboxState)]


class Outbox(RowsPage):
    """Outgoing mail, newest first."""

    HELP = """Everything that is sent waits here first. Temporary failures are tried again for five
    days; an uncertain message may or may not have gone out, and waits for you: Resend it, or Mark
    Sent where the recipients have it. Space marks messages, and an action is then for all of them.
    A worker sends what is due; w sends it now."""
    NOUN: ClassVar[tuple[str, str]] = ("message", "messages")
    EMPTY: ClassVar[str] = "Nothing has been sent yet: press n to write a message."
    MARKS: ClassVar[bool] = True
    ENDS: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,insert", "new", "New"),
        Binding("o", "state", "Show"),
        Binding("r", "act('resend')", "Resend"),
        Binding("m", "act('mark_sent')", "Mark Sent"),
        Binding("c", "act('cancel')", "Cancel"),
        Binding("w", "send", "Send"),
    ]

    def __init__(self, path: tuple[str, ...], argument: str = "") -> None:
        """Begin with the state that the argument names, "" for every one."""
        super().__init__(path, argument)
        self.chosen_state = argument

    def body(self) -> Iterable[Widget]:
        """Put the filters above the list."""
        yield FilterLine()
        yield from super().body()

    def columns(self) -> Sequence[Column]:
        """Return what fits the width."""
        narrow = [
            Column("To", 22, lambda row: row.to),
            Column("Subject", 0, lambda row: named(row.subject, "(no subject)")),
            Column("State", 17, self._state),
        ]
        if self.size.width < WIDE:
            return narrow
        return [
            Column("Queued", 12, lambda row: short_clock(row.created_at, self._now())),
            *narrow,
            Column("Attempts", 8, lambda row: str(row.attempts), right=True),
            Column("Last words of the server", 50, lambda row: row.last_error),
        ]

    def _now(self) -> Any:
        return self.console.services.now()

    def _state(self, row: OutboxMessage) -> tuple[str, str]:
        """Return a state with what belongs to it: when it was sent, or which try comes when."""
        words, now, coming = row.state.value, self._now(), row.next_attempt_at
        if row.state == OutboxState.SENT and row.sent_at:
            words = f"sent {short_clock(row.sent_at, now)}"
        elif row.state == OutboxState.QUEUED and coming and (row.attempts or coming > now):
            words = f"try {row.attempts + 1} {at(coming, now)}"
        elif row.state in (OutboxState.UNCERTAIN, OutboxState.FAILED):
            words = f"{words}, {count(row.attempts, 'try', 'tries')}"
        return words, state_tone(row.state)

    def on_resize(self) -> None:
        """Give the list the columns that fit."""
        self.list.columns = list(self.columns())
        self.list.records.refresh()

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of the messages that the filters let through."""
        state = OutboxState(self.chosen_state) if self.chosen_state else None
        return services.outbox.list(text, state, after, limit)

    def key(self, row: OutboxMessage) -> Hashable:
        """Tell messages apart by their number."""
        return row.id

    # ------------------------------------------------------------------ what is said of them

    def on_mount(self) -> None:
        """Show the filters."""
        self._show_filters()

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Look how all of them stand, and whether anybody sends them."""
        self.start(self._look(), group="look")

    async def _look(self) -> None:
        services = await self.services()
        counts, alive, dropped = await self.ask(
            lambda: (
                services.outbox.counts(),
                services.outbox.workers_alive(),
                services.pickup.waiting(),
            )
        )
        waits = (counts[OutboxState.QUEUED] or dropped) and not alive
        self.query_one(FilterLine).warning = "no worker runs: w sends what is due" if waits else ""
        pressing = (OutboxState.QUEUED, OutboxState.UNCERTAIN, OutboxState.FAILED)
        parts = [f"{figure(counts[state])} {state}" for state in pressing if counts[state]]
        parts += [f"{dropped:,} handed over"] if dropped else []
        self._standing = ", ".join([counted_words(sum(counts.values()), *self.NOUN), *parts])
        self._tell()

    def _tell(self) -> None:
        marked = f"{len(self.list.marked):,} marked of " if self.list.marked else ""
        self.state = f"{marked}{self._standing}"

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say what the server said last of the message under the cursor."""
        if not self.query_one(MessageLine).flashing:
            self.describe(None)
        self.refresh_bindings()

    def on_record_list_marked(self, event: RecordList.Marked) -> None:
        """Say how many are marked."""
        self._tell()
        self.refresh_bindings()

    def describe(self, widget: Widget | None) -> None:
        """Say the server's last words, whatever has the focus."""
        row = self.list.current
        self.query_one(MessageLine).show(Notice("help", row.last_error if row else ""))

    # ------------------------------------------------------------------ filters

    def _show_filters(self) -> None:
        self.query_one(FilterLine).filters = (("State", chosen(STATES, self.chosen_state)),)

    def action_state(self) -> None:
        """Choose the state to list."""
        self.start(self._pick_state(), group="pick")

    async def _pick_state(self) -> None:
        found = await self.dialog(Pick("State", STATES, self.chosen_state))
        if found is None or found == self.chosen_state:
            return
        self.chosen_state = found
        self.list.empty = f"No message is {found}. Press o to see others." if found else self.EMPTY
        self._show_filters()
        self.list.restart()

    # ------------------------------------------------------------------ actions

    def open_row(self, row: OutboxMessage) -> None:
        """Show a message with its recipients."""
        self.start(self._show(row))

    async def _show(self, row: OutboxMessage) -> None:
        page = OutboxMessagePage((*self.path, f"Message {row.id}"), row.id)
        await self.console.push_screen(page, wait_for_dismiss=True)
        self.list.reload()

    def action_new(self) -> None:
        """Write a message."""
        self.start(self._new())

    async def _new(self) -> None:
        saved = await self.console.push_screen(
            NewMessage((*self.path, "New Message")), wait_for_dismiss=True
        )
        if saved is not None:
            self.list.go_to_start()
            self.say("done", saved)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the message under the cursor allows."""
        if action == "act" and self.is_mounted:
            row = self.list.current
            return bool(self.list.marked) or (row is not None and parameters[0] in offered(row))
        return super().check_action(action, parameters)

    def action_act(self, name: str) -> None:
        """Resend, mark sent or cancel what is marked, else what is under the cursor."""
        chosen = sorted(key for key in self.list.targets if isinstance(key, int))
        if chosen:
            self.start(self._act(chosen, name), group="act")

    async def _act(self, chosen: Sequence[int], name: str) -> None:
        services = await self.services()
        rows = await self.ask(lambda: [services.outbox.get(one) for one in chosen])
        if await act(self, rows, name):
            self.list.marked.clear()
        self.list.reload()  # where it was refused, the states are others than those shown

    def action_send(self) -> None:
        """Send what is due now."""
        self.start(self._send(), group="send")

    async def _send(self) -> None:
        await self.dialog(SendDue())
        self.list.reload()
