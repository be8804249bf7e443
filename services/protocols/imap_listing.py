"""What an IMAP mark means, and how a listing becomes pages (pure: no server, no store)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from services.protocols.base import Mark, Page
from services.protocols.imap_session import Inbox

PAGE_ITEMS = 200
EARLY_ITEMS = 10_000


@dataclass(frozen=True)
class Position:
    """An IMAP mark's cursor: ``settled``, or ``settled/first`` while the first look goes on."""

    settled: int
    """Every UID up to here has its row, or lies before Import From."""
    first: int
    """Up to this UID Import From decides by date; above it everything is wanted."""

    @classmethod
    def parse(cls, cursor: str) -> "Position":
        """Read a cursor that `text` wrote."""
        settled, _, first = cursor.partition("/")
        return cls(int(settled), int(first or 0))

    @property
    def text(self) -> str:
        """The cursor as the mark keeps it."""
        return f"{self.settled}/{self.first}" if self.settled < self.first else str(self.settled)


def resume(mark: Mark | None, inbox: Inbox) -> tuple[str, Position | None]:
    """Return the scope of the UIDs, and where to go on; None: the mark holds no longer.

    A mailbox restored from a backup can go back behind the mark under the same UIDVALIDITY. Its
    UIDs will name other messages then, so they get a scope of their own.
    """
    fresh = str(inbox.uidvalidity)
    if mark is None or mark.scope.partition("+")[0] != fresh:
        return fresh, None
    position = Position.parse(mark.cursor)
    if inbox.uidnext is None or inbox.uidnext > position.settled:
        return mark.scope, position
    _, _, times = mark.scope.partition("+")
    return f"{fresh}+{int(times or 0) + 1}", None


def pages(
    uids: Sequence[int], early: Collection[int], end: Position, fresh: bool
) -> Iterator[Page]:
    """Cut ascending UIDs into pages, the last of which ends at `end`, where everything is settled.

    A `fresh` look has a page even where the mailbox is empty, since a mark has to come out of it.
    """
    items: list[str] = []
    early_items: list[str] = []
    for place, uid in enumerate(uids, 1):
        (early_items if uid in early else items).append(str(uid))
        last = place == len(uids)
        if last or len(items) == PAGE_ITEMS or len(early_items) == EARLY_ITEMS:
            position = end if last else Position(uid, end.first)
            yield Page(tuple(items), position.text, tuple(early_items))
            items, early_items = [], []
    if fresh and not uids:
        yield Page((), end.text)
