"""Long work in a modal: done on a thread, told as it goes, stopped at once by Esc.

Subclass `RunDialog` and say `work(services, surroundings)` (on the thread), `running()` (what is
shown meanwhile) and `finished(result)` (what is shown at the end). What the thread notes in
attributes is drawn twice a second, so that no amount of progress floods a slow line.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.widget import Widget

from services.cancel import Cancel
from services.errors import ServiceError
from services.protocols.base import Surroundings
from services.text import plain
from tui.widgets.chrome import KeyLine
from tui.widgets.dialogs import Dialog
from tui.widgets.glyphs import glyphs

if TYPE_CHECKING:
    from services.bootstrap import Services


class Report(Widget):
    """What is said of the work."""

    DEFAULT_CSS = """
    Report { height: auto; min-height: 4; width: 100%; }
    """

    text: reactive[Text] = reactive(Text(), layout=True)

    def render(self) -> Text:
        """Draw the words."""
        return self.text


class RunDialog(Dialog):
    """See the top of this file. Hands back None where the work was stopped or failed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop"),
        Binding("escape", "leave", "Close"),
    ]

    over = False
    """Whether the work has ended; until then Esc stops it."""

    def __init__(self, title: str) -> None:
        """Take the words on the frame."""
        super().__init__(title)
        self.cancel = Cancel()
        self.said = ""
        """What the connection said last, such as that it waits."""
        self.seconds = 0.0
        self.result: Any = None
        self._under_way: asyncio.Future[Any] | None = None

    def work(self, services: "Services", surroundings: Surroundings) -> Any:
        """Do the work, on a thread. Raises ServiceError."""
        raise NotImplementedError

    def running(self) -> Text:
        """Return what is shown while the work goes on."""
        raise NotImplementedError

    def finished(self, result: Any) -> Text | None:
        """Return what is shown at the end; None closes the dialog, which hands the result back."""
        raise NotImplementedError

    def contents(self) -> Iterable[Widget]:
        """Return the words and the keys."""
        yield Report()
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin."""
        self.set_interval(0.5, self._tick)
        self._draw()
        self.start(self._run(), group="run")

    async def _run(self) -> None:
        services = await self.services()
        surroundings = Surroundings(services.config, self.cancel, self._hear)
        self._under_way = asyncio.ensure_future(self.ask(lambda: self.work(services, surroundings)))
        self.result = await asyncio.shield(self._under_way)
        text = self.finished(self.result)
        if text is None:
            self.dismiss(self.result)
        else:
            self._end(text)

    def _hear(self, words: str) -> None:
        """Note what the connection says; called on its thread."""
        self.said = words

    def _tick(self) -> None:
        self.seconds += 0.5
        self._draw()

    def _draw(self) -> None:
        if not self.over:
            text = self.running()
            said = plain(self.said)
            self._show(text.append(f"\n\n{said}" if said else "\n\nEsc stops it.", "dim"))

    def _end(self, text: Text) -> None:
        self.over = True
        self._show(text)
        self.refresh_bindings()

    def _show(self, text: Text) -> None:
        if self.is_attached:
            self.query_one(Report).text = text

    def refuse(self, error: ServiceError) -> None:
        """Say why it could not be done."""
        text = Text(f"{glyphs().no} {plain(error.message)}", "bold red")
        self._end(text.append(f"\n\n{plain(error.hint)}" if error.hint else "", "not bold default"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Call Esc by what it does just now."""
        if action in ("stop", "leave"):
            return self.over is (action == "leave")
        return super().check_action(action, parameters)

    def action_stop(self) -> None:
        """Close at once; what still runs is stopped behind us."""
        self.stop_work()
        self.dismiss(self.result)

    def action_leave(self) -> None:
        """Close."""
        self.action_stop()

    async def ended(self) -> None:
        """Wait for work that was left to stop: only then does the store tell how it went."""
        if self._under_way is not None:
            await asyncio.wait({self._under_way})

    def stop_work(self) -> None:
        """Stop at once: the connection is closed under the thread that waits on it."""
        self.cancel.cancel()
