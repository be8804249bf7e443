"""Keyset pages: the same speed at a hundred rows and at a million, from either end of a list.

A place in a list is a token that only the list's own service reads. Asked for the page `after` a
place, a service reads on from there; asked with a token of `before`, or with `LAST`, it reads
backwards, and hands the rows back in the list's order all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

LAST = "$"
"""Asks for the list's last page."""
_BEFORE = "<"


@dataclass(frozen=True)
class Page(Generic[T]):
    """A stretch of a list, and where its neighbours begin."""

    rows: list[T]
    next: str | None
    """Pass back as `after` for the following page; None: this was the last."""
    previous: str | None = None
    """Of a page that was read backwards: pass back for the one before; None: this is the first."""


def direction(after: str | None) -> tuple[bool, str | None]:
    """Return whether a page is read backwards, and from which place (None: the list's end)."""
    if after == LAST:
        return True, None
    if after is not None and after.startswith(_BEFORE):
        return True, after.removeprefix(_BEFORE)
    return False, after


def cut(rows: Sequence[T], limit: int, backwards: bool, place: Callable[[T], str]) -> Page[T]:
    """Make a page of rows as they were read: one more than `limit` where there are more."""
    kept, more = list(rows[:limit]), len(rows) > limit
    edge = place(kept[-1]) if more else None
    if backwards:
        return Page(kept[::-1], None, None if edge is None else f"{_BEFORE}{edge}")
    return Page(kept, edge)
