"""Where our own faults end: in a dialog and the log, never in a crash panel.

Textual ends the application on any exception of a handler or a key's action, and prints every local
variable, secrets among them.
"""

from collections.abc import Coroutine
from typing import Any

from rich.text import Text
from textual.app import App
from textual.driver import Driver
from textual.message import Message
from textual.worker import Worker

from tui.faults import write_fault


class LastDoor(App[None]):
    """An application that tells its own faults and goes on."""

    def __init__(self, driver_class: type[Driver] | None = None) -> None:
        """Begin without a fault."""
        super().__init__(driver_class)
        self.bugs = 0
        """How many faults of ours were met; the exit code says so."""

    def work(self, job: Coroutine[Any, Any, object], *, group: str = "") -> Worker[None]:
        """Run a coroutine that belongs to no screen; in a group the newest one only."""
        return self.run_worker(
            self._guarded(job), group=group or "work", exclusive=bool(group), exit_on_error=False
        )

    async def _guarded(self, job: Coroutine[Any, Any, object]) -> None:
        try:
            await job
        except Exception as error:  # noqa: BLE001 - the last door of work
            self.report_bug(error)

    async def _dispatch_message(self, message: Message) -> None:
        # The actions of all keys are run here, those of screens and widgets too.
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001 - the last door of actions
            self.report_bug(error)

    def report_bug(self, error: BaseException) -> None:
        """Describe a fault of ours in the log, and say so; what it worked on is left out."""
        from tui.widgets.dialogs import BugDialog

        if any(isinstance(screen, BugDialog) for screen in self.screen_stack):
            self._handle_exception(error)  # what draws the screen is broken, the dialog as well
            return
        self.bugs += 1
        self.push_screen(BugDialog(type(error).__name__, write_fault(error)))

    def report_from_thread(self, error: BaseException) -> None:
        """Report a fault of a thread; where the console has ended, the log alone takes it."""
        try:
            self.call_from_thread(self.report_bug, error)
        except RuntimeError:
            write_fault(error)

    def _handle_exception(self, error: BaseException) -> None:
        self.bugs += 1
        where = write_fault(error)
        words = f"tourmail broke ({type(error).__name__}). The fault is described in {where}."
        self._return_code = 1
        self._exit_renderables[:] = [Text(words)]
        self._close_messages_no_wait()
