"""Many messages, a batch at a time: by account, in bounded memory, each with its own result."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from services.accounts.service import AccountService
from services.errors import NotFound, ServiceError
from services.importing.run import ImportService
from services.importing.walk import bounded
from services.management.cases import Brief, Case, briefs, case_of, named
from services.management.mailbox import Mailbox
from services.protocols.base import Surroundings
from services.results import Result, guarded, refused
from services.store.engine import Store

Tell = Callable[[int, int], None]
"""Takes how many messages are done, and of how many."""

Batch = Callable[[Mailbox | None, Sequence[int]], Iterator[Result]]
"""Yields the results of messages of one account; None where that was deleted."""

Fetched = bytes | ServiceError | None
"""All of a message, why it cannot be had, or None where nobody asked for it."""


@dataclass(frozen=True)
class Batches:
    """Leads an action through its messages."""

    store: Store
    accounts: AccountService
    importing: ImportService
    around: Surroundings
    tell: Tell

    def each(self, ids: Sequence[int], batch: Batch) -> list[Result]:
        """Return the results in the order of the messages, each once. Raises Cancelled."""
        with self.store.read() as session:
            found = briefs(session, ids)
        wanted = list(dict.fromkeys(ids))
        done = {brief.mail_id: brief for brief in found}
        results = {
            mail_id: refused(mail_id, NotFound(f"There is no mail {mail_id}."))
            for mail_id in wanted
            if mail_id not in done
        }
        for account_id, group in _by_account(found).items():
            with self._mailbox(account_id) as mailbox:
                for part in bounded(group, lambda brief: brief.size):
                    for result in batch(mailbox, [brief.mail_id for brief in part]):
                        results[result.id] = result
                        self.tell(len(results), len(wanted))
                    self.around.cancel.check()
        with self.store.read() as session:
            return named(session, [results[mail_id] for mail_id in wanted])

    def _mailbox(self, account_id: uuid.UUID | None) -> AbstractContextManager[Mailbox | None]:
        try:
            account = self.accounts.get(account_id) if account_id else None
        except NotFound:  # deleted since
            account = None
        if account is None:
            return nullcontext()
        return Mailbox(self.store, self.importing, account, self.around)

    def with_bytes(
        self,
        mailbox: Mailbox | None,
        ids: Sequence[int],
        wants: Callable[[Session, Case], bool],
        use: Callable[[Case, Fetched], Result],
    ) -> Iterator[Result]:
        """Yield what `use` makes of each message and its bytes.

        Where `wants` says so, what is not kept whole is fetched. Where one of the two raises
        ServiceError, that message is refused. Raises Cancelled.
        """
        waiting: list[Case] = []

        def at_once(mail_id: int) -> Result | None:
            with self.store.read() as session:
                case = case_of(session, mail_id)
                if wants(session, case) and not case.complete and mailbox is not None:
                    waiting.append(case)
                    return None
            return use(case, case.data if case.complete else None)

        for mail_id in ids:
            self.around.cancel.check()
            if (result := guarded(mail_id, partial(at_once, mail_id))) is not None:
                yield result
        if mailbox is not None and waiting:
            for case, data in mailbox.bodies(waiting):
                yield guarded(case.id, partial(use, case, data))


def _by_account(found: Sequence[Brief]) -> dict[uuid.UUID | None, list[Brief]]:
    groups: dict[uuid.UUID | None, list[Brief]] = {}
    for brief in found:
        groups.setdefault(brief.account_id, []).append(brief)
    return groups
