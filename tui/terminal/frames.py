"""What Textual writes, made into what is sent: of its frames only what they change."""

import re

from tui.terminal.paint import Painter
from tui.terminal.pen import Irregular

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: the terminal shows nothing of what is between before it has it all."""
SMALL = 256
"""Bytes below which a frame is sent without such brackets: it arrives in one piece anyway."""

_FRAME = re.compile(r"\x1b\[\d+;\d+H")
_HARMLESS = re.compile(
    r"(?:\x1b\[\?(?:7|25|100[0-6]|101[56]|2004|2048)[hl]"  # wrapping, cursor, reports, paste
    r"|\x1b\[\?\d+\$p|\x1b\[[<>=]\d*u|\x1b\[\d* q"  # queries, keyboard, the cursor's shape
    r"|\x1b\](?!8;)\d+;[^\x07\x1b]*(?:\x07|\x1b\\)"  # title, clipboard
    r"|\x07)+"
)
"""What changes neither a cell nor the cursor's place."""


class Frames:
    """Keeps the frames apart from the rest, which is passed on as it is."""

    def __init__(self, width: int, height: int) -> None:
        """Begin with a terminal of that size, of which nothing is known."""
        self._painter = Painter(width, height)
        self._synchronized = False

    def resize(self, width: int, height: int) -> None:
        """Take another size, or hear that the size has changed and changed back.

        What stands in the terminal is unknown then. Textual paints all anew for another size alone.
        """
        if (width, height) == self._painter.size:
            self._painter.repaint()
        else:
            self._painter = Painter(width, height)

    def take(self, data: str, paint: bool = True) -> str:
        """Take what Textual writes; return what to send.

        Without `paint` a frame is kept, to be sent together with those after it.
        """
        if data in (BEGIN, END):
            self._synchronized = data == BEGIN
            return ""
        if not _FRAME.match(data):
            return self._pass(data, known=_HARMLESS.fullmatch(data) is not None)
        try:
            self._painter.wanted.lay(data)
        except Irregular:
            return self._pass(data, known=False)
        return self.paint() if paint else ""

    def paint(self) -> str:
        """Return what is still to be sent of the frames."""
        sent = self._painter.paint()
        return f"{BEGIN}{sent}{END}" if self._synchronized and len(sent) > SMALL else sent

    def _pass(self, data: str, *, known: bool) -> str:
        """Return something as it is, after what is due; what it does may be unknown."""
        sent = self.paint() + data
        if not known:
            self._painter.forget()
        return sent
