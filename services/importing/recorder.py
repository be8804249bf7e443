"""Where a walk leaves what it decided: in the ledger, or, rehearsed, in a list."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, update

from models.mail import MailboxMarkRow
from services.importing import ledger
from services.importing.claim import Claim
from services.importing.ledger import Book, Entry, Fingerprints
from services.importing.result import Counts, Rehearsed
from services.protocols.base import Mark
from services.store.engine import Store


@dataclass
class LedgerRecorder:
    """Writes a walk's batches behind the fence, each in one transaction."""

    store: Store
    claim: Claim
    book: Book
    before: int
    """Messages before Import From that earlier runs passed."""
    counts: Counts = field(default_factory=Counts)
    """What is committed."""
    written: int = 0
    """Ledger rows."""

    def copies(self, identities: Iterable[str]) -> Mapping[str, Sequence[Fingerprints]]:
        """Return what the ledger has under these identities."""
        with self.store.read() as session:
            return ledger.copies(session, self.claim.account_id, identities)

    def commit(
        self, entries: Sequence[Entry], counts: Counts, cursor: str | None, early: int
    ) -> Counts:
        """Write entries, mark and counts together, and return these. Raises Fenced, ServiceError.

        What somebody has imported since the copies were looked up is known by now.
        """
        with self.store.write() as session:
            entries = ledger.known_by_now(session, self.claim.account_id, entries)
            counts = counts.plus(entry.verdict.outcome for entry in entries)
            self.claim.pass_fence(session, **asdict(counts))
            self.claim.check_account(session)
            self.book.write(session, entries)
            if cursor is not None:
                mark = Mark(self.book.scope, cursor)
                ledger.move_mark(session, self.claim.account_id, mark, self.before + early)
        self.counts = replace(counts)
        self.written += len(entries)
        return counts


@dataclass
class Rehearsal:
    """Lists what a run would do, and remembers it as the ledger would."""

    store: Store
    account_id: UUID
    lines: list[Rehearsed] = field(default_factory=list)
    _seen: dict[str, list[Fingerprints]] = field(default_factory=dict)

    def copies(self, identities: Iterable[str]) -> Mapping[str, Sequence[Fingerprints]]:
        """Return what the ledger has under these identities, and would have by now."""
        wanted = list(identities)
        with self.store.read() as session:
            found = ledger.copies(session, self.account_id, wanted)
        return {name: [*found.get(name, ()), *self._seen.get(name, ())] for name in wanted}

    def commit(
        self, entries: Sequence[Entry], counts: Counts, cursor: str | None, early: int
    ) -> Counts:
        """Note what would be written."""
        for entry in entries:
            if entry.makes_mail and entry.prints.identity:
                self._seen.setdefault(entry.prints.identity, []).append(entry.prints)
            sender = next(iter(entry.facts.senders), "")
            subject, verdict = entry.facts.subject, entry.verdict
            self.lines.append(Rehearsed(str(sender), subject, verdict.outcome, verdict.why))
        return counts.plus(entry.verdict.outcome for entry in entries)


def note_reconciled(account_id: UUID, when: datetime) -> Callable[[Session], None]:
    """Return what notes when the whole mailbox was last compared with the ledger."""

    def note(session: Session) -> None:
        session.exec(
            update(MailboxMarkRow)
            .where(col(MailboxMarkRow.account_id) == account_id)
            .values(reconciled_at=when)
        )

    return note
