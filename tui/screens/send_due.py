"""Sending what is due now, from the console, where no worker does it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from services.protocols.base import Surroundings
from services.text import count, plain
from services.worker.outgoing import work_off
from tui.widgets.glyphs import glyphs
from tui.widgets.run_dialog import RunDialog

if TYPE_CHECKING:
    from services.bootstrap import Services


class SendDue(RunDialog):
    """Works the outbox off once. Esc stops it; what was not handed to a server waits on."""

    def __init__(self) -> None:
        """Say what it does on the frame."""
        super().__init__("Send what is due")

    def work(self, services: "Services", surroundings: Surroundings) -> Any:
        """Take over what programs dropped, and send."""
        return work_off(services, surroundings, lambda: False)

    def running(self) -> Text:
        """Say how long it takes."""
        return Text(f"Sending{glyphs().ellipsis} {self.seconds:.0f} s")

    def finished(self, result: Any) -> Text:
        """Say how many messages are in which state now."""
        if not result.sent and self.said:
            return Text(f"{glyphs().bad} Nothing was sent. {plain(self.said)}")
        if not result.total:
            return Text("Nothing is due now.")
        words: Sequence[tuple[int, str]] = (
            (result.sent, "sent"),
            (result.queued, "to be tried again later"),
            (result.uncertain, "uncertain"),
            (result.failed, "failed"),
        )
        parts = ", ".join(f"{number:,} {what}" for number, what in words if number)
        mark = glyphs().yes if result.sent == result.total else glyphs().bad
        return Text(f"{mark} {count(result.total, 'message')}: {parts}.")
