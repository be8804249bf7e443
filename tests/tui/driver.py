"""The console under test, driven by keys alone, on a real store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.events import Key, Paste
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from services.config import Config
from tests.stores import config_in
from tui.app import Console
from tui.widgets.chrome import Crumbs, MessageLine
from tui.widgets.form_page import FormPage
from tui.widgets.settings_form import SettingsForm

EMAIL_ACCOUNT = ("c", "e")
"""From Home to the list of accounts."""


CALM = 5
"""Looks in a row at which nothing is under way."""


class Driver:
    """Presses keys and reads what an admin sees."""

    def __init__(self, app: Console, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> Any:
        """The screen on top."""
        return self.app.screen

    async def settle(self) -> None:
        """Wait until no service is at work and all messages are handled."""
        calm = 0
        for _ in range(3000):
            await self.pilot._wait_for_screen()
            await asyncio.sleep(0.003)  # coroutines between two messages get their turn
            if self._is_to_be_drawn():
                self.screen._on_timer_update()  # sooner than its timer
            calm = calm + 1 if self.at_rest() else 0
            if calm == CALM:
                return
        raise AssertionError("the console does not come to rest")

    def at_rest(self) -> bool:
        """Tell whether neither a key nor a service nor a repaint is under way."""
        app = self.app
        at_work = app.door.busy or app.typeahead.waiting or self._is_to_be_drawn()
        return app.is_ready and not at_work

    def _is_to_be_drawn(self) -> bool:
        # What waits for the repaint, which a timer brings, is still to happen.
        screen = self.app.screen
        stale = screen._layout_required or screen._scroll_required or screen._repaint_required
        return bool(
            stale or screen._recompose_required or screen._dirty_widgets or screen._callbacks
        )

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each when the one before has had its effect."""
        for key in keys:
            self._send(key, key if len(key) == 1 else key_to_character(key))
            await self.settle()

    async def type(self, text: str) -> None:
        """Type a text into what has the focus, as fast as a paste."""
        for char in text:
            self._send(_character_to_key(char), char)
        await self.settle()

    def _send(self, key: str, character: str | None) -> None:
        self.send(Key(key, character))

    def send(self, event: Key | Paste) -> None:
        """Let the terminal send something, without waiting for what comes of it."""
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def fill(self, *texts: str) -> None:
        """Type texts into successive fields, walking on after each; "" leaves one as it is."""
        for text in texts:
            await self.type(text)
            await self.press("tab")

    async def find(self, words: str) -> None:
        """Choose the palette's first answer to some words."""
        await self.press("ctrl+p")
        await self.type(words)
        while any(each.node is self.screen and not each.is_finished for each in self.app.workers):
            await self.pilot.pause(0.01)
        await self.settle()
        await self.press("enter")

    # ------------------------------------------------------------------ seeing

    def text(self) -> str:
        """Return the top screen as it stands in the terminal."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def sees(self, words: str) -> bool:
        """Tell whether words stand on the screen, however they are broken into lines."""
        return words in " ".join(self.text().replace("│", " ").split())

    async def until(self, words: str) -> None:
        """Wait for words that come with a scroll or a timer, not with the key itself."""
        for _ in range(100):
            if self.sees(words):
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"{words!r} does not come:\n{self.text()}")

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The breadcrumb."""
        return self.screen.query_one(Crumbs).path

    @property
    def state(self) -> str:
        """What stands at the breadcrumb's right."""
        return self.screen.query_one(Crumbs).state

    @property
    def message(self) -> str:
        """The message line."""
        return self.screen.query_one(MessageLine).notice.text

    @property
    def kind(self) -> str:
        """What the message line's sentence is: help, warning, error, done."""
        return self.screen.query_one(MessageLine).notice.kind

    # ------------------------------------------------------------------ fields

    def editor(self, path: str) -> Any:
        """Return the editor of a dotted path on the present form."""
        prefix, _, name = path.rpartition(".")
        forms = self.screen.forms() if isinstance(self.screen, FormPage) else [self.screen.form]
        form: SettingsForm = next(f for f in forms if f.prefix == prefix and name in f.editors)
        return form.editors[name]

    def focused_on(self, path: str) -> bool:
        """Tell whether a field has the focus."""
        return self.app.focused is not None and self.editor(path) in self.app.focused.ancestors

    def errors(self) -> dict[str, str]:
        """Return the errors that are shown: dotted path → sentence."""
        return {
            f"{form.prefix}.{name}".lstrip("."): editor.error
            for form in self.screen.forms()
            for name, editor in form.editors.items()
            if editor.error
        }

    async def walk_to(self, path: str) -> None:
        """Walk to a field by Tab."""
        for _ in range(60):
            if self.focused_on(path):
                return
            await self.press("tab")
        raise AssertionError(f"{path} is not reached by Tab")

    async def walk_to_protocol(self) -> None:
        """Walk back to the first field of an account."""
        for _ in range(60):
            if self.app.focused is self.screen.protocol.target:
                return
            await self.press("shift+tab")
        raise AssertionError("Protocol is not reached by Shift+Tab")


@asynccontextmanager
async def console(
    folder: Path, *keys: str, size: tuple[int, int] = (80, 24), config: Config | None = None
) -> AsyncIterator[Driver]:
    """Run the console on the store in `folder`, with some keys pressed."""
    app = Console(config or config_in(folder))
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.settle()
        await driver.press(*keys)
        yield driver
    assert app.bugs == 0, "a bug was reported; see console.log"
