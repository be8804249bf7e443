"""The console: opens screens and keeps the services.

The first paint needs Textual alone. Services are built on a thread meanwhile, and a screen that
needs them waits with a word (`Page.services`).
"""

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.events import Event, Key, Paste
from textual.filter import LineFilter
from textual.screen import Screen
from textual.scrollbar import ScrollBar
from textual.theme import Theme
from textual.worker import Worker

from services.errors import ServiceError
from services.loading import loading
from tui.door import Door
from tui.faults import keep_quiet
from tui.last_door import LastDoor
from tui.menu import MENU, MENU_PAGE, Place, place, places
from tui.still import NoColour, PlainBar, is_dumb
from tui.terminal.driver import ThriftyDriver
from tui.typeahead import TypeAhead
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.glyphs import ASCII, glyphs

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.config import Config

# The terminal's own sixteen colours: few bytes, and the palette that the admin chose.
THEME = Theme(
    name="tourmail",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "input-cursor-text-style": "reverse",
        "scrollbar": "ansi_bright_black",
        "scrollbar-background": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
    },
)


class Console(LastDoor):
    """The application."""

    TITLE = "tourmail"
    CSS_PATH = "console.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "Palette", priority=True),
        Binding("ctrl+q", "quit", "Quit", priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False),  # an editor's undo comes first
    ]
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self, config: "Config | None" = None, driver_class: type[Driver] | None = None
    ) -> None:
        """Take the configuration (the environment's by default) and what drives the terminal."""
        super().__init__(driver_class)
        from tui.palette import Jump

        self.config = config
        self.door = Door()
        self._services: asyncio.Future[Services] | None = None
        self._quitting: Worker[None] | None = None
        self._answers: list[MessageLine] = []
        """The lines that say what a key is for."""
        self.typeahead = TypeAhead(self, self._handle_key)
        self._begun = False
        self.typeahead.hold(lambda: self._begun)
        self.animation_level = "none"
        self.COMMANDS = {Jump}  # type: ignore[misc]
        self.register_theme(THEME)
        self.theme = THEME.name
        self.no_color = self.no_color or is_dumb(os.environ)
        if self.no_color:
            self._filters: list[LineFilter] = [NoColour()]
        ScrollBar.renderer = PlainBar
        self.set_class(glyphs() is ASCII, "-ascii")

    # ------------------------------------------------------------------ start

    def on_mount(self) -> None:
        """Show Home, and build the services once it stands."""
        home = place((MENU.title,)).page()
        self.push_screen(home)
        self._begun = True
        self.call_after_refresh(self.open_services)

    def open_services(self) -> None:
        """Build the services on a thread."""
        self._services = asyncio.ensure_future(self.door(self._build))
        self._services.add_done_callback(lambda future: future.cancelled() or future.exception())

    def _build(self) -> "Services":
        with loading("services.bootstrap"):
            from services.bootstrap import build

            return build(self.config)

    @property
    def is_ready(self) -> bool:
        """Whether the services stand."""
        return self._services is not None and self._services.done()

    async def ready(self) -> "Services":
        """Return the services, waiting for them. Raises ServiceError where they do not open."""
        while self._services is None:
            await asyncio.sleep(0.01)
        return await asyncio.shield(self._services)

    # ------------------------------------------------------------------ keys

    async def on_event(self, event: Event) -> None:
        """Give what is typed its turn; Textual handles the rest."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            self.typeahead.take(event)
        else:
            await super().on_event(event)

    async def _handle_key(self, key: Key | Paste) -> None:
        try:
            self._take_back_answer()
            await super().on_event(key)
        except Exception as error:  # noqa: BLE001 - the last door of keys with priority
            self.report_bug(error)

    def push_screen(self, screen: Any, *args: Any, **more: Any) -> Any:
        """Show a screen; keys wait until it stands."""
        pushed = super().push_screen(screen, *args, **more)
        if isinstance(screen, Screen):
            self.typeahead.hold(lambda: screen.is_mounted or not screen.is_attached)
        return pushed

    # ------------------------------------------------------------------ navigation

    @property
    def services(self) -> "Services":
        """The services, for pages that were opened with them."""
        assert self._services is not None
        return self._services.result()

    def open(self, target: Place) -> None:
        """Open a screen on top of the present one, once what it needs stands."""
        work = self.work(self._open(target), group="open")
        self.typeahead.hold(lambda: work.is_finished)

    async def _open(self, target: Place) -> bool:
        from tui.widgets.page import Page

        page = self.screen
        if target.entry.screen != MENU_PAGE and isinstance(page, Page):
            try:
                await page.services()
            except ServiceError as error:
                page.refuse(error)
                return False
        await self.push_screen(target.page())
        return True

    async def jump(self, target: Place) -> bool:
        """Go to a screen from anywhere; False where unsaved input holds the admin back."""
        if not await self.leave_pages():
            return False
        chain = [p for p in places() if target.path[: len(p.path)] == p.path and p.entry.screen]
        for step in chain[1:]:
            if not await self._open(step):
                return False
        return True

    async def open_account(self, name: str) -> None:
        """Go to an account's form from anywhere."""
        from tui.screens.email_account_list import Accounts

        target = next(p for p in places() if p.entry.screen.endswith(":Accounts"))
        if await self.jump(target) and isinstance(self.screen, Accounts):
            self.screen.open_account(name)

    async def leave_pages(self) -> bool:
        """Close every page but Home, asking where something was typed."""
        from tui.widgets.form_page import FormPage

        for screen in reversed(self.screen_stack[2:]):
            if isinstance(screen, FormPage) and not await screen.may_leave():
                return False
            await self.pop_screen()
        return True

    def action_help_quit(self) -> None:
        """Say how to leave to somebody who pressed Ctrl+C, which copies."""
        self._answer("Ctrl+Q quits.")

    def _answer(self, words: str) -> None:
        """Say what a key is for; until the next one, since it answers that key alone."""
        self._answers = list(self.screen.query(MessageLine))
        for line in self._answers:
            line.interject(Notice("help", words))

    def _take_back_answer(self) -> None:
        for line in self._answers:
            line.resume()
        self._answers = []

    def action_suspend_process(self) -> None:
        """Go to the shell, which brings the console back with `fg`; stay where there is none."""
        if isinstance(self._driver, ThriftyDriver) and self._driver.has_shell:
            super().action_suspend_process()
        else:
            self._answer("No shell to go to. Ctrl+Q quits.")

    def action_command_palette(self) -> None:
        """Open the palette, from a page only."""
        from textual.command import CommandPalette

        from tui.widgets.page import Page

        if isinstance(self.screen, Page):
            self.push_screen(CommandPalette(placeholder="A screen, an account or an action"))

    async def action_quit(self) -> None:
        """Leave; unsaved input is asked about first, and a save under way is finished."""
        if self._quitting is None or self._quitting.is_finished:  # else it is asking already
            self._quitting = self.work(self._quit(), group="quit")

    async def _quit(self) -> None:
        from tui.widgets.form_page import FormPage
        from tui.widgets.section_dialog import SectionDialog

        for screen in reversed(self.screen_stack):
            if isinstance(screen, FormPage | SectionDialog) and not await screen.may_leave():
                return
        await self._finish_work()
        self.exit()

    async def _finish_work(self) -> None:
        """Stop what may be stopped, and wait two seconds for what must not be cut short."""
        from tui.widgets.page import Worker as WorkScreen

        for screen in self.screen_stack:
            if isinstance(screen, WorkScreen):
                screen.stop_work()
        for _ in range(100):
            if self.door.busy == 0:
                break
            await asyncio.sleep(0.02)

    async def on_hang_up(self) -> None:
        """Keep what would be lost, since the console is left without anybody being asked.

        The driver awaits this once when the terminal has vanished or a signal asks the console to
        go (`tui/terminal/driver.py`), and leaves after it. It may call services through `door`, but
        neither ask nor show anything, and is cancelled after `FAREWELL` seconds.
        """
        from tui.keeping import keep_typed

        await keep_typed(self, saving=False)
        await self._finish_work()
        await keep_typed(self, saving=True)


def run_console(config: "Config | None" = None) -> int:
    """Run the console and return the exit code.

    0, or 1 where it broke, 129 where its terminal vanished, 128 and the number of a signal; 2
    without a terminal.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        sys.stderr.write("The console needs a terminal. Scripts use commands: tourmail --help\n")
        return 2
    console = Console(config, ThriftyDriver)
    keep_quiet(console.report_from_thread)
    console.run()
    return console.return_code or (1 if console.bugs else 0)
