"""Test Connection: the ladder of an unsaved form, climbed on a thread, left at any moment."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from services.cancel import Cancel
from services.errors import InvalidInput, ServiceError
from services.protocols.base import Surroundings
from tui.widgets.chrome import KeyLine
from tui.widgets.dialogs import Dialog
from tui.widgets.ladder import Ladder, failed

PROVIDER = "These values come from your email service provider."
"""The manual's note on Configuration."""


class TestConnection(Dialog):
    """Hands back the dotted path of the field to go to, wrong fields' errors, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Go to field"),
        Binding("r", "again", "Again"),
        Binding("escape,f5,ctrl+t", "leave", "Close"),
    ]

    @dataclass
    class Said(Message):
        """The connection says what takes long; posted from its thread."""

        words: str

    def __init__(self, name: str, raw: Mapping[str, Any], of: uuid.UUID | None) -> None:
        """Take the form's raw values, and which account is edited."""
        super().__init__(f"Test Connection: {name}")
        self.raw, self.of = raw, of
        self.cancel = Cancel()
        self.seconds = 0

    def contents(self) -> Iterable[Widget]:
        """Return the ladder."""
        yield Ladder()
        yield KeyLine()

    @property
    def ladder(self) -> Ladder:
        """The ladder."""
        return self.query_one(Ladder)

    def on_mount(self) -> None:
        """Climb."""
        self.set_interval(1, self._tick)
        self.action_again()

    def action_again(self) -> None:
        """Climb from the ground; what still runs is cancelled and no longer heard."""
        self.cancel.cancel()
        self.cancel = Cancel()
        self.seconds, self.ladder.steps, self.ladder.closing = 0, (), ""
        self.ladder.waiting = "Testing; Esc stops."
        self.start(self._climb(self.cancel), group="climb")

    async def _climb(self, cancel: Cancel) -> None:
        services = await self.services()
        surroundings = Surroundings(services.config, cancel, self._hear)
        draft = await self.ask(lambda: services.accounts.draft(self.raw))
        async for step in self.console.door.stream(
            lambda: services.probe.climb(draft, self.of, surroundings)
        ):
            self.ladder.steps = (*self.ladder.steps, step)
        self._finish()

    def _hear(self, words: str) -> None:
        """Take what the connection says, on its thread."""
        self.post_message(self.Said(words))

    def _finish(self) -> None:
        broken = failed(self.ladder.steps)
        self.ladder.waiting = ""
        self.ladder.closing = f"{broken.hint} {PROVIDER}".strip() if broken else "All is well."
        self.refresh_bindings()

    def refuse(self, error: ServiceError) -> None:
        """Wrong fields go back to the form; anything else is said here."""
        if isinstance(error, InvalidInput):
            self.dismiss(error)
        else:
            self.ladder.waiting = ""
            self.ladder.closing = str(error)

    def on_test_connection_said(self, event: Said) -> None:
        """Show what takes long."""
        if self.ladder.waiting:
            self.ladder.waiting = event.words

    def _tick(self) -> None:
        self.seconds += 1
        if self.ladder.waiting.startswith("Testing"):
            self.ladder.waiting = f"Testing, {self.seconds} s; Esc stops."

    def _field(self) -> str | None:
        broken = failed(self.ladder.steps)
        return broken.field if broken else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a field only where there is one to mend."""
        if action == "go" and self.is_mounted:
            return self._field() is not None
        return True

    def action_go(self) -> None:
        """Go to the field to mend."""
        self.cancel.cancel()
        self.dismiss(self._field())

    def action_leave(self) -> None:
        """Close at once; the connection is closed behind us."""
        self.stop_work()
        self.dismiss(None)

    def stop_work(self) -> None:
        """Close the connection under the thread that waits on it."""
        self.cancel.cancel()
