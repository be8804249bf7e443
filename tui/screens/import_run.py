"""Import Now, and Rehearse: what an import does, or would do, told as it goes."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from services.importing.result import Counts, Progress, Rehearsed, RunResult
from services.paging import Page as Rows
from services.protocols.base import Surroundings
from services.text import count, plain
from tui.screens.email_management import MAIL_PATH, EmailManagement
from tui.screens.mail_columns import TONES, named
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.glyphs import glyphs
from tui.widgets.list_page import RowsPage
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph
from tui.widgets.record_list import Column, RecordList, whole
from tui.widgets.run_dialog import RunDialog

if TYPE_CHECKING:
    from services.bootstrap import Services

TO_MAIL = "mail"
"""Handed back where the admin wants to see what was imported."""


async def import_now(page: Page[Any], name: str) -> None:
    """Import an account in a modal, and go to its mail where that is wanted."""
    run = ImportRun(name)
    found = await page.dialog(run)
    await run.ended()
    if found == TO_MAIL:
        mail = EmailManagement(MAIL_PATH, f"account={name}")
        await page.console.push_screen(mail, wait_for_dismiss=True)


async def rehearse(page: Page[Any], name: str) -> None:
    """Rehearse an import in a modal, and list what it would do."""
    found = await page.dialog(RehearsalRun(name))
    if found is not None:
        rehearsal = RehearsalPage((*page.path, f"Rehearsal of {name}"), found)
        await page.console.push_screen(rehearsal, wait_for_dismiss=True)


class ImportRun(RunDialog):
    """One import. Esc stops it; the next one resumes where it stopped."""

    REHEARSES: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "mail", "Email Management")]

    def __init__(self, name: str) -> None:
        """Take the account's name."""
        super().__init__(f"{'Rehearse' if self.REHEARSES else 'Import Now'}: {name}")
        self.account = name
        self.progress: Progress | None = None

    def work(self, services: "Services", surroundings: Surroundings) -> RunResult:
        """Import, or rehearse."""
        return services.importing.run(
            self.account,
            trigger="console",
            surroundings=surroundings,
            rehearse=self.REHEARSES,
            progress=self._note,
        )

    def _note(self, progress: Progress) -> None:
        """Note how far it is; called on the run's thread."""
        self.progress = progress

    def running(self) -> Text:
        """Say how far it is."""
        found = self.progress
        if found is None:
            return Text(f"Connecting{glyphs().ellipsis} {self.seconds:.0f} s")
        of = f" of {found.total:,}" if found.total is not None else ""
        text = Text(f"{found.done:,}{of} messages, {self.seconds:.0f} s\n")
        return text.append(
            f"{found.imported:,} imported, {found.skipped:,} skipped, "
            f"{count(found.errors, 'error')}"
        )

    def finished(self, result: RunResult) -> Text | None:
        """Say what became of every message."""
        if not result.ok:
            text = Text(f"{glyphs().no} {plain(result.message)}", "bold red")
            return text.append(f"\n{sums(result.counts)}", "not bold default")
        mark, done = glyphs().yes, result.counts
        text = Text(
            f"{mark} {done.imported:,} imported, {done.skipped:,} skipped, "
            f"{count(done.errors, 'error')}, {self.seconds:.0f} s\n"
        )
        return text.append(f"\n{sums(done)}", "dim").append(_hints(result), "yellow")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the mail once the import is over."""
        return self.over if action == "mail" else super().check_action(action, parameters)

    def action_mail(self) -> None:
        """Go to the account's mail."""
        self.dismiss(TO_MAIL)


def sums(counts: Counts) -> str:
    """Return the line that adds up: what was there is what each message was counted as."""
    return (
        f"{count(counts.server_count, 'message')} in the mailbox = "
        f"{counts.before_start:,} before Import From + {counts.known:,} known + "
        f"{counts.imported:,} imported + {counts.skipped:,} skipped + "
        f"{count(counts.errors, 'error')} + {counts.gone:,} gone"
    )


