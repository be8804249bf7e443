"""Messages fetched again out of the mailbox that they came from, over one connection."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Self

from models.account import Account
from services.errors import Cancelled, ServiceError
from services.importing import ledger
from services.importing.fingerprint import header_digest
from services.importing.headers import HeaderFacts, header_part
from services.importing.run import WAIT_SECONDS, ImportService
from services.management.cases import Case, items
from services.protocols.base import Header, Importer, Mark, Surroundings
from services.store.engine import Store


class Unfetchable(ServiceError):
    """This one message cannot be had, now or ever; others can."""


_GONE = Unfetchable("It is in the mailbox no longer.", "Only its headers are kept.")
_ANOTHER = Unfetchable(
    "The mailbox has another message in its place.", "Import with --reconcile, then try again."
)

Fetched = tuple[Case, "bytes | ServiceError"]
"""A message, and its bytes or why they cannot be had."""


class Mailbox:
    """Connects, under a connection slot, when the first message is asked for."""

    def __init__(
        self, store: Store, importing: ImportService, account: Account, around: Surroundings
    ) -> None:
        """Take whose mailbox it is."""
        self._store, self._importing, self.account = store, importing, account
        self._around = around
        self._open = ExitStack()
        self._importer: Importer | None = None
        self._scope = ""
        self._failure: ServiceError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open.close()

    def header(self, case: Case) -> Header:
        """Fetch a header block, which is missing where an import could not have it.

        Raises ServiceError where it cannot be had now either.
        """
        importer, places = self._find([case])
        found = next(importer.headers(list(places.values())), None) if places else None
        if found is None:
            raise _GONE
        if isinstance(block := _checked(case, found.block, found.fault), ServiceError):
            raise block
        return found

    def bodies(self, cases: Sequence[Case]) -> Iterator[Fetched]:
        """Fetch whole messages; callers bound the batch. Raises Cancelled.

        Where the mailbox fails, all the rest come with that failure.
        """
        left = {case.id: case for case in cases}
        try:
            for case, data in self._bodies(cases):
                del left[case.id]
                yield case, data
        except Cancelled:
            raise
        except ServiceError as error:
            yield from ((case, error) for case in left.values())

    def _bodies(self, cases: Sequence[Case]) -> Iterator[Fetched]:
        importer, places = self._find(cases)
        waiting = {places[case.id]: case for case in cases if case.id in places}
        for body in importer.bodies(list(waiting)) if waiting else ():
            yield (case := waiting.pop(body.item)), _checked(case, body.data, body.fault)
        for case in cases:
            if case.id not in places or places[case.id] in waiting:
                yield case, _GONE

    def _find(self, cases: Sequence[Case]) -> tuple[Importer, dict[int, str]]:
        importer = self._connected()
        with self._store.read() as session:
            return importer, items(session, [case.id for case in cases], self._scope)

    def _connected(self) -> Importer:
        """Connect once; what failed once is not tried again for every further message."""
        if self._failure is not None:
            raise self._failure
        if self._importer is None:
            try:
                opened = self._importing.mailbox(self.account, self._around, WAIT_SECONDS)
                importer = self._open.enter_context(opened)
                self._scope = importer.scope(self._mark())
            except ServiceError as error:
                self._failure = error
                raise
            self._importer = importer
        return self._importer

    def _mark(self) -> Mark | None:
        with self._store.read() as session:
            row = ledger.mark_of(session, self.account.id)
            return Mark(row.scope, row.cursor) if row else None


def _checked(case: Case, data: bytes | None, fault: str) -> bytes | ServiceError:
    """Return what was fetched, if it is the message that was asked for."""
    if data is None or (not data and fault):
        return Unfetchable(f"It cannot be fetched: {fault}.") if fault else _GONE
    return data if _same(case, data) else _ANOTHER


def _same(case: Case, data: bytes) -> bool:
    """Tell whether bytes are of the message, where anything of it is known."""
    known = case.mail.message_id
    if known:
        return HeaderFacts(header_part(data)).message_id == known
    return not case.data or header_digest(case.data) == header_digest(data)
