"""Judging again what was skipped or went wrong, with today's contacts, types and sent mail.

Each message is one transaction of its own: a kill at any point leaves it as it was, or done.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlmodel import Session, col, select

from models.mail import LedgerRow, Outcome, Reason
from services.errors import ServiceError
from services.importing.examine import Draft, Examiner
from services.importing.headers import header_part
from services.importing.ledger import SAME_CONTENT, Entry
from services.importing.verdict import Verdict
from services.management.cases import Case, case_of, unchanged
from services.management.mailbox import Mailbox
from services.management.record import By, note, rewrite
from services.protocols.base import Body, Header, Surroundings
from services.results import Result, guarded
from services.store.engine import Store

_BECAME = {
    Outcome.IMPORTED: ("imported", "imported"),
    Outcome.SKIPPED: ("skipped", "still skipped"),
    Outcome.ERROR: ("now in error", "still in error"),
}
"""A new outcome in words: where it was another one before, and where it was the same."""


@dataclass(frozen=True)
class Retry:
    """Judges messages of one account again."""

    store: Store
    mailbox: Mailbox
    around: Surroundings
    by: Callable[[], By]

    def go(self, ids: Sequence[int]) -> Iterator[Result]:
        """Judge a batch that fits into memory, and yield what became of each. Raises Cancelled."""
        waiting: dict[int, _Open] = {}
        for mail_id in ids:
            self.around.cancel.check()
            found = guarded(mail_id, partial(self._by_what_is_here, mail_id))
            if isinstance(found, Result):
                yield found
            else:
                waiting[mail_id] = found
        if waiting:
            for case, data in self.mailbox.bodies([found.case for found in waiting.values()]):
                yield guarded(case.id, partial(self._by_body, waiting[case.id], data))

    def _by_what_is_here(self, mail_id: int) -> "Result | _Open":
        """Judge a message for good, or find that its body is needed for that."""
        with self.store.read() as session:
            case = case_of(session, mail_id)
        _refuse_settled(case)
        header = _header(case) if case.data else self.mailbox.header(case)
        # One for each message, that knows no copies: of what, only the writing can tell for sure.
        examiner = Examiner(self.store, self.mailbox.account, lambda _names: {}, self.around)
        (draft,) = examiner.drafts([replace(header, item=str(mail_id))])
        if case.complete:
            entry = examiner.by_body(draft, Body(str(mail_id), case.data))
        elif draft.wants_body:
            return _Open(case, examiner, draft)
        else:
            entry = examiner.by_header(draft)
        return self._write(case, entry)

    def _by_body(self, found: "_Open", data: bytes | ServiceError) -> Result:
        if isinstance(data, ServiceError):
            raise data
        body = Body(found.draft.header.item, data)
        return self._write(found.case, found.examiner.by_body(found.draft, body))

    def _write(self, case: Case, entry: Entry) -> Result:
        """Write what was decided. Raises ServiceError where somebody else was faster."""
        by = self.by()
        with self.store.write() as session:
            row = unchanged(session, case)
            entry = _unless_copy(session, case, entry)
            before, after = Outcome(row.outcome), entry.verdict.outcome
            became = _BECAME[after][before is after]
            rewrite(session, row, case, entry, by)
            note(session, case.id, "retry", f"{became}: {entry.verdict.reason}", by)
        done = after is not before and after is not Outcome.ERROR
        return Result(case.id, done, became, entry.verdict.why)


@dataclass(frozen=True)
class _Open:
    """A message whose body decides, or is to be kept."""

    case: Case
    examiner: Examiner
    draft: Draft


def _refuse_settled(case: Case) -> None:
    if case.mail.outcome == Outcome.IMPORTED:
        raise ServiceError("It is imported already.")


def _header(case: Case) -> Header:
    mail = case.mail
    return Header(str(case.id), mail.size, mail.received_at, header_part(case.data))


def _unless_copy(session: Session, case: Case, entry: Entry) -> Entry:
    """Skip what turns out to be a copy of mail that was imported since: none is imported twice."""
    prints = entry.prints
    if not prints.content or entry.verdict.outcome is not Outcome.IMPORTED:
        return entry
    statement = select(LedgerRow.mail_id).where(
        LedgerRow.account_id == case.mail.account_id,
        LedgerRow.identity_digest == prints.identity,
        LedgerRow.content_digest == prints.content,
        LedgerRow.outcome == Outcome.IMPORTED,
        col(LedgerRow.mail_id).is_distinct_from(case.id),
    )
    if (copy := session.exec(statement).first()) is None:
        return entry
    why = f"{SAME_CONTENT.rstrip('.')} as message {copy}."
    return replace(entry, verdict=Verdict(Outcome.SKIPPED, Reason.ALREADY_HERE, why))
