"""Open errors by their cause: how many there are of each, and what to do about it."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from services.causes import CauseLine, advice
from services.paging import Page as Rows
from services.text import count
from tui.screens.email_management import EmailManagement
from tui.screens.mail_columns import reason_words
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.list_page import RowsPage
from tui.widgets.record_list import Column, RecordList, whole
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from textual.widget import Widget

    from services.bootstrap import Services


class MailCauses(RowsPage):
    """The causes of open errors, the most frequent first."""

    HELP = """Each line is one cause: what has it in common goes away together, such as every reply
    of one sender who is no contact yet. Enter lists its messages."""
    NOUN: ClassVar[tuple[str, str]] = ("cause", "causes")
    EMPTY: ClassVar[str] = "No open errors: nothing waits for you. Esc goes back."

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


def _title(line: CauseLine) -> str:
    return f"{reason_words(line.cause.reason)} {line.cause.sender}".strip()


def _words(line: CauseLine) -> str:
    return _title(line).casefold()
