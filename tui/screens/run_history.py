"""The imports of one account, newest first, with counts that add up."""

import uuid
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.widget import Widget

from models.work import RunState
from services.paging import Page as Rows
from services.schedules.service import RunLine
from tui.screens.import_run import sums
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.list_page import RowsPage
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph
from tui.widgets.record_list import Column, RecordList
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from services.bootstrap import Services

_COUNTS = (
    ("Mailbox", "server_count"),
    ("Before", "before_start"),
    ("Known", "known"),
    ("New", "imported"),
    ("Skip", "skipped"),
    ("Err", "errors"),
    ("Gone", "gone"),
)
"""What the mailbox held, and the parts that it is the sum of."""
TONES = {RunState.FAILED: "bad", RunState.CANCELLED: "warn"}


class RunHistory(RowsPage):
    """What every import of an account did."""

    HELP = """Every import, whoever started it. What was in the mailbox is the sum of what follows:
    before Import From, known, new (imported), skipped, errors, gone."""
    NOUN: ClassVar[tuple[str, str]] = ("import", "imports")
    EMPTY: ClassVar[str] = "The account was not imported yet."

    def __init__(self, path: tuple[str, ...], account_id: uuid.UUID) -> None:
        """Take the account."""
        super().__init__(path)
        self.account_id = account_id

    def columns(self) -> Sequence[Column]:
        """Return when, by what, how it ended, and the counts."""
        return [
            Column("Started", 12, lambda row: self._clock(row)),
            Column("By", 8, lambda row: row.trigger),
            Column("Result", 0, _result),
            *(Column(title, max(len(title), 5), _number(name), right=True)
              for title, name in _COUNTS),
        ]  # fmt: skip

    def _clock(self, row: RunLine) -> str:
        return short_clock(row.started_at, self.console.services.now())

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of the account's imports whose result contains the text."""
        page = services.schedules.history(self.account_id, after, limit)
        wanted = text.casefold()
        rows = [row for row in page.rows if wanted in _words(row).casefold()]
        return Rows(rows, page.next)

    def key(self, row: RunLine) -> Hashable:
        """Tell imports apart by their number."""
        return row.id

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say why one failed, or who started it."""
        self.describe(self.focused)

    def describe(self, widget: Widget | None) -> None:
        """Say it of the import under the cursor, whatever has the focus."""
        row = self.list.current
        self.query_one(MessageLine).show(Notice("help", _words(row) if row else ""))

    def open_row(self, row: RunLine) -> None:
        """Show all that is known of an import."""
        self.console.push_screen(RunPage((*self.path, f"Import {row.id}"), row))


class RunPage(Page[None]):
    """One import."""

    HELP = RunHistory.HELP

    def __init__(self, path: tuple[str, ...], run: RunLine) -> None:
        """Take the import."""
        super().__init__(path)
        self.run = run

    def body(self) -> Iterable[Widget]:
        """Return the page to read."""
        yield Paper()

    def on_mount(self) -> None:
        """Show all of it."""
        run, paper = self.run, self.query_one(Paper)
        ended = f"{run.finished_at.astimezone():%Y-%m-%d %H:%M:%S}" if run.finished_at else ""
        paper.show(
            [
                Paragraph(f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}", label="Started"),
                Paragraph(ended, label="Ended"),
                Paragraph(f"{run.trigger}, {run.started_by}", label="By"),
                Paragraph(run.state.value, TONES.get(run.state, ""), "Result"),
                Paragraph(run.message, label="Why"),
                Paragraph(sums(run.counts), label="Counts"),
            ]
        )
        paper.focus()


def _number(name: str) -> Callable[[RunLine], str]:
    return lambda row: f"{getattr(row.counts, name):,}"


def _result(row: RunLine) -> tuple[str, str]:
    return row.state.value, TONES.get(row.state, "")


def _words(row: RunLine) -> str:
    return f"{row.state.value}, {row.trigger} of {row.started_by}. {row.message}".strip()