class RehearsalRun(ImportRun):
    """One rehearsal, which changes nothing; hands its result back as soon as it is there."""

    REHEARSES: ClassVar[bool] = True

    def finished(self, result: RunResult) -> Text | None:
        """Go on to the list, after what is to know of the set-up."""
        hints = _hints(result).strip()
        return Text(hints, "yellow").append("\n\nEsc goes on.", "dim") if hints else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing was imported that one could look at."""
        return action != "mail" and super().check_action(action, parameters)


class RehearsalPage(RowsPage):
    """What an import would do with each message, and why."""

    HELP = """A rehearsal decides about every message as an import would, and changes nothing,
    neither here nor in the mailbox. Change contact types or contacts, and rehearse again."""
    NOUN: ClassVar[tuple[str, str]] = ("message", "messages")
    EMPTY: ClassVar[str] = "Nothing new: an import would find no message that is not here already."
    WIDE: ClassVar[int] = 120
    """Cells from which the reason has a column."""

    def __init__(self, path: tuple[str, ...], result: RunResult) -> None:
        """Take what was found."""
        super().__init__(path)
        self.result = result
        self.rows = list(enumerate(result.rehearsed))

    def columns(self) -> Sequence[Column]:
        """Return what fits the width."""
        found = [
            Column("Would be", 8, _outcome, sort=lambda row: row[1].outcome.value),
            Column("From", 26, _sender, sort=lambda row: row[1].sender),
            Column("Subject", 0, _subject, sort=lambda row: row[1].subject),
        ]
        if self.size.width >= self.WIDE:
            found.append(Column("Why", 90, lambda row: row[1].why, sort=lambda row: row[1].why))
        return found

    def on_resize(self, event: events.Resize) -> None:
        """Show what there is room for."""
        self.list.columns = list(self.columns())
        self.list.records.refresh()

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return the messages that contain the text."""
        wanted = text.casefold()
        return whole([row for row in self.rows if wanted in _words(row[1]).casefold()])

    def key(self, row: tuple[int, Rehearsed]) -> Hashable:
        """Tell messages apart by their place."""
        return row[0]

    def on_record_list_loaded(self, event: RecordList.Loaded) -> None:
        """Say how many of each there are."""
        event.prevent_default()
        done = self.result.counts
        known = f"{done.known:,} known, " if done.known else ""
        parts = f"{known}{done.imported:,} imported, {done.skipped:,} skipped"
        self.state = f"{parts}, {count(done.errors, 'error')}"

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say why, of the message under the cursor."""
        self.describe(None)

    def describe(self, widget: Widget | None) -> None:
        """Say why, whatever has the focus."""
        row = self.list.current
        self.query_one(MessageLine).show(Notice("busy", row[1].why if row else ""))

    def open_row(self, row: tuple[int, Rehearsed]) -> None:
        """Show the whole of what was found about a message."""
        self.console.push_screen(RehearsedPage((*self.path, f"Message {row[0] + 1}"), row[1]))


class RehearsedPage(Page[None]):
    """What an import would do with one message."""

    HELP = RehearsalPage.HELP

    def __init__(self, path: tuple[str, ...], found: Rehearsed) -> None:
        """Take what was found."""
        super().__init__(path)
        self.found = found

    def body(self) -> Iterable[Widget]:
        """Return the page to read."""
        yield Paper()

    def on_mount(self) -> None:
        """Show all of it."""
        found, paper = self.found, self.query_one(Paper)
        paper.show(
            [
                Paragraph(*named(found.sender, "(no sender)"), label="From"),
                Paragraph(*named(found.subject, "(no subject)"), label="Subject"),
                Paragraph(found.outcome, TONES.get(found.outcome, ""), "Outcome"),
                Paragraph(found.why, label="Why"),
            ]
        )
        paper.focus()


def _hints(result: RunResult) -> str:
    return "".join(f"\n\n{glyphs().bad} {hint}" for hint in result.hints)


def _outcome(row: tuple[int, Rehearsed]) -> tuple[str, str]:
    return row[1].outcome.value, TONES.get(row[1].outcome, "")


def _sender(row: tuple[int, Rehearsed]) -> tuple[str, str]:
    return named(row[1].sender, "(no sender)")


def _subject(row: tuple[int, Rehearsed]) -> tuple[str, str]:
    return named(row[1].subject, "(no subject)")


def _words(line: Rehearsed) -> str:
    return f"{line.outcome} {line.sender} {line.subject} {line.why}"
