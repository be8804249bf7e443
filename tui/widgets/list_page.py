"""A page that is one list: open, insert, delete with a confirmation, reload after a form.

Subclass `RowsPage` for a list that is only looked at, and say `columns()`,
`fetch(services, text, after, limit)`, `key(row)` and `open_row(row)`; `NOUN` and `EMPTY` are its
words. Subclass `ListPage` where records are edited, and say `kind`, `form(row)` (None to insert),
`question(services, row)` and `delete(services, row)` instead of `open_row`. A form hands back the
key of what it saved and a sentence, or None.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from services.errors import ServiceError, Stale
from services.paging import Page as Rows
from services.text import count
from tui.widgets.dialogs import Question
from tui.widgets.page import Page
from tui.widgets.record_list import Column, RecordList

if TYPE_CHECKING:
    from services.bootstrap import Services
    from tui.widgets.form_page import FormPage

Saved = tuple[Hashable, str]
"""The key of what was saved, and the sentence that says so."""


class RowsPage(Page[None]):
    """A list that is looked at."""

    NOUN: ClassVar[tuple[str, str]] = ("record", "records")
    EMPTY: ClassVar[str] = "Nothing yet."
    MARKS: ClassVar[bool] = False
    """Whether Space marks rows, for actions on many of them."""
    ENDS: ClassVar[bool] = False
    """Whether `fetch` reads from the list's end too; see `services.paging`."""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r,ctrl+l", "reload", "Reload")]

    @property
    def noun(self) -> tuple[str, str]:
        """One record, and several."""
        return self.NOUN

    def columns(self) -> Sequence[Column]:
        """Return the list's columns."""
        raise NotImplementedError

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of rows; runs on a thread."""
        raise NotImplementedError

    def key(self, row: Any) -> Hashable:
        """Return what tells a row from the others."""
        raise NotImplementedError

    def open_row(self, row: Any) -> None:
        """Open a record."""
        raise NotImplementedError

    # ------------------------------------------------------------------ the list

    def body(self) -> Iterable[Widget]:
        """Return the list."""
        yield RecordList(
            self.columns(),
            self._fetch,
            self.key,
            empty=self.EMPTY,
            marks=self.MARKS,
            ends=self.ENDS,
            id="list",
        )

    def _fetch(self, text: str, after: str | None, limit: int) -> Rows[Any]:
        return self.fetch(self.console.services, text, after, limit)

    @property
    def list(self) -> RecordList:
        """The list."""
        return self.query_one("#list", RecordList)

    def on_mount(self) -> None:
        """Focus the rows and fetch them."""
        self.list.records.focus()
        self.list.reload()

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Say how many there are."""
        more = "" if event.complete else " and more"
        self.state = f"{count(event.count, *self.noun)}{more}"
        self.refresh_bindings()

    def on_record_list_unmarked(self, event: RecordList.Unmarked) -> None:
        """Say that what is done now is not done with what was marked."""
        what = count(event.count, *self.noun)
        self.say("warning", f"{what} marked no longer: other {self.noun[1]} are listed now.")

    def on_record_list_failed(self, event: RecordList.Failed) -> None:
        """Say why there are no rows."""
        if isinstance(event.error, ServiceError):
            self.refuse(event.error)
        else:
            self.console.report_bug(event.error)

    def on_record_list_opened(self, event: RecordList.Opened) -> None:
        """Open a record."""
        self.open_row(event.row)

    async def _visit(self, form: "FormPage[Any]") -> None:
        saved = await self.console.push_screen(form, wait_for_dismiss=True)
        self.come_back(saved)

    def come_back(self, saved: Saved | None) -> None:
        """Reload after a form was closed, and show what was saved."""
        if saved is not None:
            self.list.select(saved[0])
            self.say("done", saved[1])
        self.list.reload()

    def action_reload(self) -> None:
        """Fetch the rows anew."""
        self.list.reload()


class ListPage(RowsPage):
    """A list whose records are edited."""

    EMPTY: ClassVar[str] = "Nothing yet: press n to insert."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,insert", "insert", "Insert"),
        Binding("d,delete", "delete", "Delete"),
        Binding("h", "history", "History"),
    ]

    @property
    def kind(self) -> str:
        """What the records are, as commands name them."""
        raise NotImplementedError

    def form(self, row: Any | None) -> "FormPage[Any] | None":
        """Return the form of a row, or of a new one."""
        raise NotImplementedError

    def question(self, services: "Services", row: Any) -> str:
        """Return the question before a deletion. Raises ServiceError where it is refused."""
        raise NotImplementedError

    def delete(self, services: "Services", row: Any) -> None:
        """Delete a row. Raises ServiceError."""
        raise NotImplementedError

    def words(self, row: Any) -> str:
        """Return a row's name for messages."""
        return self.record_name(row)

    def record_name(self, row: Any) -> str:
        """Return what a row's record is called."""
        return str(self.key(row))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to delete only what is there."""
        if action == "delete" and self.is_mounted:
            return self.list.current is not None
        return super().check_action(action, parameters)

    # ------------------------------------------------------------------ actions

    def action_insert(self) -> None:
        """Open the form for a new record."""
        self.open_row(None)

    def open_row(self, row: Any | None) -> None:
        """Open the form of a record, and come back to it."""
        form = self.form(row)
        if form is not None:
            self.start(self._visit(form), opens=True)

    def action_delete(self) -> None:
        """Ask, then delete the record under the cursor."""
        row = self.list.current
        if row is not None:
            self.start(self._delete(row), group="delete", opens=True)

    async def _delete(self, row: Any) -> None:
        services = await self.services()
        question = await self.ask(lambda: self.question(services, row))
        if await self.dialog(Question("Delete", question, "Delete", "Keep")):
            try:
                await self.ask(lambda: self.delete(services, row))
            except Stale as refused:
                self.say("error", f"{refused.message} It is not deleted; h shows the change.")
            else:
                self.say("done", f"{self.words(row)} is deleted.")
            self.list.reload()

    def action_history(self) -> None:
        """Show who changed the record under the cursor, or any where there is none."""
        from tui.screens.history import HistoryPage

        row = self.list.current
        name = self.record_name(row) if row is not None else ""
        path = (*self.path, *([name] if name else []), "History")
        self.console.push_screen(HistoryPage(path, self.kind, name))
