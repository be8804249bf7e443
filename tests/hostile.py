"""Text that tries to steer a terminal, and how to tell that it did not come through."""

import re

MARK = "owned"
"""In every payload, so that it can be told from what the console itself sends."""

PAYLOADS = {
    "colours": f"\x1b[7777m{MARK}",
    "clear": f"\x1b[7777J\x1b[7777;7777H{MARK}",
    "title": f"\x1b]0;{MARK}\x07",
    "clipboard": f"\x1b]52;c;{MARK}\x1b\\",
    "link": f"\x1b]8;;https://{MARK}.test\x1b\\here\x1b]8;;\x1b\\",
    "device control": f"\x1bP{MARK}\x1b\\",
    "application": f"\x1b_{MARK}\x1b\\\x1b^{MARK}\x1b\\",
    "eight bits": f"\x9b7777m\x9d0;{MARK}\x9c\x90{MARK}\x9c",
    "overwriting": f"{MARK}\x08\x08\x08\x08\x08\r\x0b\x0c\x00\x7f",
    "right to left": f"{MARK}\u202egpj.exe\u202c \u2066x\u2069\u200f\u061c",
    "invisible": f"{MARK}\u200b\ufeff\U000e0041\u2060\u00ad",
    "line ends": f"{MARK}\u2028{MARK}\u2029{MARK}\x85{MARK}",
    "markup": f"[bold red]{MARK}[/] [@click=app.quit]{MARK}[/] [link=x]y[/link] \\[",
}

ALL = " ".join(PAYLOADS.values())
_STEERING = re.compile(
    r"[\x80-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
    r"|\x1b\[[0-9;:?]*7777"
    rf"|\x1b[\]PX^_][^\x07\x1b]*{MARK}"
)


def steering(written: bytes) -> list[str]:
    """Return what of the payloads reached a terminal as more than text."""
    return _STEERING.findall(written.decode("utf-8", "replace"))


def controls(written: bytes) -> list[str]:
    """Return every control character but line ends, for output that has no need of any."""
    return re.findall(r"[\x00-\x09\x0b-\x1f\x7f]", written.decode("utf-8", "replace"))
