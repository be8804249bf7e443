"""Foreign text made harmless, and times and sizes made readable, for every face."""

import unicodedata
from datetime import datetime

_BIDI = {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200E, 0x200F)}


def plain(text: str, width: int | None = None) -> str:
    """Return one line that cannot steer a terminal: for anything that came from outside.

    Line breaks and tabs become spaces, bidi marks vanish, other control, format and private
    characters and lone surrogates become U+FFFD. `width` cuts to that many characters.
    """
    line = text if text.isprintable() else "".join(map(_harmless, text))
    if width is not None and len(line) > width:
        return line[: max(width - 1, 0)] + "…"
    return line


def plain_lines(text: str) -> str:
    """Return several lines that cannot steer a terminal, as a mail's body."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(plain(line.expandtabs(8)) for line in unified.split("\n"))


def _harmless(char: str) -> str:
    if char.isprintable():
        return char
    if char in "\n\r\t\v\f\u2028\u2029\x85":
        return " "
    if char in _BIDI:
        return ""
    if char in "\u200c\u200d" or unicodedata.category(char) == "Zs":
        return char
    return "\ufffd"


def clock(moment: datetime | None, now: datetime) -> str:
    """Return a moment as people name it, in the zone of `now`, at most 12 characters wide."""
    if moment is None:
        return ""
    local = _local(moment, now)
    days = (now.date() - local.date()).days
    if days == 0:
        return f"today {local:%H:%M}"
    if days == 1:
        return f"yest. {local:%H:%M}"
    if local.year == now.year:
        return f"{local:%d %b %H:%M}"[:12]
    return f"{local:%Y-%m-%d}"


def _local(moment: datetime, now: datetime) -> datetime:
    try:
        return moment.astimezone(now.tzinfo)
    except OverflowError:  # a mail may be dated on the last day of all
        return moment


COUNTED = 10_000
"""Long lists are counted up to so many: nobody asks how much longer they are."""


def figure(number: int) -> str:
    """Return the number of a long list; above `COUNTED` it is not known: ``10,000+``."""
    return f"{number:,}" if number <= COUNTED else f"{COUNTED:,}+"


def counted_words(number: int, one: str, many: str | None = None) -> str:
    """Return the number of a long list with its noun."""
    return f"{figure(number)} {one if number == 1 else many or one + 's'}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 contact``, ``2 contacts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size_words(octets: int) -> str:
    """Return a size as people name it."""
    if octets < 1_000:
        return f"{octets} bytes"
    return f"{octets / 1_000:,.0f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:,.1f} MB"
