"""Work on many messages: on a thread, in a dialog with progress only where it takes a while."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget

from services.errors import Cancelled, ServiceError
from services.protocols.base import Surroundings
from services.results import Result, counted, summary
from services.text import plain
from tui.widgets.chrome import KeyLine
from tui.widgets.dialogs import Dialog
from tui.widgets.glyphs import glyphs
from tui.widgets.page import Page
from tui.widgets.paper import Paper, Paragraph, folded
from tui.widgets.run_dialog import RunDialog

if TYPE_CHECKING:
    from services.bootstrap import Services

PATIENCE = 0.3
"""Seconds until a dialog says what goes on; most actions are over by then."""
SHOWN = 10
"""Messages that went wrong and are told of one by one."""
WIDE = 76
"""Columns of the dialog that tells of them, where the terminal has as many."""
WIDTH = 24
"""Characters of what a message is about."""

Tell = Callable[[int, int], None]
Work = Callable[["Services", Surroundings, Tell], Sequence[Result]]


async def run_action(page: Page[Any], title: str, work: Work) -> Sequence[Result] | None:
    """Return what became of each message, and say it; None where it was stopped.

    Raises ServiceError where nothing could be done.
    """
    services = await page.services()
    dialog = ActionRun(title)
    around = Surroundings(services.config, dialog.cancel, dialog.hear)
    task = asyncio.ensure_future(page.ask(lambda: work(services, around, dialog.note)))
    done, _ = await asyncio.wait({task}, timeout=PATIENCE)
    dialog.job = task
    results: Sequence[Result] | None = task.result() if done else await page.dialog(dialog)
    if results is None:
        _raise_refusal(task)
        page.say("warning", f"{title} was stopped. What was done by then stays.")
        return None
    wrong = [result for result in results if not result.done]
    page.say("error" if wrong else "done", summary(results))
    if len(wrong) > 1:
        await page.dialog(WentWrong(title, results, wrong))
    return results


def _raise_refusal(task: "asyncio.Future[Sequence[Result]]") -> None:
    """Let the page say what the dialog said: it was not stopped, nothing could be done."""
    failed = task.exception() if task.done() and not task.cancelled() else None
    if isinstance(failed, ServiceError) and not isinstance(failed, Cancelled):
        raise failed


class ActionRun(RunDialog):
    """Shows how far the work is. Esc stops it; what is done by then stays."""

    job: "asyncio.Future[Sequence[Result]]"

    def __init__(self, title: str) -> None:
        """Take the words on the frame."""
        super().__init__(title)
        self.done, self.total = 0, 0

    def hear(self, words: str) -> None:
        """Note what a connection says; called on its thread."""
        self.said = words

    def note(self, done: int, total: int) -> None:
        """Note how far it is; called on the work's thread."""
        self.done, self.total = done, total

    async def _run(self) -> None:
        self.result = await self.job
        self.dismiss(self.result)

    def running(self) -> Text:
        """Say how far it is."""
        far = f"{self.done:,} of {self.total:,} messages" if self.total else "At work"
        return Text(f"{far}{glyphs().ellipsis} {self.seconds:.0f} s")


class WentWrong(Dialog):
    """Says of each message why it is not as it should be."""

    DEFAULT_CSS = """
    WentWrong > #box { width: 76; }
    WentWrong Paper { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "leave", "Close")]

    def __init__(self, title: str, results: Sequence[Result], wrong: Sequence[Result]) -> None:
        """Take all results, and those to tell of."""
        super().__init__(title)
        self.told = [Paragraph(f"{counted(results)}:"), Paragraph("")]
        for result in wrong[:SHOWN]:
            about = plain(result.about, WIDTH) or f"{result.id}"
            self.told.append(Paragraph(about, "head"))
            self.told.append(Paragraph(f"  {result.became}: {result.words}"))
        if len(wrong) > SHOWN:
            self.told.append(Paragraph(f"and {len(wrong) - SHOWN:,} more.", "dim"))

    def contents(self) -> Iterable[Widget]:
        """Return the words and the keys."""
        yield Paper()
        yield KeyLine()

    def on_mount(self) -> None:
        """Show them, to be scrolled where they are many."""
        width = min(self.size.width, WIDE) - 4
        lines = sum(1 for entry in self.told for _line in folded(entry, width))
        self.query_one("#box").styles.height = lines + 3  # the frame, and the keys
        paper = self.query_one(Paper)
        paper.show(self.told)
        paper.focus()
