"""How a cell is drawn, and the shortest way from one pen to another (ECMA-48, SGR)."""

import re
from functools import lru_cache
from typing import NamedTuple


class Irregular(ValueError):
    """Something whose effect on the screen is not known here."""


class Pen(NamedTuple):
    """What is in force when a cell is written; the terminal's own colours are ""."""

    marks: frozenset[str] = frozenset()
    """SGR numbers that are on: bold, reverse and so on."""
    fore: str = ""
    back: str = ""
    link: str = ""
    """What stands between `ESC ] 8 ;` and its end: parameters, a semicolon and an address."""


PLAIN = Pen()

_OFF = {"22": "1 2", "23": "3", "24": "4 21", "25": "5 6", "27": "7", "28": "8", "29": "9"}
_OFF |= {"54": "51 52", "55": "53"}
_MARK = re.compile("[1-9]|21|5[123]")
_FORE, _BACK = re.compile("3[0-9]|9[0-7]"), re.compile("4[0-9]|10[0-7]")
_SHOWN_ON_BLANKS = frozenset(("4", "5", "6", "7", "9", "21", "51", "52", "53"))


@lru_cache(4096)
def drawn_by(pen: Pen, numbers: str) -> Pen:
    """Return the pen after `ESC [ numbers m`. Raises Irregular for what is not known here."""
    left = numbers.split(";")
    while left:
        pen = _after(pen, left.pop(0) or "0", left)
    return pen


def _after(pen: Pen, number: str, left: list[str]) -> Pen:
    if number == "0":
        return PLAIN._replace(link=pen.link)
    if _MARK.fullmatch(number):
        return pen._replace(marks=pen.marks | {number})
    if number in _OFF:
        return pen._replace(marks=pen.marks - set(_OFF[number].split()))
    if _FORE.fullmatch(number):
        return pen._replace(fore=_colour(number, left))
    if _BACK.fullmatch(number):
        return pen._replace(back=_colour(number, left))
    raise Irregular(number)


def _colour(number: str, left: list[str]) -> str:
    if number in ("39", "49"):
        return ""
    if number not in ("38", "48"):
        return number
    size = {"5": 2, "2": 4}.get(left[0] if left else "", 0)
    if not size or len(left) < size:
        raise Irregular(number)
    return ";".join([number, *(left.pop(0) for _ in range(size))])


@lru_cache(4096)
def on_blank(pen: Pen) -> Pen:
    """Return the simplest pen with which a blank looks the same: its own colour is not seen."""
    return pen if pen.marks & _SHOWN_ON_BLANKS else Pen(back=pen.back, link=pen.link)


@lru_cache(4096)
def change(old: Pen, new: Pen) -> str:
    """Return the shortest sequence that turns the old pen into the new one."""
    return _link(old, new) + min(_added(old, new), _anew(new), key=len)


def _link(old: Pen, new: Pen) -> str:
    return "" if old.link == new.link else f"\x1b]8;{new.link or ';'}\x1b\\"


def _anew(new: Pen) -> str:
    numbers = [*sorted(new.marks), new.fore, new.back]
    kept = ";".join(number for number in numbers if number)
    return f"\x1b[0;{kept}m" if kept else "\x1b[m"


def _added(old: Pen, new: Pen) -> str:
    """Return what only adds to the old pen; where something must go, the other way of it all."""
    if old.marks - new.marks or (old.fore and not new.fore) or (old.back and not new.back):
        return _anew(new)
    numbers = [*sorted(new.marks - old.marks)]
    numbers += [new.fore] if new.fore != old.fore else []
    numbers += [new.back] if new.back != old.back else []
    return f"\x1b[{';'.join(numbers)}m" if numbers else ""
