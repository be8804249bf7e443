"""The walk through a mailbox: every listed message is settled, a batch at a time.

Headers come first; a body is fetched only for what will be kept, for what may be a bounce, and
where only the content tells whether a message is here already. While one batch of bodies is judged
and stored, the next ones are fetched, and the next page's headers; never are more than these in
memory.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from models.account import Account
from models.mail import Outcome
from services.errors import ServiceError
from services.importing import ledger
from services.importing.ahead import Ahead
from services.importing.apart import Apart
from services.importing.examine import Draft, Examiner
from services.importing.ledger import Entry, Fingerprints, vanished
from services.importing.reading import Reading
from services.importing.result import Counts, Progress
from services.protocols.base import Body, Header, Importer, Listing, Page, Surroundings
from services.store.engine import Store

BATCH_BYTES = 2_500_000
BATCH_MESSAGES = 200
AHEAD = 2
"""Batches that are fetched while one is judged and stored."""
_LOOKED_UP = 500
T = TypeVar("T")
Whole = tuple[Body, Reading | None]
"""A body, and what was read of it apart."""


class Recorder(Protocol):
    """Where the walk leaves what it decided: the ledger, or a rehearsal's list."""

    def copies(self, identities: Iterable[str]) -> Mapping[str, Sequence[Fingerprints]]:
        """Return what is here under these identities."""
        ...

    def commit(
        self, entries: Sequence[Entry], counts: Counts, cursor: str | None, early: int
    ) -> Counts:
        """Take a batch as a whole, and return `counts` with it in them.

        With a `cursor`, everything up to there is settled. `early` is how many messages before
        Import From the walk has passed so far.
        """
        ...


@dataclass(frozen=True)
class _Turn:
    """The end of a page, whose cursor is committed with its last batch."""

    page: Page
    known: int
    vanished: Sequence[str]
    """What was listed, but had no headers any more."""


@dataclass(frozen=True)
class _Chunk:
    """Headers that came together; the last ones of a page turn it."""

    headers: Sequence[Header]
    turn: _Turn | None


@dataclass(frozen=True)
class _Batch:
    """Messages that are settled together, their bodies, as far as they are wanted, on their way."""

    drafts: Sequence[Draft]
    bodies: Future[list[Whole]]
    turn: _Turn | None


