"""What is pasted, without the control characters in it.

Textual takes an ESC within a bracketed paste for the beginning of a key: what follows arrives as
keys, before the rest of the paste and out of its order. A text that somebody else wrote could so
press any key.
"""

START, END = "\x1b[200~", "\x1b[201~"
_KEPT = "\t\n\r"


class Pastes:
    """Follows the terminal's input, in pieces cut anywhere."""

    def __init__(self) -> None:
        """Begin outside."""
        self._inside = False
        self._seen = ""
        """The end of what came outside, in which a paste may have begun."""
        self._held = ""
        """The end of what came inside, which may be the beginning of the paste's end."""

    def cleaned(self, text: str) -> str:
        """Return the input as it may be handed on; what is typed stays as it is."""
        done = []
        text, self._held = self._held + text, ""
        while text:
            part, text = self._within(text) if self._inside else self._without(text)
            done.append(part)
        return "".join(done)

    def _without(self, text: str) -> tuple[str, str]:
        joined = self._seen + text
        place = joined.find(START)
        if place < 0:
            self._seen = joined[1 - len(START) :]
            return text, ""
        end = place + len(START) - len(self._seen)
        self._inside, self._seen = True, ""
        return text[:end], text[end:]

    def _within(self, text: str) -> tuple[str, str]:
        place = text.find(END)
        if place < 0:
            self._held = next((END[:n] for n in range(5, 0, -1) if text.endswith(END[:n])), "")
            return _plain(text.removesuffix(self._held)), ""
        self._inside = False
        return _plain(text[:place]) + END, text[place + len(END) :]


def _plain(text: str) -> str:
    return "".join(char for char in text if char in _KEPT or not _controls(char))


def _controls(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f"
