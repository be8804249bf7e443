"""The rungs of Test Connection, drawn as they are climbed."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from services.text import plain
from tui.widgets.chrome import fit
from tui.widgets.glyphs import glyphs

if TYPE_CHECKING:
    from services.protocols.base import Step


class Ladder(Widget):
    """One line per rung: mark, name, what was found, milliseconds; the hint below all."""

    DEFAULT_CSS = """
    Ladder { height: auto; min-height: 8; width: 100%; }
    """

    steps: reactive["tuple[Step, ...]"] = reactive((), layout=True)
    waiting: reactive[str] = reactive("", layout=True)
    """What is going on, "" once all is done."""
    closing: reactive[str] = reactive("", layout=True)
    """The sentence below the rungs."""

    def render(self) -> Text:
        """Draw the rungs."""
        width = max(self.size.width, 40)
        text = Text(no_wrap=True)
        for step in self.steps:
            _draw(text, step, width)
        if self.waiting:
            text.append(f"{glyphs().ellipsis} {plain(self.waiting)}\n", "dim")
        if self.closing:
            text.append("\n" + textwrap.fill(plain(self.closing), width) + "\n")
        return text


def _draw(text: Text, step: "Step", width: int) -> None:
    mark, style = {
        True: (glyphs().yes, "green"),
        False: (glyphs().no, "bold red"),
        None: (" ", "dim"),
    }[step.ok]
    words = plain(step.detail) if step.ok is not None else "not reached"
    room = width - 22
    lines = textwrap.wrap(words, room) or [""]
    text.append(f"{mark} ", style)
    text.append(f"{fit(plain(step.step), 10)} ", style if step.ok is None else "")
    text.append(fit(lines[0], room), "dim" if step.ok is None else "")
    text.append(f"{step.ms:>6} ms\n" if step.ok is not None else "\n", "dim")
    for line in lines[1:]:
        text.append(f"{'':13}{line}\n")


def failed(steps: Sequence["Step"]) -> "Step | None":
    """Return the rung that broke, None where all hold."""
    return next((step for step in steps if step.ok is False), None)
