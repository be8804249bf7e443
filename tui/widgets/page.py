"""The frame of every screen: breadcrumb, body, message line, key line; and the door to services.

Subclass `Page[R]` (R: what it hands back when it closes), say `body()` and `HELP`, and do work as
coroutines: `self.start(self._load())`. In them `await self.services()` waits for the store,
`await self.ask(work)` runs `work` on a thread, `await self.dialog(screen)` shows a modal.
A ServiceError that escapes goes to the message line (`refuse`), anything else to the bug dialog.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from textual import events
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.message import Message
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.widget import Widget

from services.errors import Cancelled, ServiceError
from tui.widgets.chrome import Crumbs, KeyLine, MessageLine, Notice
from tui.widgets.glyphs import glyphs

if TYPE_CHECKING:
    from services.bootstrap import Services
    from tui.app import Console

T = TypeVar("T")


class Worker(Screen[ScreenResultType], Generic[ScreenResultType]):
    """A screen that calls services and survives its own bugs."""

    _due: tuple[ScreenResultType | None] | None = None
    """What it hands back as soon as it stands on top again."""

    @property
    def console(self) -> "Console":
        """The application."""
        return cast("Console", self.app)

    def start(
        self, job: Coroutine[Any, Any, None], *, group: str = "", opens: bool = False
    ) -> None:
        """Run a coroutine beside the event loop's other work; in a group the newest one only.

        Where it `opens` what the next keys are for, they wait until it is done.
        """
        work = self.run_worker(
            self._guarded(job), group=group or "page", exclusive=bool(group), exit_on_error=False
        )
        if opens:
            ahead = self.console.typeahead
            ahead.hold(lambda: work.is_finished, lambda: self.app.screen is self)

    async def _guarded(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await self._refusable(job)
        except Exception as error:  # noqa: BLE001 - the last door of work
            if not self._misses_its_widgets(error):
                self.console.report_bug(error)

    async def _refusable(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Cancelled:
            pass
        except ServiceError as error:
            self.refuse(error)

    def _misses_its_widgets(self, error: Exception) -> bool:
        """Tell whether the screen was closed: its widgets go first, its work is cancelled then."""
        return isinstance(error, NoMatches) and not self.is_running

    async def _dispatch_message(self, message: Message) -> None:
        # Textual ends the pump, and with it the console, on any exception in a handler.
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001 - the last door of handlers
            self.console.report_bug(error)

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close; below a question that is being asked, once that is answered.

        Textual would close whatever stands on top instead.
        """
        if self.app.screen is self:
            return super().dismiss(result)
        self._due = (result,)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """Close where that was due while something stood on top."""
        if self._due is not None:
            super().dismiss(*self._due)

    async def services(self) -> "Services":
        """Return the services, waiting for them. Raises ServiceError where they do not open."""
        if not self.console.is_ready:
            self.say("busy", f"Opening the store{glyphs().ellipsis}")
            services = await self.console.ready()
            self.say("help", "")
            return services
        return await self.console.ready()

    async def ask(self, work: Callable[[], T]) -> T:
        """Return what a service returns, without blocking the screen."""
        return await self.console.door(work)

    async def dialog(self, screen: ModalScreen[T]) -> T | None:
        """Show a modal and return what it hands back."""
        found: T | None = await self.console.push_screen(screen, wait_for_dismiss=True)
        return found

    def stop_work(self) -> None:
        """Ask what runs on a thread for this screen to stop, since the console is left."""

    def refuse(self, error: ServiceError) -> None:
        """Say in words what a service refused."""
        self.say("error", str(error))

    def say(self, kind: str, text: str, at: Widget | None = None) -> None:
        """Show something that has just happened, until the focus leaves `at` (where it is)."""
        for line in self.query(MessageLine):
            line.flash(Notice(kind, text), at or self.focused)


class Page(Worker[ScreenResultType], Generic[ScreenResultType]):
    """See the top of this file."""

    HELP: ClassVar[str | None] = ""
    """What F1 says of the screen."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Exit"),
        Binding("f1,ctrl+g", "help", "Help"),
    ]

    def __init__(self, path: tuple[str, ...], argument: str = "") -> None:
        """Take the breadcrumb, and what the menu says that the screen is for."""
        super().__init__()
        self.path, self.argument = path, argument

    def compose(self) -> Iterable[Widget]:
        """Frame the body."""
        crumbs = Crumbs(id="crumbs")
        crumbs.path = self.path
        yield crumbs
        yield Vertical(*self.body(), id="body")
        yield MessageLine()
        yield KeyLine()

    def body(self) -> Iterable[Widget]:
        """Return what stands between breadcrumb and message line."""
        return ()

    @property
    def unsaved(self) -> bool:
        """Whether something was typed that leaving would lose."""
        return False

    @property
    def state(self) -> str:
        """What stands at the breadcrumb's right."""
        return self.query_one(Crumbs).state

    @state.setter
    def state(self, state: str) -> None:
        self.query_one(Crumbs).state = state

    def retitle(self, *path: str) -> None:
        """Show another breadcrumb."""
        self.path = path
        self.query_one(Crumbs).path = path

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say what the widget with the focus is for."""
        self.describe(event.widget)

    def describe(self, widget: Widget | None) -> None:
        """Show the notice of the nearest widget that has one."""
        self.query_one(MessageLine).describe(widget, notice_of(widget))

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_help(self) -> None:
        """Explain the field and the screen."""
        from tui.widgets.help import HelpDialog

        self.app.push_screen(HelpDialog(self, self.path[-1], self.HELP or ""))


def notice_of(widget: Widget | None) -> Notice:
    """Return what the nearest ancestor that speaks has to say."""
    for node in widget.ancestors_with_self if widget else ():
        notice = getattr(node, "notice", None)
        if isinstance(notice, Notice):
            return notice
    return Notice("help", "")
