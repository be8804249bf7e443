"""The inbox as an Importer: headers come with the list, bodies over several connections.

Nothing in the mailbox is changed. Ids are immutable: they survive moves within the mailbox.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.errors import ConnectionFailed
from services.protocols.base import Body, Closing, Header, Listing, Mark, Page, Surroundings
from services.protocols.office365_fetch import Fetcher, Vanished
from services.protocols.office365_graph import Graph
from services.protocols.office365_items import header, received
from services.protocols.office365_listing import DeltaPage, LinkLost, Round
from services.protocols.office365_settings import Office365Settings
from services.protocols.office365_wire import Patience

SCOPE = "immutable-ids"
_REMEMBERED = 2_000
"""Headers that are kept until somebody asks for them; older ones are fetched again."""


class Office365Importer(Closing):
    """A mailbox that is only read (see services.protocols.base.Importer)."""

    at_once = 1

    def __init__(
        self,
        settings: Office365Settings,
        surroundings: Surroundings,
        patience: Patience | None = None,
    ) -> None:
        """Get a token. Raises AccountRefused, ConnectionFailed, Cancelled."""
        self._graph = Graph(settings, surroundings, patience)
        self._graph.token()
        self._fetcher = Fetcher(self._graph, surroundings)
        self._told: dict[str, Header] = {}

    def close(self) -> None:
        """Close all connections; never raises."""
        self._fetcher.close()
        self._graph.close()

    # ------------------------------------------------------------------ listing

    def look(self, mark: Mark | None, since: datetime | None, *, whole: bool = False) -> Listing:
        """List what came into the inbox since the mark; see the port."""
        count = inbox_count(self._graph)
        resumed = self._resumed(mark)
        if resumed is None:
            pages = self._pages(Round(self._graph), since)
        elif not whole:
            pages = self._pages(resumed, None)
        else:
            pages = self._compared(resumed, since)
        return Listing(SCOPE, count, None, resumed is not None, pages)

    def scope(self, mark: Mark | None) -> str:
        """Return the one scope that there is: immutable ids hold whatever happens."""
        return SCOPE

    def _compared(self, resumed: Round, since: datetime | None) -> Iterator[Page]:
        """Yield the whole mailbox, dates only, and go on later from where the mark leads to now.

        What came since the mark is new to the mailbox whatever its date.
        """
        news, link = set[str](), None
        for page in resumed.pages():
            self._remember(page)
            news.update(str(item["id"]) for item in page.items)
            link = page.delta_link
        for each in self._pages(Round(self._graph, lean=True), since, frozenset(news)):
            yield replace(each, cursor=link) if each.cursor else each

    def _resumed(self, mark: Mark | None) -> Round | None:
        """Return the round that goes on from a mark, None where it holds no longer."""
        if mark is None or mark.scope != SCOPE or not self._graph.cloud.owns(mark.cursor):
            return None
        try:
            return Round(self._graph, mark.cursor)
        except LinkLost:
            return None

    def _pages(
        self, delta: Round, since: datetime | None, late: frozenset[str] = frozenset()
    ) -> Iterator[Page]:
        """Yield the pages of a round; items of `late` are never early.

        Graph's times have whole seconds, rounded down: who came in the second of `since` is in.
        """
        limit = since.replace(microsecond=0) if since else None
        for page in delta.pages():
            early = tuple(_early(page, limit, late)) if limit else ()
            items = tuple(str(item["id"]) for item in page.items if item["id"] not in early)
            self._remember(page)
            yield Page(items, page.delta_link, early)

    def _remember(self, page: DeltaPage) -> None:
        for item in page.items:
            if found := header(item):
                self._told[found.item] = found
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]

    # ------------------------------------------------------------------ fetching

    def headers(self, items: Sequence[str]) -> Iterator[Header]:
        """Give headers, most of which came with the list. Items that have vanished are left out."""
        missing = [item for item in items if item not in self._told]
        # All at once: a caller may ask for bodies before it takes the next header.
        fetched = iter(list(self._fetcher.each(missing, Fetcher.header)))
        for item in items:
            if item in self._told:
                yield self._told.pop(item)
            elif not isinstance(found := next(fetched), Vanished):
                yield found

    def bodies(self, items: Sequence[str]) -> Iterator[Body]:
        """Fetch whole messages, several at once. Items that have vanished are left out."""
        for found in self._fetcher.each(items, Fetcher.body):
            if not isinstance(found, Vanished):
                yield found


def _early(page: DeltaPage, limit: datetime, late: frozenset[str]) -> Iterator[str]:
    for item in page.items:
        when = received(item)
        if when is not None and when < limit and item["id"] not in late:
            yield str(item["id"])


def inbox_count(graph: Graph) -> int:
    """Return how many messages the inbox holds. Raises as `Graph.call`."""
    found: dict[str, Any] = graph.get("mailFolders/inbox", {"$select": "totalItemCount"})
    try:
        return int(found["totalItemCount"])
    except (KeyError, TypeError, ValueError):
        raise ConnectionFailed("Graph does not count the inbox.", "Try again later.") from None
