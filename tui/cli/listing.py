"""Long lists: page by page from the services, whole for programs, bounded for people."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any, Generic, TypeVar

import typer

from services.paging import Page
from tui.cli.output import say

T = TypeVar("T")

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="At most so many. Without it: 200, or all with --json."
    ),
]
FOR_PEOPLE = 200


class Rows(Generic[T]):
    """The rows that a command shows, fetched as they are needed."""

    def __init__(self, fetch: Callable[[Any], Page[T]], limit: int | None, *, json: bool) -> None:
        """Take how a page is fetched after a mark, and how many rows are wanted."""
        self._fetch = fetch
        self._most = limit or (None if json else FOR_PEOPLE)
        self._told = limit is not None or json

    def __iter__(self) -> Iterator[T]:
        """Yield the rows; tell a person where there are more of them."""
        rows = self._every()
        yield from islice(rows, self._most)
        if not self._told and next(rows, None) is not None:
            say(f"There are more than these {self._most}; --limit shows more.")

    def _every(self) -> Iterator[T]:
        after = None
        while True:
            page = self._fetch(after)
            yield from page.rows
            if page.next is None:
                return
            after = page.next
