"""Email Management: the mail that came in, what became of it, and why."""

import asyncio
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.mail import Outcome
from services.mail_filter import MailFilter
from services.mail_views import MailLine
from services.paging import Page as Rows
from services.protocols import PROTOCOLS
from services.text import count
from tui.screens.mail_preview import TONES, MailPage, described, named, save_mail
from tui.widgets.filter_line import FilterLine, chosen
from tui.widgets.glyphs import glyphs
from tui.widgets.heading import Heading
from tui.widgets.list_page import RowsPage
from tui.widgets.paper import Paper
from tui.widgets.pick import Pick
from tui.widgets.record_list import Column, RecordList
from tui.widgets.times import short_clock

if TYPE_CHECKING:
    from services.bootstrap import Services

MAIL_PATH = ("Home", "Messages", "Email Management")
OUTCOMES = [
    ("", "all"),
    (Outcome.IMPORTED.value, "imported"),
    (Outcome.SKIPPED.value, "skipped"),
    (Outcome.ERROR.value, "errors"),
]
WIDE, TALL = 120, 36
"""Cells and lines from which there is room for more columns, and for a preview below the list."""

PAUSE = 0.15
"""Seconds that the cursor rests on a message before its preview is fetched."""


class EmailManagement(RowsPage):
    """Mail newest first. The argument is the name of the account to begin with."""

    HELP = """Mail that imports have seen: imported, skipped, or in error. Enter shows a message
    with the reason. o and c narrow the list to an outcome and an account; / looks for a text in
    subjects and people; s saves a message to a file."""
    NOUN: ClassVar[tuple[str, str]] = ("message", "messages")
    EMPTY: ClassVar[str] = "Nothing was imported yet. In Email Account, i imports an account now."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "outcome", "Outcome"),
        Binding("c", "account", "Account"),
        Binding("s", "save", "Save"),
        Binding("ctrl+l", "reload", "Reload", show=False),
    ]
    DEFAULT_CSS = """
    EmailManagement #preview, EmailManagement #rule { display: none; }
    EmailManagement #rule { padding: 0 1; }
    EmailManagement.-tall #preview { display: block; height: 1fr; }
    EmailManagement.-tall #rule { display: block; }
    """

    def __init__(self, path: tuple[str, ...] = MAIL_PATH, argument: str = "") -> None:
        """Begin with every outcome."""
        super().__init__(path, argument)
        self.outcome, self.account = "", argument

    def body(self) -> Iterable[Widget]:
        """Put the filters above the list, and the preview below it."""
        yield FilterLine()
        yield from super().body()
        yield Heading("Message", id="rule")
        yield Paper(id="preview")

    def columns(self) -> Sequence[Column]:
        """Return what fits the width."""
        received = Column("Received", 12, lambda row: short_clock(row.received, self._now()))
        subject = Column("Subject", 0, lambda row: named(row.subject, "(no subject)"))
        if self.size.width < WIDE:
            return [
                received,
                Column("From", 18, lambda row: named(row.sender, "(no sender)")),
                subject,
                Column("Booking", 8, lambda row: row.booking),
                Column("Why", 17, _why),
            ]
        return [
            received,
            Column("From", 36, lambda row: named(row.sender, "(no sender)")),
            subject,
            Column("Contact", 24, lambda row: row.contact),
            Column("Booking", 12, lambda row: row.booking),
            Column("Account", 14, lambda row: row.account),
            Column("Queue", 14, lambda row: row.queue),
            Column("Outcome", 8, lambda row: (row.outcome.value, TONES.get(row.outcome, ""))),
            Column("Why", 17, _why),
        ]

    def _now(self) -> datetime:
        return self.console.services.now()

    def on_resize(self, event: events.Resize) -> None:
        """Show what there is room for."""
        self.list.columns = list(self.columns())
        self.list.records.refresh()
        if self.has_class("-tall") != (event.size.height >= TALL):
            self.toggle_class("-tall")
            self._follow()

    @property
    def wanted(self) -> MailFilter:
        """The filters, without the text."""
        return MailFilter(Outcome(self.outcome) if self.outcome else None, self.account)

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return a page of the messages that the filters let through."""
        wanted = self.wanted
        return services.mail.list(
            MailFilter(wanted.outcome, wanted.account, text.strip()), after, limit
        )

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
            self.state = count(event.count, *self.NOUN)
        else:
            self.start(self._count(self.list.filter_text), group="count")
        self.refresh_bindings()

    async def _count(self, text: str) -> None:
        services, wanted = await self.services(), self.wanted
        found = MailFilter(wanted.outcome, wanted.account, text)
        self.state = count(await self.ask(lambda: services.mail.count(found)), *self.NOUN)

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Show the message under the cursor, where there is room for it."""
        self._follow()
        self.refresh_bindings()

    def _follow(self) -> None:
        if self.has_class("-tall"):
            self.start(self._preview(self.list.current), group="preview")

    async def _preview(self, row: MailLine | None) -> None:
        paper = self.query_one("#preview", Paper)
        if row is None:
            paper.show([])
            return
        await asyncio.sleep(PAUSE)
        services = await self.services()
        paper.show(await self.ask(lambda: described(services.mail.get(row.id), services.now())))

    # ------------------------------------------------------------------ filters

    def _show_filters(self) -> None:
        outcome = chosen(OUTCOMES, self.outcome)
        self.query_one(FilterLine).filters = (("Outcome", outcome), ("Account", self.account))

    def action_outcome(self) -> None:
        """Choose the outcome to list."""
        self.start(self._pick_outcome(), group="pick")

    async def _pick_outcome(self) -> None:
        found = await self.dialog(Pick("Outcome", OUTCOMES, self.outcome))
        self._narrow(found, self.account)

    def action_account(self) -> None:
        """Choose the account whose mail is listed."""
        self.start(self._pick_account(), group="pick")

    async def _pick_account(self) -> None:
        services = await self.services()
        lines = await self.ask(services.accounts.list)
        importing = {p.title for p in PROTOCOLS.values() if p.importer is not None}
        names = [line.name for line in lines if line.protocol_title in importing]
        options = [("", "all"), *((name, name) for name in names)]
        self._narrow(self.outcome, await self.dialog(Pick("Account", options, self.account)))

    def _narrow(self, outcome: str | None, account: str | None) -> None:
        if outcome is None or account is None:
            return
        self.outcome, self.account = outcome, account
        none = "No such mail. o and c change what is listed."
        self.list.empty = none if outcome or account else self.EMPTY
        self._show_filters()
        self.list.restart()

    # ------------------------------------------------------------------ actions

    def open_row(self, row: MailLine) -> None:
        """Show a message on the whole screen."""
        self.console.push_screen(MailPage((*self.path, f"Message {row.id}"), row.id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to save only what is there."""
        if action == "save" and self.is_mounted:
            return self.list.current is not None
        return super().check_action(action, parameters)

    def action_save(self) -> None:
        """Save the message under the cursor to a file."""
        if self.list.current is not None:
            self.start(save_mail(self, self.list.current.id), group="save")


def _why(row: MailLine) -> tuple[str, str]:
    """Return the reason in a few words after its outcome's mark."""
    marks = {
        Outcome.IMPORTED: glyphs().yes,
        Outcome.SKIPPED: glyphs().dot,
        Outcome.ERROR: glyphs().no,
    }
    words = row.reason.replace("-", " ")
    return f"{marks.get(row.outcome, ' ')} {words}", TONES.get(row.outcome, "")
