"""Open errors by their cause: how many there are of each, and what to do about it."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from services.mail.causes import CauseLine, advice
from services.paging import Page as Rows
from services.protocols.base import Surroundings
from services.results import Result
from services.text import count
from tui.screens.action_run import Tell, run_action
from tui.screens.email_management import EmailManagement
from tui.screens.mail_columns import reason_words
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.list_page import RowsPage
from tui.widgets.record_list import Column, RecordList, whole
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from textual.widget import Widget

    from services.bootstrap import Services


Act = Callable[["Services", Sequence[int], Surroundings, Tell], Sequence[Result]]


class MailCauses(RowsPage):
    """The causes of open errors, the most frequent first."""

    HELP = """Each line is one cause: what has it in common goes away together, such as every reply
    of one sender who is no contact yet. Enter lists its messages. r judges all of them again once
    the cause is gone; x dismisses all of them."""
    NOUN: ClassVar[tuple[str, str]] = ("cause", "causes")
    EMPTY: ClassVar[str] = "No open errors: nothing waits for you. Esc goes back."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry"),
        Binding("x", "settle", "Dismiss"),
    ]

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return [
            Column("Errors", 7, lambda line: f"{line.count:,}", right=True),
            Column("Newest", 12, lambda line: short_clock(line.newest, self._now())),
            Column("Cause", 20, lambda line: (reason_words(line.cause.reason), "bad")),
            Column("Sender", 0, lambda line: line.cause.sender),
        ]

    def _now(self) -> Any:
        return self.console.services.now()

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return all causes whose words or sender contain the text."""
        wanted = text.casefold()
        return whole([line for line in services.mail.causes() if wanted in _words(line)])

    def key(self, row: CauseLine) -> Hashable:
        """Tell causes apart by what they are."""
        return row.cause

    def open_row(self, row: CauseLine) -> None:
        """List the messages that have the cause."""
        self.start(self._show(row), opens=True)

    async def _show(self, row: CauseLine) -> None:
        page = EmailManagement((*self.path, _title(row)), cause=row.cause)
        await self.console.push_screen(page, wait_for_dismiss=True)
        self.list.reload()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to do something only where there is a cause."""
        if action in ("retry", "settle") and self.is_mounted:
            return self.list.current is not None
        return super().check_action(action, parameters)

    def action_retry(self) -> None:
        """Judge all mail with the cause again."""
        self._start("Retry", _retry)

    def action_settle(self) -> None:
        """Say that nothing is left to do about all mail with the cause."""
        self._start("Dismiss", _dismiss)

    def _start(self, title: str, act: Act) -> None:
        row: CauseLine | None = self.list.current
        if row is not None:
            self.start(self._do(title, row, act), group="act", opens=True)

    async def _do(self, title: str, row: CauseLine, act: Act) -> None:
        def work(services: "Services", around: Surroundings, tell: Tell) -> Sequence[Result]:
            return act(services, services.management.of_cause(row.cause), around, tell)

        await run_action(self, title, work)
        self.list.reload()

    # ------------------------------------------------------------------ what is said of them

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Count errors beside causes."""
        event.prevent_default()
        errors = sum(line.count for line in self.list.window.held())
        self.state = f"{count(errors, 'error')}, {count(event.count, *self.NOUN)}"
        self.refresh_bindings()

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say what to do about the cause under the cursor."""
        if not self.query_one(MessageLine).flashing:
            self.describe(None)

    def describe(self, widget: "Widget | None") -> None:
        """Say what to do, whatever has the focus."""
        row: CauseLine | None = self.list.current
        words = advice(row.cause.reason, row.cause.sender) if row else ""
        self.query_one(MessageLine).show(Notice("help", words))


def _retry(
    services: "Services", ids: Sequence[int], around: Surroundings, tell: Tell
) -> Sequence[Result]:
    return services.management.retry(ids, around, tell=tell)


def _dismiss(
    services: "Services", ids: Sequence[int], _around: Surroundings, _tell: Tell
) -> Sequence[Result]:
    return services.management.dismiss(ids)


def _title(line: CauseLine) -> str:
    return f"{reason_words(line.cause.reason)} {line.cause.sender}".strip()


def _words(line: CauseLine) -> str:
    return _title(line).casefold()
