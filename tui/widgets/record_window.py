"""What a long list knows of its rows: a few pages around the view, and tokens for the rest.

Kept apart from any widget, so that paging can be tried by the thousand.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Generic, TypeVar

from services.paging import LAST, Page, direction

T = TypeVar("T")

KEEP = 2
"""Pages kept on either side of the one that is seen."""


@dataclass(eq=False)
class Slot(Generic[T]):
    """One page: where it begins, how long it is, and its rows while they are held."""

    after: str | None
    size: int = 0
    rows: list[T] | None = None
    previous: str | None = None
    """Of a page that was read backwards: where the one before it is found."""


@dataclass
class Window(Generic[T]):
    """The pages of a list, found by keyset: a page is known once its neighbour has come.

    It begins at the list's first row, or, made by `from_the_end`, grows upwards from the last one.
    """

    slots: list[Slot[T]] = field(default_factory=lambda: [Slot(None)])
    complete: bool = False
    """Whether the last page is known."""

    @classmethod
    def from_the_end(cls) -> "Window[T]":
        """Return a window on the list's last page."""
        return cls([Slot(LAST)])

    @property
    def begins(self) -> bool:
        """Whether the first row that is known is the list's first."""
        first = self.slots[0]
        return first.after is None or (first.rows is not None and first.previous is None)

    @property
    def whole(self) -> bool:
        """Whether every row is known of."""
        return self.complete and self.begins

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
        if first <= 0 and self.slots[0].previous is not None:
            self.slots.insert(0, Slot(self.slots[0].previous))
        start = self._place(first)[0] if first > 0 else 0
        end = self._place(max(last, first))[0]
        pages = [number for number in range(start, end + 1) if self.slots[number].rows is None]
        if not self.complete and last >= self.count() - 1 and len(self.slots) - 1 not in pages:
            pages.append(len(self.slots) - 1)
        return pages

    def arrived(self, number: int, page: Page[T]) -> int:
        """Take a page, and return by how many rows what is below its first one moved down.

        One that ends elsewhere than before makes the pages beyond its end unknown.
        """
        slot = self.slots[number]
        backwards, _place = direction(slot.after)
        return self._from_below(slot, page) if backwards else self._from_above(slot, page)

    def _from_above(self, slot: Slot[T], page: Page[T]) -> int:
        number = self.slots.index(slot)
        slot.rows, slot.size = list(page.rows), len(page.rows)
        following = self.slots[number + 1].after if number + 1 < len(self.slots) else None
        if page.next is None or following != page.next:
            del self.slots[number + 1 :]
            self.complete = page.next is None
            if page.next is not None:
                self.slots.append(Slot(page.next))
        return 0

    def _from_below(self, slot: Slot[T], page: Page[T]) -> int:
        number, before = self.slots.index(slot), self.count()
        if number and self.slots[number - 1].after != page.previous:
            del self.slots[:number]
        slot.rows, slot.size, slot.previous = list(page.rows), len(page.rows), page.previous
        self.complete = True
        return self.count() - before

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
        if self.whole and len(self.slots) == 1 and rows is not None:
            rows.sort(key=key, reverse=reverse)

    def _place(self, index: int) -> tuple[int, int]:
        """Return the page that a row stands on and that page's first index."""
        ends = list(accumulate(slot.size for slot in self.slots))
        number = min(bisect_right(ends, index), len(self.slots) - 1)
        return number, ends[number] - self.slots[number].size
