"""Two people's changes of one record, put together field by field.

Values are given by path, three times: what both began from (`base`), what one has saved meanwhile
(`theirs`) and what the other wants to save (`mine`). A list is compared entry by entry, so that two
people who each add a contact both keep theirs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from services.changes.differences import keyed

Values = Mapping[str, Any]
"""A record's values by the dotted paths of its fields."""


class Side(StrEnum):
    """Whose value stands."""

    THEIRS = "theirs"
    MINE = "mine"


@dataclass(frozen=True)
class Point:
    """One field, or one entry of a list, that the two sides do not have alike."""

    path: str
    entry: str | None
    """What tells the entry from the others; None where the field is no list."""
    base: Any
    theirs: Any
    mine: Any
    """Of an entry None where it is not in the list."""
    side: Side | None
    """Whose value stands; None where both changed it and somebody must choose."""

    @property
    def contested(self) -> bool:
        """Whether both changed it."""
        return bool(self.base != self.theirs and self.base != self.mine)

    @property
    def value(self) -> Any:
        """The value of the side that stands. Raises ValueError where nobody has chosen."""
        if self.side is None:
            raise ValueError(f"Nobody has chosen whose {self.path} stands.")
        return self.theirs if self.side is Side.THEIRS else self.mine

    def chosen(self, side: Side) -> "Point":
        """Return it with a side."""
        return replace(self, side=side)


def compare(base: Values, theirs: Values, mine: Values) -> list[Point]:
    """Return where the two sides part, in the order of my fields.

    A field that only one side has at all (another protocol's) is no point: that side's stands.
    """
    return [
        point
        for path in mine
        if path in theirs
        for point in _points(path, base.get(path), theirs[path], mine[path])
    ]


def merge(theirs: Values, mine: Values, points: Iterable[Point]) -> dict[str, Any]:
    """Return the values that result once a side was chosen at every point.

    Raises ValueError where one is missing.
    """
    merged = {**theirs, **mine}
    entries: dict[str, list[Point]] = {}
    for point in points:
        if point.entry is None:
            merged[point.path] = point.value
        else:
            entries.setdefault(point.path, []).append(point)
    for path, found in entries.items():
        merged[path] = _merged_list(mine[path] or (), found)
    return merged


def _points(path: str, base: Any, theirs: Any, mine: Any) -> Iterator[Point]:
    if isinstance(theirs, tuple) and isinstance(mine, tuple):
        before, yours, ours = keyed(base or ()), keyed(theirs), keyed(mine)
        for key in dict.fromkeys([*before, *yours, *ours]):
            yield from _point(path, key, before.get(key), yours.get(key), ours.get(key))
    else:
        yield from _point(path, None, base, theirs, mine)


def _point(path: str, entry: str | None, base: Any, theirs: Any, mine: Any) -> Iterator[Point]:
    if theirs == mine:
        return
    side = Side.THEIRS if mine == base else Side.MINE if theirs == base else None
    yield Point(path, entry, base, theirs, mine, side)


def _merged_list(mine: tuple[Any, ...], points: Iterable[Point]) -> tuple[Any, ...]:
    """Return my list with each contested entry as it was chosen; what is new comes last."""
    entries = keyed(mine)
    for point in points:
        assert point.entry is not None
        if point.value is None:
            entries.pop(point.entry, None)
        else:
            entries[point.entry] = point.value
    return tuple(entries.values())
