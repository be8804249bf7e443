"""One page's messages before the judge: facts, fingerprints, and what the store knows of them."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from models.account import Account
from models.mail import Outcome, Reason
from services.contacts.known import known_senders
from services.importing import ledger
from services.importing.bounce import Report, read_report
from services.importing.fingerprint import content_digest, header_digest, identity_digest
from services.importing.headers import HeaderFacts
from services.importing.judge import is_bounce, judge
from services.importing.ledger import Entry, Fingerprints
from services.importing.reading import Reading, Unread, skimmed
from services.importing.verdict import Background, Finding, Verdict
from services.protocols.base import Body, Header, Surroundings
from services.sending.token import parse_token
from services.store.engine import Store

SAME_HEADERS = "It is here already: same header block and size."

T = TypeVar("T")
Copies = Callable[[Iterable[str]], Mapping[str, Sequence[Fingerprints]]]


@dataclass(frozen=True)
class Draft:
    """A message judged by its headers, perhaps not for good."""

    header: Header
    facts: HeaderFacts
    prints: Fingerprints
    verdict: Verdict
    background: Background
    wants_body: bool
    copy: Fingerprints | None = None
    """What is here already with the same headers."""

    def unread(self, raw: bytes) -> Unread:
        """Return the whole message, to be read."""
        return Unread(raw, self.header.block, self.prints.identity)


class Examiner:
    """Judges messages, and knows those that it has seen on this page and some before.

    Of these some may not be stored yet, so that only it knows of them.
    """

    def __init__(
        self,
        store: Store,
        account: Account,
        copies: Copies,
        surroundings: Surroundings,
        before: int = 0,
    ) -> None:
        """Take where to look up what is known; `copies` finds what is here under an identity.

        All of a page has to be stored once `before` later ones and the next have been begun.
        """
        self._store, self._account, self._find_copies = store, account, copies
        self._limit = surroundings.config.max_message_bytes
        self._copies: dict[str, list[Fingerprints]] = {}
        self._pending: set[str] = set()
        self._pages = deque([set[str]()], before + 1)

    def turn_page(self) -> None:
        """Begin a page, and forget what only the earliest one had."""
        self._pages.append(set())
        kept = set[str]().union(*self._pages)
        self._copies = {name: copies for name, copies in self._copies.items() if name in kept}
        self._pending &= kept

    def drafts(self, headers: Sequence[Header]) -> list[Draft]:
        """Judge messages by their headers."""
        facts = [_guarded(_NO_FACTS, _read_facts, header.block) for header in headers]
        prints = [self._prints(*message) for message in zip(headers, facts, strict=True)]
        background = self._background(facts, prints)
        return [
            self._draft(*message, background)
            for message in zip(headers, facts, prints, strict=True)
        ]

    def _prints(self, header: Header, facts: HeaderFacts) -> Fingerprints:
        if header.fault:
            return Fingerprints(size=header.size)
        fields = None if facts is _NO_FACTS else facts.fields
        identity = _guarded("", identity_digest, header.block, fields)
        return Fingerprints(identity, header_digest(header.block), "", header.size)

    def _background(
        self, facts: Sequence[HeaderFacts], prints: Sequence[Fingerprints]
    ) -> Background:
        """Look up in one go what the store knows of these messages."""
        names = {p.identity for p in prints if p.identity}
        self._pages[-1] |= names
        new = names - self._copies.keys()
        for identity, copies in self._find_copies(new).items():
            self._copies[identity] = list(copies)
        ids = {name for f in facts for name in (f.message_id, *f.in_reply_to, *f.references)}
        tokens = {found[1] for f in facts if (found := parse_token(f.subject))}
        with self._store.read() as session:
            return Background(
                ledger.ticked(session, self._account.id),
                ledger.sent_by_id(session, ids - {""}),
                ledger.sent_by_token(session, tokens),
                known_senders(session, {a.key for f in facts for a in f.senders}),
                self._limit,
            )

    def _draft(
        self, header: Header, facts: HeaderFacts, prints: Fingerprints, background: Background
    ) -> Draft:
        fetchable = not header.fault and header.size <= self._limit
        copies = self._alike(prints)
        copy = next((c for c in copies if _same_headers(c, prints, fetchable)), None)
        finding = Finding(facts, header.size, header.fault, SAME_HEADERS if copy else "")
        verdict = _guarded(_UNREADABLE, judge, finding, background)
        wants_body = (
            fetchable
            and copy is None
            and (verdict.keeps_body or is_bounce(facts) or self._may_be_copy(prints))
        )
        if wants_body:
            self._pending.add(prints.identity)
        elif copy is None:
            self._alike(prints).append(prints)
        return Draft(header, facts, prints, verdict, background, wants_body, copy)

    def _alike(self, prints: Fingerprints) -> list[Fingerprints]:
        """Return what is here under the same identity, to look at and to add to.

        Messages whose headers did not come have no identity, and so are nobody's copies.
        """
        return self._copies.setdefault(prints.identity, []) if prints.identity else []

    def _mail_of(self, copy: Fingerprints) -> int | None:
        """Return the mail of what is here; what this run itself found has one once committed."""
        if copy.mail_id is not None:
            return copy.mail_id
        there = self._find_copies([copy.identity]).get(copy.identity, ())
        return next((t.mail_id for t in there if replace(t, mail_id=None) == copy), None)

    def _may_be_copy(self, prints: Fingerprints) -> bool:
        alike = self._alike(prints)
        return prints.identity in self._pending or any(copy.content for copy in alike)

    # ------------------------------------------------------------------ for good

    def by_header(self, draft: Draft) -> Entry:
        """Decide a message for good by its headers; they are what is kept of it."""
        header, prints = draft.header, draft.prints
        if draft.copy is not None:  # whose mail may have come into the store since
            prints = Fingerprints(size=prints.size, mail_id=self._mail_of(draft.copy))
        return Entry(header.item, draft.verdict, prints, draft.facts, header.received, header.block)

    def by_body(self, draft: Draft, body: Body, reading: Reading | None = None) -> Entry:
        """Decide a message for good by all of it, or by why that did not come.

        `reading` is what was read of it, where somebody has done that already.
        """
        if body.data is None:
            finding = Finding(draft.facts, draft.header.size, body.fault or "it is empty")
            return self.by_header(replace(draft, verdict=judge(finding, draft.background)))
        content = reading.content if reading else content_digest(*draft.unread(body.data))
        prints = replace(draft.prints, content=content)
        copies = self._alike(prints)
        copy = next((c for c in copies if c.content == prints.content), None)
        if copy is not None:
            return ledger.known(self.by_header(draft), self._mail_of(copy))
        copies.append(prints)
        verdict = _guarded(_UNREADABLE, self._judged_whole, draft, body.data)
        return self._entry(replace(draft, verdict=verdict, prints=prints), body.data, reading)

    def _entry(self, draft: Draft, raw: bytes, reading: Reading | None) -> Entry:
        if not draft.verdict.keeps_body:
            return self.by_header(draft)
        found = reading.skimmed if reading else skimmed(raw)
        return replace(self.by_header(draft), raw=raw, complete=True, skimmed=found)

    def _judged_whole(self, draft: Draft, raw: bytes) -> Verdict:
        if not is_bounce(draft.facts):
            return draft.verdict
        report = read_report(raw)
        finding = Finding(draft.facts, draft.header.size, report=report)
        return judge(finding, self._with_returned(draft.background, report))

    def _with_returned(self, background: Background, report: Report) -> Background:
        """Add our messages that a bounce's body speaks of."""
        tokens = {found[1] for subject in report.subjects if (found := parse_token(subject))}
        with self._store.read() as session:
            by_id = ledger.sent_by_id(session, report.message_ids)
            by_token = ledger.sent_by_token(session, tokens)
        return replace(
            background,
            by_id={**background.by_id, **by_id},
            by_token={**background.by_token, **by_token},
        )


_NO_FACTS = HeaderFacts(b"")
_UNREADABLE = Verdict(Outcome.ERROR, Reason.UNREADABLE, "It cannot be read; its bytes are kept.")


def _same_headers(copy: Fingerprints, prints: Fingerprints, fetchable: bool) -> bool:
    """Tell whether the header block decides: where either of the two was never fetched whole."""
    decides = not copy.content or not fetchable
    return decides and (copy.header, copy.size) == (prints.header, prints.size)


def _read_facts(block: bytes) -> HeaderFacts:
    """Return facts that were all read once, so that none can fail later."""
    facts = HeaderFacts(block)
    facts.read_all()
    return facts


def _guarded(otherwise: T, function: Callable[..., T], *values: object) -> T:
    """Return what reading a message gives; the last door, for a single message."""
    try:
        return function(*values)
    except Exception:  # noqa: BLE001 - a bug that one mail lays bare must not stop a run
        return otherwise
