"""Who changed a record, when, and what: newest first."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.history import Act
from services.changes.differences import FieldChange
from services.changes.history import Change
from services.paging import Page as Rows
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.list_page import RowsPage
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph
from tui.widgets.record_list import Column, RecordList
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from services.bootstrap import Services

DID = {Act.INSERT: "inserted", Act.CHANGE: "changed", Act.DELETE: "deleted"}


class HistoryPage(RowsPage):
    """The changes of one record, or of all of its kind."""

    HELP = """Every change, newest first: who made it, and what a field was and became. Of
    passwords and client secrets it is only told that they changed. a shows the changes of all
    records of this kind, deleted ones too. Enter shows one change whole."""
    NOUN: ClassVar[tuple[str, str]] = ("change", "changes")
    EMPTY: ClassVar[str] = "No change is known."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "all", "All")]

    def __init__(self, path: tuple[str, ...], kind: str, name: str = "") -> None:
        """Take the kind of records, and which one; "" for all of them."""
        super().__init__(path, kind)
        self.name_of_one = self.shown_name = name

    def columns(self) -> Sequence[Column]:
        """Return when, who, which record and what."""
        names = [] if self.shown_name else [Column("Record", 15, lambda row: row.name)]
        return [
            Column("When", 12, lambda row: short_clock(row.at, self.console.services.now())),
            Column("Who", 12, lambda row: row.who),
            *names,
            Column("Old -> new", 0, _told),
        ]

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of the changes that contain the text."""
        return services.history.list(self.argument, self.shown_name, text, after, limit)

    def key(self, row: Change) -> Hashable:
        """Tell changes apart by their number."""
        return row.id

    def action_all(self) -> None:
        """Show the changes of all records of the kind, or of the one again."""
        self.shown_name = "" if self.shown_name else self.name_of_one
        self.list.columns = list(self.columns())
        self.list.restart()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer all of them only where one was chosen."""
        if action == "all":
            return bool(self.name_of_one)
        return super().check_action(action, parameters)

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say in full what the change under the cursor was."""
        self.describe(self.focused)

    def describe(self, widget: Widget | None) -> None:
        """Say it, whatever has the focus."""
        row = self.list.current
        words = f"{row.who} {DID[row.act]} {row.name}: {row.summary}" if row else ""
        self.query_one(MessageLine).show(Notice("help", words))

    def open_row(self, row: Change) -> None:
        """Show one change whole."""
        self.console.push_screen(ChangePage((*self.path, f"Change {row.id}"), row))


class ChangePage(Page[None]):
    """One change, field by field."""

    HELP = HistoryPage.HELP

    def __init__(self, path: tuple[str, ...], change: Change) -> None:
        """Take the change."""
        super().__init__(path)
        self.change = change

    def body(self) -> Iterable[Widget]:
        """Return the page to read."""
        yield Paper()

    def on_mount(self) -> None:
        """Show all of it."""
        change, paper = self.change, self.query_one(Paper)
        paper.show(
            [
                Paragraph(f"{change.at.astimezone():%Y-%m-%d %H:%M:%S}", label="When"),
                Paragraph(change.who, label="Who"),
                Paragraph(f"{DID[change.act]} {change.name}", label="What"),
                Paragraph(""),
                *(line for field in change.fields for line in _whole(field)),
            ]
        )
        paper.focus()


def _whole(field: FieldChange) -> Iterator[Paragraph]:
    """Yield a field's lines: old above new where it has both."""
    if field.old and field.new:
        yield Paragraph(field.title)
        yield Paragraph(field.old, label="  old")
        yield Paragraph(field.new, label="  new")
    else:
        yield Paragraph(f"{field.title}: {field.change}")


def _told(row: Change) -> tuple[str, str]:
    if row.act is Act.CHANGE:
        return row.summary, ""
    return f"{DID[row.act]}: {row.summary}", "bad" if row.act is Act.DELETE else "good"
