"""What a long list knows of its rows: a few pages around the view, and tokens for the rest.

Kept apart from any widget, so that paging can be tried by the thousand.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Generic, TypeVar

from services.paging import Page

T = TypeVar("T")

KEEP = 2
"""Pages kept on either side of the one that is seen."""


@dataclass
class _Slot(Generic[T]):
    """One page: where it begins, how long it is, and its rows while they are held."""

    after: str | None
    size: int = 0
    rows: list[T] | None = None


@dataclass
class Window(Generic[T]):
    """The pages of a list, found by keyset: a page is known once the one before it has come."""

    slots: list[_Slot[T]] = field(default_factory=lambda: [_Slot(None)])
    complete: bool = False
    """Whether the last page is known."""

    def count(self) -> int:
        """Return how many rows are known of; more may follow while not complete."""
        return sum(slot.size for slot in self.slots)

    def row(self, index: int) -> T | None:
        """Return a row, None where its page is not held."""
        number, first = self._place(index)
        rows = self.slots[number].rows
        return rows[index - first] if rows is not None and 0 <= index - first < len(rows) else None

    def held(self) -> list[T]:
        """Return every row that is held, in order."""
        return [row for slot in self.slots for row in slot.rows or []]

    def wanted(self, first: int, last: int) -> list[int]:
        """Return the pages to fetch so that the rows from `first` to `last` can be shown."""
        start, end = self._place(first)[0], self._place(max(last, first))[0]
        pages = [number for number in range(start, end + 1) if self.slots[number].rows is None]
        if not self.complete and last >= self.count() - 1 and len(self.slots) - 1 not in pages:
            pages.append(len(self.slots) - 1)
        return pages

    def arrived(self, number: int, page: Page[T]) -> None:
        """Take a page. One that ends elsewhere than before makes the pages after it unknown."""
        slot = self.slots[number]
        slot.rows, slot.size = list(page.rows), len(page.rows)
        following = self.slots[number + 1].after if number + 1 < len(self.slots) else None
        if page.next is None or following != page.next:
            del self.slots[number + 1 :]
            self.complete = page.next is None
            if page.next is not None:
                self.slots.append(_Slot(page.next))

    def trim(self, index: int) -> None:
        """Let go of pages far from the row that is seen."""
        here = self._place(index)[0]
        for number, slot in enumerate(self.slots):
            if abs(number - here) > KEEP:
                slot.rows = None

    def forget(self) -> None:
        """Let go of every row, but not of where the pages begin."""
        for slot in self.slots:
            slot.rows = None

    def find(self, wanted: Callable[[T], bool]) -> int | None:
        """Return the index of the first held row that is wanted."""
        first = 0
        for slot in self.slots:
            for offset, row in enumerate(slot.rows or []):
                if wanted(row):
                    return first + offset
            first += slot.size
        return None

    def sort(self, key: Callable[[T], Any], *, reverse: bool) -> None:
        """Put the rows in another order. Only for a list that is one page and complete."""
        rows = self.slots[0].rows
        if self.complete and len(self.slots) == 1 and rows is not None:
            rows.sort(key=key, reverse=reverse)

    def _place(self, index: int) -> tuple[int, int]:
        """Return the page that a row stands on and that page's first index."""
        ends = list(accumulate(slot.size for slot in self.slots))
        number = min(bisect_right(ends, index), len(self.slots) - 1)
        return number, ends[number] - self.slots[number].size
