"""The walk through a mailbox: every listed message is settled, a batch at a time.

Headers come first; a body is fetched only for what will be kept, for what may be a bounce, and
where only the content tells whether a message is here already. While one batch of bodies is judged
and stored, the page's next one is fetched; never are more than these two in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from models.account import Account
from models.mail import Outcome
from services.importing import ledger
from services.importing.ahead import Ahead
from services.importing.examine import Draft, Examiner
from services.importing.ledger import Entry, Fingerprints, vanished
from services.importing.result import Counts, Progress
from services.protocols.base import Body, Header, Importer, Listing, Page, Surroundings
from services.store.engine import Store

BATCH_BYTES = 4_000_000
BATCH_MESSAGES = 200
_LOOKED_UP = 500
T = TypeVar("T")


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
        self.counts = Counts()
        self.listed = self.early = 0
        self.cursor: str | None = None

    def go(self, listing: Listing, *, save_cursor: bool) -> None:
        """Settle every page. Raises ServiceError, Cancelled; what was committed stays.

        Without `save_cursor` the mark is left to the caller, who finds it in `cursor`.
        """
        self.counts.server_count = listing.server_count
        for page in listing.pages:
            self._around.cancel.check()
            self._pass_early(listing.scope, page.early)
            with Ahead(self._around.cancel) as ahead:
                self._settle(listing, page, save_cursor, ahead)
            self.cursor = page.cursor or self.cursor

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

    def _settle(self, listing: Listing, page: Page, save_cursor: bool, ahead: Ahead) -> None:
        known = self._settled(listing.scope, page.items)
        self.listed += len(page.items)
        self.counts.known += len(known)
        todo = [item for item in page.items if item not in known]
        examiner = Examiner(self._store, self._account, self._recorder.copies, self._around)
        for (drafts, bodies), last in _with_last(self._drafted(examiner, todo, ahead)):
            entries = self._entries(examiner, drafts, bodies.result())
            if last:
                there = examiner.seen
                entries += [vanished(item) for item in todo if item not in there]
            self._commit(entries, page.cursor if save_cursor and last else None)
            self._tell(listing)
            self._around.cancel.check()

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

    def _drafted(
        self, examiner: Examiner, items: Sequence[str], ahead: Ahead
    ) -> Iterator[tuple[list[Draft], Future[list[Body]]]]:
        """Yield drafts whose bodies, if wanted, make one batch, and the bodies on their way."""
        empty = True
        for headers in ahead.each(bounded(self._importer.headers(items), _block_size)):
            drafts = examiner.drafts(headers)
            for batch in bounded(drafts, lambda d: d.header.size if d.wants_body else 0):
                yield batch, ahead.do(self._bodies, batch)
                empty = False
        if empty:
            yield [], ahead.do(list[Body])

    def _bodies(self, drafts: Sequence[Draft]) -> list[Body]:
        wanted = [draft.header.item for draft in drafts if draft.wants_body]
        return list(self._importer.bodies(wanted)) if wanted else []

    def _entries(
        self, examiner: Examiner, drafts: Sequence[Draft], bodies: Iterable[Body]
    ) -> list[Entry]:
        """Decide a batch for good by its bodies; what vanished meanwhile is gone."""
        wanted = {draft.header.item: draft for draft in drafts if draft.wants_body}
        found = {body.item: examiner.by_body(wanted[body.item], body) for body in bodies}
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


def _with_last(things: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Yield each thing with whether it is the last, looking one ahead."""
    rest = iter(things)
    for held in rest:
        for following in rest:
            yield held, False
            held = following
        yield held, True
