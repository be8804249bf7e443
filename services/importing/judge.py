"""What becomes of a message: the first rule that fits, as a pure function of what is known of it.

The rules stand in the order of the product's table (README, "What becomes of a message"). Each
returns a verdict with its reason in words, or None where it does not fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from models.fields import address_key
from models.mail import Outcome, Reason
from services.contacts.known import KnownContact
from services.importing.bounce import Report
from services.importing.headers import Address, HeaderFacts
from services.importing.verdict import Background, Finding, SentMail, Verdict
from services.sending.token import parse_token

_BULK = {"bulk", "junk", "list"}


@dataclass(frozen=True)
class _Match:
    sent: SentMail
    words: str


class _Case:
    """One message before its judge: the questions that several rules ask, each answered once."""

    def __init__(self, finding: Finding, background: Background) -> None:
        self.finding, self.background = finding, background
        self.facts = finding.facts

    @cached_property
    def sender(self) -> Address | None:
        """The mailbox of From that a known contact has, else the first."""
        known = (s for s in self.facts.senders if s.key in self.background.contacts)
        return next(known, next(iter(self.facts.senders), None))

    @cached_property
    def contacts(self) -> Sequence[KnownContact]:
        return self.background.contacts.get(self.sender.key, ()) if self.sender else ()

    @cached_property
    def ticked(self) -> KnownContact | None:
        """The contact whose type is ticked; of several the one that we wrote to."""
        found = [c for c in self.contacts if (c.side, c.contact_type_id) in self.background.ticked]
        wrote_to = self.answered.sent.contact_id if self.answered else None
        return next((c for c in found if c.id == wrote_to), next(iter(found), None))

    @cached_property
    def answered(self) -> _Match | None:
        """The message of ours that this one answers."""
        facts = self.facts
        return (
            self.by_ids("In-Reply-To", facts.in_reply_to)
            or self.by_ids("References", facts.references)
            or self.by_token("The subject", facts.subject)
        )

    def by_ids(self, where: str, ids: Sequence[str]) -> _Match | None:
        for name in ids:
            if sent := self.background.by_id.get(name):
                return _Match(sent, f"{where} names {name}")
        return None

    def by_token(self, where: str, subject: str) -> _Match | None:
        booking, token = parse_token(subject) or ("", "")
        sent = self.background.by_token.get(token)
        if sent is None or (sent.booking or "").casefold() != booking.casefold():
            return None
        return _Match(sent, f"{where} has the token of {sent.message_id}")

    @property
    def automatic(self) -> bool:
        """Whether a program wrote it, as RFC 3834 lets it say."""
        return self.facts.auto_submitted not in ("", "no")

    @property
    def automatic_answer(self) -> bool:
        """Whether it is a contact's out-of-office note.

        RFC 3834 §3.3 has such notes sent with a null sender too; they say that they are automatic
        and bear the contact's address, as no bounce does.
        """
        return bool(self.contacts) and self.automatic and not self.facts.delivery_report

    def who(self) -> str:
        """Name the sender, and who it is, in words."""
        known = self.ticked or next(iter(self.contacts), None)
        if self.sender is None:
            return "From names nobody"
        if known is None:
            return f"{self.sender.address} is no known contact"
        name = f"{known.name} of " if known.name else ""
        return (
            f"{self.sender.address} is {name}{known.side} {known.party}, type {known.contact_type}"
        )


def is_bounce(facts: HeaderFacts) -> bool:
    """Tell whether a message may be a bounce, and so has to be fetched whole to be judged."""
    return facts.null_sender or facts.delivery_report


def judge(finding: Finding, background: Background) -> Verdict:
    """Return what becomes of a message. Never raises, whatever its headers say."""
    case = _Case(finding, background)
    verdict = next(found for rule in _RULES if (found := rule(case)) is not None)
    authentication = case.facts.authentication
    if verdict.outcome is Outcome.KNOWN or authentication is None:
        return verdict
    why = f"{verdict.why} {authentication}"
    return replace(verdict, why=why, unverified=authentication.failed)


def _already_here(case: _Case) -> Verdict | None:
    if not case.finding.known_as:
        return None
    return Verdict(Outcome.KNOWN, Reason.ALREADY_HERE, case.finding.known_as)


def _unfit(case: _Case) -> Verdict | None:
    finding, limit = case.finding, case.background.limit
    if finding.fault:
        return _error(Reason.UNREADABLE, f"It cannot be fetched: {finding.fault}.")
    if finding.size > limit:
        words = f"It has {finding.size:,} bytes; the limit is {limit:,}."
        return _error(Reason.TOO_LARGE, words)
    if not case.facts.readable:
        return _error(Reason.UNREADABLE, "It has no header that can be read.")
    return None


def _error(reason: Reason, why: str) -> Verdict:
    return Verdict(Outcome.ERROR, reason, why)


def _sent_by_us(case: _Case) -> Verdict | None:
    sent = case.background.by_id.get(case.facts.message_id)
    if sent is None:
        return None
    why = f"We sent it ourselves: Message-ID {sent.message_id} is ours."
    return Verdict(Outcome.SKIPPED, Reason.SENT_BY_US, why, sent, booking=sent.booking)


def _not_delivered(case: _Case) -> Verdict | None:
    if not is_bounce(case.facts) or case.automatic_answer:
        return None
    report = case.finding.report or Report()
    match = (
        case.by_ids("The returned message", report.message_ids)
        or case.answered
        or next(filter(None, (case.by_token("The returned subject", s) for s in report.subjects)),
                None)
    )  # fmt: skip
    if match is None:
        return None
    failed, fate = _failures(case.facts, report, match.sent)
    sign = "It is a delivery report" if case.facts.delivery_report else "Its envelope sender is <>"
    return Verdict(
        Outcome.ERROR,
        Reason.NOT_DELIVERED,
        f"{fate} {sign}. {match.words}.",
        match.sent,
        match.sent.contact_id,
        match.sent.booking,
        failed=failed,
    )


def _failures(
    facts: HeaderFacts, report: Report, sent: SentMail
) -> tuple[dict[str, str], str]:  # fmt: skip
    """Return which recipients are given up, and what happened in words."""
    if report.recipients and not report.failed:
        actions = ", ".join(dict.fromkeys(r.action for r in report.recipients))
        return {}, f"Not delivered yet, or delivered after all: {actions}."
    named = {
        address_key(address): recipient.words
        for recipient in report.failed
        for address in recipient.addresses
    } or {address_key(address): "" for address in facts.failed_recipients}
    failed = {key: words for key, words in named.items() if key in sent.recipients}
    if not failed and len(sent.recipients) == 1:
        failed = {sent.recipients[0]: next(iter(named.values()), "")}
    if not failed:
        return {}, "Not delivered, and it does not say to whom."
    shown = "; ".join(f"{key}: {words}" if words else key for key, words in failed.items())
    return failed, f"Not delivered to {shown}."


def _reply(case: _Case) -> Verdict | None:
    if case.ticked is None or case.answered is None:
        return None
    how = " It is automatic (Auto-Submitted)." if case.automatic else ""
    return Verdict(
        Outcome.IMPORTED,
        Reason.REPLY,
        f"{case.answered.words}. {case.who()}, which is ticked.{how}",
        case.answered.sent,
        case.ticked.id,
        case.answered.sent.booking,
        automatic=case.automatic,
    )


def _type_not_ticked(case: _Case) -> Verdict | None:
    if not case.contacts or case.ticked is not None:
        return None
    kinds = ", ".join(dict.fromkeys(f"{c.side} {c.contact_type}" for c in case.contacts))
    why = f"{case.who()}. None of its types ({kinds}) is ticked for this account."
    return _about_sender(case, Outcome.SKIPPED, Reason.TYPE_NOT_TICKED, why, case.contacts[0].id)


def _unknown_sender(case: _Case) -> Verdict | None:
    if case.answered is None or case.contacts:
        return None
    why = f"{case.answered.words}, but {case.who()}."
    return _about_sender(case, Outcome.ERROR, Reason.UNKNOWN_SENDER, why, None)


def _automatic(case: _Case) -> Verdict | None:
    facts = case.facts
    if case.automatic:
        sign = f"Auto-Submitted is {facts.auto_submitted}"
    elif facts.precedence in _BULK:
        sign = f"Precedence is {facts.precedence}"
    elif facts.list_id:
        sign = f"List-Id is {facts.list_id}"
    else:
        return None
    contact_id = case.ticked.id if case.ticked else None
    why = f"It answers nothing and a program sent it: {sign}."
    return _about_sender(case, Outcome.SKIPPED, Reason.AUTOMATIC, why, contact_id)


def _enquiry(case: _Case) -> Verdict | None:
    if case.ticked is None:
        return None
    why = f"{case.who()}, which is ticked. It answers none of our messages."
    return _about_sender(case, Outcome.IMPORTED, Reason.ENQUIRY, why, case.ticked.id)


def _unrelated(case: _Case) -> Verdict | None:
    why = f"It answers none of our messages, and {case.who()}."
    return _about_sender(case, Outcome.SKIPPED, Reason.UNRELATED, why, None)


def _about_sender(
    case: _Case, outcome: Outcome, reason: Reason, why: str, contact_id: int | None
) -> Verdict:
    sent = case.answered.sent if case.answered else None
    return Verdict(outcome, reason, why, sent, contact_id, sent.booking if sent else None)


_RULES: tuple[Callable[[_Case], Verdict | None], ...] = (
    _already_here,
    _unfit,
    _sent_by_us,
    _not_delivered,
    _reply,
    _type_not_ticked,
    _unknown_sender,
    _automatic,
    _enquiry,
    _unrelated,
)
