"""Long lists of values, cut to what one statement may hold.

SQLite takes 32,766 parameters in a statement (250,000 as Debian builds it), PostgreSQL 65,535.
"""

from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

SIZE = 500


def chunks(values: Iterable[T], size: int = SIZE) -> Iterator[list[T]]:
    """Cut values, each once and in their order, into lists of at most `size`."""
    rest = iter(dict.fromkeys(values))
    while chunk := list(islice(rest, size)):
        yield chunk
