"""The email accounts: list, insert, open, delete."""

from collections.abc import Coroutine, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from textual.binding import Binding, BindingType
from textual.widget import Widget

from services.accounts.changes import KIND
from services.accounts.overview import AccountLine
from services.paging import Page as Rows
from services.text import clock
from tui.screens.board import short
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.glyphs import glyphs
from tui.widgets.list_page import ListPage
from tui.widgets.record_list import Column, RecordList, whole

if TYPE_CHECKING:
    from services.bootstrap import Services
    from tui.screens.email_account import AccountForm


class Accounts(ListPage):
    """Every email account."""

    HELP = """Email accounts are what tourmail sends from and imports replies from. One of them,
    the System Email Account, sends for all. Deleting one leaves its mail where it is."""
    NOUN: ClassVar[tuple[str, str]] = ("account", "accounts")
    EMPTY: ClassVar[str] = "No accounts yet: press n to insert the first one."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "run('import_now')", "Import"),
        Binding("R", "run('rehearse')", "Rehearse", key_display="R"),
        Binding("i,R", "cannot_run", show=False),
        Binding("f5,ctrl+t", "test", "Test"),
    ]

    @property
    def kind(self) -> str:
        """Email accounts."""
        return KIND

    def columns(self) -> Sequence[Column]:
        """Return what the manual's list shows, and how the last run went."""
        return [
            Column("Name", 15, lambda row: row.name, sort=lambda row: row.name.casefold()),
            Column("Description", 0, lambda row: row.description, sort=_description),
            Column("Protocol", 10, lambda row: short(row.protocol_title), sort=_protocol),
            Column("System", 6, lambda row: _tick(row.is_system), sort=lambda r: not r.is_system),
            Column("Import", 6, lambda row: _tick(row.imports), sort=lambda row: not row.imports),
            Column("Last", 18, self._last, sort=lambda row: str(row.last_at or "")),
        ]

    def _last(self, row: AccountLine) -> tuple[str, str]:
        when = clock(row.last_at, self.console.services.now().astimezone())
        tone = "bad" if row.last_ok is False else "warn" if row.warning else ""
        when = when.removeprefix("today ")
        words = row.lacks or f"{when} {row.last}".strip()
        return (f"{glyphs().bad} {words}" if tone else words), tone

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return the accounts that contain the text."""
        return whole(services.account_list.lines(text))

    def key(self, row: AccountLine) -> Hashable:
        """Tell accounts apart by their id."""
        return row.id

    def record_name(self, row: AccountLine) -> str:
        """Return an account's name."""
        return row.name

    def form(self, row: AccountLine | None) -> "AccountForm":
        """Return the form of an account."""
        return self._form("Insert") if row is None else self._form(row.name, of=row.id)

    def _form(self, name: str, *, of: UUID | None = None, test: bool = False) -> "AccountForm":
        from tui.screens.email_account import AccountForm  # the list stands sooner without it

        return AccountForm((*self.path, name), of=of, test=test)

    def open_account(self, name: str) -> None:
        """Open an account by its name, as the palette does."""
        self.start(self._open_account(name), opens=True)

    async def _open_account(self, name: str) -> None:
        services = await self.services()
        found = await self.ask(lambda: services.accounts.get(name))
        self.list.select(found.id)
        await self._visit(self._form(found.name, of=found.id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to import only where the account imports."""
        if action == "run" and self.is_mounted:
            return self.list.current is not None and self.list.current.imports
        if action in ("test", "cannot_run") and self.is_mounted:
            return self.list.current is not None
        return super().check_action(action, parameters)

    def action_run(self, name: str) -> None:
        """Import the account under the cursor now, or rehearse that."""
        from tui.screens import import_run

        job = {"import_now": import_run.import_now, "rehearse": import_run.rehearse}[name]
        row = self.list.current
        if row is not None:
            self.start(self._run(job(self, row.name)), group="run")

    def action_cannot_run(self) -> None:
        """Say why the account under the cursor is not imported."""
        row = self.list.current
        if row is not None:
            self.start(self._check(row.name), group="run")

    async def _check(self, name: str) -> None:
        services = await self.services()
        await self.ask(lambda: services.importing.account(name))
        self.list.reload()  # it imports by now

    def action_test(self) -> None:
        """Open the account under the cursor and test it, so that its fields are at hand."""
        row = self.list.current
        if row is not None:
            self.start(self._visit(self._form(row.name, of=row.id, test=True)), opens=True)

    async def _run(self, job: Coroutine[Any, Any, None]) -> None:
        await job
        self.list.reload()

    def question(self, services: "Services", row: AccountLine) -> str:
        """Name what goes with the account."""
        return services.accounts.deletion(row.id)[0]

    def delete(self, services: "Services", row: AccountLine) -> None:
        """Delete the account."""
        services.accounts.delete(row.id, row.version)

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say what will soon need somebody."""
        self.refresh_bindings()
        line, notice = self.query_one(MessageLine), self._notice()
        if notice.kind == "warning" or not line.flashing:
            line.show(notice)

    def describe(self, widget: Widget | None) -> None:
        """Say it whatever has the focus, which may come after the rows."""
        self.query_one(MessageLine).describe(widget, self._notice())

    def _notice(self) -> Notice:
        row = self.list.current
        if row is not None and row.warning:
            return Notice("warning", f"{row.name}: {row.warning}")
        return Notice("help", row.description if row else "")


def _tick(yes: bool) -> str:
    return f"  {glyphs().yes}" if yes else ""


def _description(row: AccountLine) -> str:
    return row.description.casefold()


def _protocol(row: AccountLine) -> str:
    return row.protocol_title