class Walk:
    """One run through a listing; `counts` holds what was committed so far."""

    def __init__(
        self,
        store: Store,
        importer: Importer,
        account: Account,
        recorder: Recorder,
        surroundings: Surroundings,
        progress: Callable[[Progress], None],
    ) -> None:
        """Take the open mailbox, and where the decisions go."""
        self._store, self._importer, self._account = store, importer, account
        self._recorder, self._around, self._progress = recorder, surroundings, progress
        self._apart = Apart(surroundings.cancel)
        self.counts = Counts()
        self.listed = self.early = 0
        self.cursor: str | None = None

    def go(self, listing: Listing, *, save_cursor: bool) -> None:
        """Settle every page. Raises ServiceError, Cancelled; what was committed stays.

        Without `save_cursor` the mark is left to the caller, who finds it in `cursor`.
        """
        self.counts.server_count = listing.server_count
        examiner = Examiner(self._store, self._account, self._recorder.copies, self._around, AHEAD)
        with self._apart, Ahead(self._around.cancel, self._importer.at_once) as ahead:
            for batch in _some_ahead(self._batches(listing, examiner, ahead)):
                self._around.cancel.check()
                self._settle(batch, listing, examiner, save_cursor)
                del batch  # its bodies would stay while the next ones are asked for

    def account_for_the_rest(self, before: int, *, whole: bool) -> None:
        """Count the messages that the listing left out, since they lie below the mark.

        `before` of them lay before Import From; how many of those are still there, only a
        comparison of the `whole` mailbox tells.
        """
        counts = self.counts
        counts.server_count = max(counts.server_count, self.listed)
        rest = counts.server_count - self.listed
        if whole:
            counts.gone += rest  # they vanished between the count and the listing
            return
        counts.before_start += min(before, rest)
        counts.known += rest - min(before, rest)

    def _pass_early(self, scope: str, items: Sequence[str]) -> None:
        """Count what lies before Import From, save for what an earlier run settled all the same."""
        self.listed += len(items)
        for start in range(0, len(items), _LOOKED_UP):
            chunk = items[start : start + _LOOKED_UP]
            known = len(self._settled(scope, chunk))
            self.counts.known += known
            self.counts.before_start += len(chunk) - known
            self.early += len(chunk) - known

    def _settled(self, scope: str, items: Sequence[str]) -> set[str]:
        with self._store.read() as session:
            found = ledger.settled(session, self._account.id, scope, items)
        # What had vanished once and is listed again is looked at again.
        return {item for item, outcome in found.items() if outcome is not Outcome.GONE}

    def _settle(
        self, batch: _Batch, listing: Listing, examiner: Examiner, save_cursor: bool
    ) -> None:
        entries = self._entries(examiner, batch.drafts, batch.bodies.result())
        cursor = None
        if batch.turn is not None:
            entries += map(vanished, batch.turn.vanished)
            cursor = self._turned(batch.turn, listing.scope)
        self._commit(entries, cursor if save_cursor else None)
        self._tell(listing)
        self._around.cancel.check()

    def _turned(self, turn: _Turn, scope: str) -> str | None:
        """Count what a page has beside its batches, and return its cursor."""
        self._pass_early(scope, turn.page.early)
        self.listed += len(turn.page.items)
        self.counts.known += turn.known
        self.cursor = turn.page.cursor or self.cursor
        return turn.page.cursor

    def _commit(self, entries: Sequence[Entry], cursor: str | None) -> None:
        if not entries and cursor is None:
            return  # a comparison found nothing but what is known
        self.counts = self._recorder.commit(entries, self.counts, cursor, self.early)

    def _tell(self, listing: Listing) -> None:
        counts = self.counts
        done = counts.accounted - counts.before_start
        self._progress(
            Progress(done, listing.listed, counts.imported, counts.skipped, counts.errors)
        )

    def _batches(self, listing: Listing, examiner: Examiner, ahead: Ahead) -> Iterator[_Batch]:
        chunks = self._chunks(listing)
        coming = ahead.do(next, chunks, None)
        while (chunk := coming.result()) is not None:
            drafts = examiner.drafts(chunk.headers)
            cut = list(bounded(drafts, lambda d: d.header.size if d.wants_body else 0)) or [[]]
            for left, batch in zip(range(len(cut) - 1, -1, -1), cut, strict=True):
                bodies = ahead.do(self._bodies, batch)
                if batch is cut[0]:  # not sooner: there is nothing to do without bodies
                    coming = ahead.do(next, chunks, None)
                yield _Batch(batch, bodies, None if left else chunk.turn)
            if chunk.turn is not None:
                examiner.turn_page()

    def _chunks(self, listing: Listing) -> Iterator[_Chunk]:
        """Yield the headers of what has no row yet, page by page."""
        for page in listing.pages:
            known = self._settled(listing.scope, page.items)
            missing = dict.fromkeys(item for item in page.items if item not in known)
            last: list[Header] = []
            for headers in bounded(self._importer.headers(list(missing)), _block_size):
                if last:
                    yield _Chunk(last, None)
                last = headers
                for header in headers:
                    missing.pop(header.item, None)
            yield _Chunk(last, _Turn(page, len(known), list(missing)))

    def _bodies(self, drafts: Sequence[Draft]) -> list[Whole]:
        """Fetch what is wanted of a batch, and have it read apart where that pays."""
        wanted = {draft.header.item: draft for draft in drafts if draft.wants_body}
        bodies = list(self._importer.bodies(list(wanted))) if wanted else []
        messages = [wanted[body.item].unread(body.data or b"") for body in bodies]
        return list(zip(bodies, self._apart.read(messages), strict=True))

    def _entries(
        self, examiner: Examiner, drafts: Sequence[Draft], bodies: Iterable[Whole]
    ) -> list[Entry]:
        """Decide a batch for good by its bodies; what vanished meanwhile is gone."""
        wanted = {draft.header.item: draft for draft in drafts if draft.wants_body}
        found = {
            body.item: examiner.by_body(wanted[body.item], body, reading)
            for body, reading in bodies
        }
        for draft in drafts:
            if not draft.wants_body:
                found[draft.header.item] = examiner.by_header(draft)
        items = [draft.header.item for draft in drafts]
        return [found.get(item) or vanished(item) for item in items]


def _block_size(header: Header) -> int:
    return len(header.block)


def bounded(things: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut into lists that stay below the bounds of a batch, in bytes and in number."""
    batch: list[T] = []
    total = 0
    for thing in things:
        if batch and total + size(thing) > BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(thing)
        total += size(thing)
        if len(batch) == BATCH_MESSAGES:  # at once: asking for the next thing may take long
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _some_ahead(things: Iterator[T]) -> Iterator[T]:
    """Yield each thing once so many further ones are there, or the next one has failed."""
    held: deque[T] = deque()
    try:
        for thing in things:
            held.append(thing)
            if len(held) > AHEAD:
                yield held.popleft()
    except ServiceError:
        yield from held  # they may be sound
        raise
    yield from held
