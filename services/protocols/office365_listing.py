"""Delta rounds of the inbox: every message once, whatever pages repeat, skip or take back.

Only what came into the folder is asked for: a message that somebody reads or flags would else come
again, and without its headers (https://learn.microsoft.com/graph/api/message-delta).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.errors import ConnectionFailed
from services.protocols.office365_advice import GraphError
from services.protocols.office365_graph import IMMUTABLE, Call, Graph, parsed, with_query
from services.protocols.office365_items import QUERY

PAGE_ITEMS = 100
LEAN_PAGE_ITEMS = 500
_DELTA = "mailFolders/inbox/messages/delta"
_NEW = {"changeType": "created"}
_START = with_query(_DELTA, {**_NEW, **QUERY})
_LEAN_START = with_query(_DELTA, {**_NEW, "$select": "receivedDateTime"})
_LOST = {"SyncStateNotFound", "SyncStateInvalid", "resyncRequired"}


@dataclass(frozen=True)
class DeltaPage:
    """New items, and the delta link where the round ends here."""

    items: tuple[Mapping[str, Any], ...]
    delta_link: str | None


class LinkLost(Exception):
    """The service remembers the delta link no longer."""


class Round:
    """One walk through the pages, begun at once so that a lost link shows itself."""

    def __init__(self, graph: Graph, delta_link: str | None = None, *, lean: bool = False) -> None:
        """Ask for the first page; a `lean` round tells dates alone.

        Raises LinkLost, ConnectionFailed, Cancelled.
        """
        self._graph = graph
        self._start = delta_link or (_LEAN_START if lean else _START)
        self._size = LEAN_PAGE_ITEMS if lean else PAGE_ITEMS
        self._first = self._fetch(self._start)
        self._seen: set[str] = set()

    def pages(self) -> Iterator[DeltaPage]:
        """Yield the pages, the last of which has the delta link.

        Where the service forgets the round in the middle, it begins again from where it began.
        """
        page, again = self._first, True
        while True:
            link = page.get("@odata.nextLink")
            fresh = tuple(self._fresh(page))
            end = None if link else str(page["@odata.deltaLink"])
            if fresh or end:
                yield DeltaPage(fresh, end)
            if end:
                return
            try:
                page = self._fetch(str(link))
            except LinkLost:
                if not again:
                    raise _forgotten() from None
                again = False
                page = self._restart()

    def _restart(self) -> dict[str, Any]:
        try:
            return self._fetch(self._start)
        except LinkLost:
            raise _forgotten() from None

    def _fresh(self, page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a page that this round has not shown yet; removals are none."""
        for item in page.get("value") or ():
            key = str(item.get("id", ""))
            if key and "@removed" not in item and key not in self._seen:
                self._seen.add(key)
                yield item

    @property
    def _headers(self) -> dict[str, str]:
        return {"Prefer": f"{IMMUTABLE}, odata.maxpagesize={self._size}"}

    def _fetch(self, link: str) -> dict[str, Any]:
        try:
            page = parsed(self._graph.call(Call("GET", link, headers=self._headers)))
        except GraphError as error:
            if error.fault.status == 410 or error.fault.code in _LOST:
                raise LinkLost from None
            raise
        if "@odata.nextLink" not in page and "@odata.deltaLink" not in page:
            raise ConnectionFailed("Graph's list of messages ends in the middle.", "Try again.")
        return page


def _forgotten() -> ConnectionFailed:
    return ConnectionFailed(
        "Microsoft forgot the list of messages while we read it.",
        "What was imported is kept; the next run looks at the mailbox again.",
    )
