"""Email Management: the mail that came in, what became of it, and why."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget

from services.mail.views import MailLine
from services.paging import Page as Rows
from services.results import Result
from services.text import counted_words
from tui.screens.mail_actions import ACTIONS_HELP, MailActions
from tui.screens.mail_columns import mail_columns
from tui.screens.mail_filters import FILTERS, Narrowed
from tui.screens.mail_preview import MailPage, previewed
from tui.screens.mail_save import save_mails, save_parts
from tui.widgets.filter_line import FilterLine
from tui.widgets.heading import Heading
from tui.widgets.list_page import RowsPage
from tui.widgets.paper import Paper
from tui.widgets.pick import Pick
from tui.widgets.record_list import Column, RecordList

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.mail.causes import Cause

MAIL_PATH = ("Home", "Messages", "Email Management")

PAUSE = 0.15
"""Seconds that the cursor rests on a message before its preview is fetched."""

_KEYS = ", ".join(one.key for one in FILTERS.values())


class EmailManagement(MailActions, RowsPage):
    """Mail newest first. The argument is a filter to begin with, such as ``outcome=error``."""

    HELP = f"""Mail that imports have seen: imported, skipped, or in error; below the list, the
    message under the cursor. Enter shows it whole; Tab goes into it, to scroll. {_KEYS} narrow the
    list; / looks for words, their beginnings, addresses and "words in this order" in subjects,
    people and bodies. Space marks messages, and what is done then is done with all of them. g lists
    open errors by their cause; i tries a message from a file, and changes nothing.
    {ACTIONS_HELP}"""
    NOUN: ClassVar[tuple[str, str]] = ("message", "messages")
    EMPTY: ClassVar[str] = "Nothing was imported yet. In Email Account, i imports an account now."
    MARKS: ClassVar[bool] = True
    ENDS: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(one.key, f"narrow('{n}')", one.title, show=False) for n, one in FILTERS.items()),
        Binding("g", "causes", "Causes"),
        Binding("s", "save", "Save"),
        Binding("i", "simulate", "Simulate"),
    ]
    DEFAULT_CSS = """
    EmailManagement #rule { padding: 0 1; }
    EmailManagement #preview { height: 55%; }
    """

    def __init__(
        self,
        path: tuple[str, ...] = MAIL_PATH,
        argument: str = "",
        cause: "Cause | None" = None,
    ) -> None:
        """Begin with everything, or with what has one cause."""
        super().__init__(path, argument)
        self._resting: Timer | None = None
        self._number = 0
        name, _, value = argument.partition("=")
        begin = {name: value} if name else {}
        self.narrowed = Narrowed(dict.fromkeys(FILTERS, "") | begin, cause)

    def body(self) -> Iterable[Widget]:
        """Put the filters above the list, and the preview below it."""
        yield FilterLine()
        yield from super().body()
        yield Heading("Message", id="rule")
        yield Paper(id="preview")

    def columns(self) -> Sequence[Column]:
        """Return what fits the width."""
        return mail_columns(self.size.width, lambda: self.console.services.now())

    def on_resize(self, event: events.Resize) -> None:
        """Show what there is room for."""
        self.list.columns = list(self.columns())
        self.list.records.refresh()

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of the messages that the filters let through."""
        return services.mail.list(self.narrowed.filter(text), after, limit)

    def key(self, row: MailLine) -> Hashable:
        """Tell messages apart by their number."""
        return row.id

    # ------------------------------------------------------------------ what is said of them

    def on_mount(self) -> None:
        """Show the filters."""
        self._show_filters()

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Count them on the side: of a long list only a part is here."""
        event.prevent_default()
        if event.complete:
            self._tell(event.count)
        else:
            self.start(self._count(self.list.filter_text), group="count")
        self.refresh_bindings()

    async def _count(self, text: str) -> None:
        services, wanted = await self.services(), self.narrowed.filter(text)
        self._tell(await self.ask(lambda: services.mail.count(wanted)))

    def _tell(self, number: int) -> None:
        self._number = number
        marked = f"{len(self.list.marked):,} marked of " if self.list.marked else ""
        self.state = f"{marked}{counted_words(number, *self.NOUN)}"

    def on_record_list_marked(self, event: RecordList.Marked) -> None:
        """Say how many are marked."""
        self._tell(self._number)

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Show the message under the cursor, once that rests."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(PAUSE, self._rested)
        self.refresh_bindings()

    def _rested(self) -> None:
        self.start(self._preview(self.list.current), group="preview")

    async def _preview(self, row: MailLine | None) -> None:
        paper = self.query_one("#preview", Paper)
        if row is None:
            paper.show([])
            return
        services = await self.services()
        paper.show(await self.ask(lambda: previewed(services.mail.get(row.id), services.now())))

    # ------------------------------------------------------------------ filters

    def _show_filters(self) -> None:
        self.query_one(FilterLine).filters = self.narrowed.shown()

    def action_narrow(self, name: str) -> None:
        """Choose what is listed."""
        self.start(self._narrow(name), group="pick", opens=True)

    async def _narrow(self, name: str) -> None:
        services, one, values = await self.services(), FILTERS[name], self.narrowed.values
        options = [("", "all"), *await self.ask(lambda: one.options(services))]
        found = await self.dialog(Pick(one.title, options, values[name]))
        if found is None or found == values[name]:
            return
        values[name] = found
        none = f"No such mail. {_KEYS} change what is listed."
        self.list.empty = none if self.narrowed.any else self.EMPTY
        self._show_filters()
        self.list.restart()

    # ------------------------------------------------------------------ actions

    @property
    def targets(self) -> Sequence[int]:
        """The messages that an action is for: those that are marked, else the one at the cursor."""
        return [key for key in self.list.targets if isinstance(key, int)]

    def line(self) -> MailLine | None:
        """Return the message under the cursor."""
        return self.list.current

    def acted(self, results: Sequence[Result]) -> None:
        """Keep marked what is not done, and list all as it is now."""
        self.list.marked -= {result.id for result in results if result.done}
        self.list.reload()

    def open_row(self, row: MailLine) -> None:
        """Show a message on the whole screen, and list what became of it there."""
        self.start(self._open(row), opens=True)

    async def _open(self, row: MailLine) -> None:
        page = MailPage((*self.path, f"Message {row.id}"), row.id)
        await self.console.push_screen(page, wait_for_dismiss=True)
        if page.changed:
            self.list.reload()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to save only what is there."""
        if action == "save" and self.is_mounted:
            return bool(self.targets)
        if action == "causes":
            return self.narrowed.cause is None
        return super().check_action(action, parameters)

    def action_save(self) -> None:
        """Save what is marked, or the message under the cursor, or an attachment of it."""
        self.start(self._save(self.targets), group="save", opens=True)

    async def _save(self, ids: Sequence[int]) -> None:
        if len(ids) != 1:
            await save_mails(self, ids)
            return
        services = await self.services()
        view = await self.ask(lambda: services.mail.get(ids[0]))
        await save_parts(self, view.line.id, view.attachments)

    def action_causes(self) -> None:
        """List open errors by their cause."""
        self.start(self._causes(), opens=True)

    async def _causes(self) -> None:
        from tui.screens.mail_causes import MailCauses

        page = MailCauses((*self.path, "Causes"))
        await self.console.push_screen(page, wait_for_dismiss=True)
        self.list.reload()

    def action_simulate(self) -> None:
        """Try what would become of a message from a file."""
        self.start(self._simulate(), group="simulate", opens=True)

    async def _simulate(self) -> None:
        from tui.screens.simulate import simulate

        await simulate(self, self.narrowed.values["account"])
