"""Fetches single messages over as many connections as the mailbox's limit allows just now."""

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

from services.protocols.base import Body, Header, Surroundings
from services.protocols.office365_advice import GraphError, Whose
from services.protocols.office365_graph import Call, Graph, parsed, with_query
from services.protocols.office365_items import QUERY, head_of, header, received, size
from services.protocols.office365_wire import Answer, Broken, TooLarge

MOST_CONNECTIONS = 4
"""What Exchange allows an app for one mailbox (MailboxConcurrency)."""
_VANISHED = (404, 410)

T = TypeVar("T")


@dataclass(frozen=True)
class Vanished:
    """The message is in the mailbox no longer."""

    item: str


class Fetcher:
    """Owns the connections beside the first one, and keeps them for the next batch."""

    def __init__(self, graph: Graph, around: Surroundings) -> None:
        """Take the connection that the caller holds a slot for."""
        self._around = around
        self._lines = [graph]
        # MIME writes attachments in Base64, a third longer than what Exchange counts.
        self._limit = 2 * around.config.max_message_bytes

    def close(self) -> None:
        """Close the further connections; never raises."""
        for line in self._lines[1:]:
            line.close()
        del self._lines[1:]

    def each(
        self, items: Sequence[str], fetch: Callable[["Fetcher", Graph, str], T]
    ) -> Iterator[T]:
        """Yield what `fetch` makes of each item, in their order. Raises what it raises."""
        if len(items) < 2:
            yield from (fetch(self, self._lines[0], item) for item in items)
            return
        with self._around.more_slots(min(len(items), MOST_CONNECTIONS) - 1) as further:
            while len(self._lines) < further + 1:
                self._lines.append(self._lines[0].another())
            yield from self._parallel(items, fetch, self._lines[: further + 1])

    def _parallel(
        self,
        items: Sequence[str],
        fetch: Callable[["Fetcher", Graph, str], T],
        lines: Sequence[Graph],
    ) -> Iterator[T]:
        free: queue.SimpleQueue[Graph] = queue.SimpleQueue()
        for line in lines:
            free.put(line)

        def one(item: str) -> T:
            line = free.get()
            try:
                return fetch(self, line, item)
            finally:
                free.put(line)

        with ThreadPoolExecutor(len(lines), "graph") as pool:
            futures = [pool.submit(one, item) for item in items]
            with _all_or_none(futures):
                for place, future in enumerate(futures):
                    found = future.result()
                    futures[place] = Future()  # lets go of the bytes
                    yield found

    # ------------------------------------------------------------------ one message

    def body(self, line: Graph, item: str) -> Body | Vanished:
        """Fetch a message's bytes."""
        found = self._blamed(line, item, f"{_path(item)}/$value", self._limit)
        if isinstance(found, Answer):
            return Body(item, found.body)
        return found if isinstance(found, Vanished) else Body(item, None, found)

    def header(self, line: Graph, item: str) -> Header | Vanished:
        """Fetch a message's header block; where Graph tells no fields, out of its bytes."""
        told = self._blamed(line, item, with_query(_path(item), QUERY), None)
        if isinstance(told, Vanished):
            return told
        if isinstance(told, str):
            return Header(item, 0, datetime.now(UTC), b"", told)
        fields = parsed(told)
        if found := header(fields | {"id": item}):
            return found
        whole = self.body(line, item)
        if isinstance(whole, Vanished):
            return whole
        data, when = whole.data or b"", received(fields) or datetime.now(UTC)
        return Header(item, max(size(fields), len(data)), when, head_of(data), whole.fault)

    def _blamed(
        self, line: Graph, item: str, path: str, limit: int | None
    ) -> Answer | Vanished | str:
        """Ask for one message; where only this one fails, return why."""
        try:
            return line.call(Call("GET", path, limit=limit))
        except TooLarge:
            return f"it has more than {(limit or 0) / 1e6:.0f} MB"
        except Broken as error:
            fault = error.message
        except GraphError as error:
            if error.fault.status in _VANISHED and error.fault.remedy.whose is not Whose.ACCOUNT:
                return Vanished(item)
            if error.fault.remedy.whose is Whose.ACCOUNT:
                raise
            fault = error.message
        self._prove(line)
        return fault

    def _prove(self, line: Graph) -> None:
        """Raise ConnectionFailed where it is not this one message that fails."""
        line.get("mailFolders/inbox", {"$select": "id"})


def _path(item: str) -> str:
    return f"messages/{quote(item, safe='')}"


@contextmanager
def _all_or_none(futures: Sequence[Future[T]]) -> Iterator[None]:
    """Start nothing further where the block is left early."""
    try:
        yield
    finally:
        for future in futures:
            future.cancel()
