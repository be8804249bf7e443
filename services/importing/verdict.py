"""What the judge is told, and what it answers: values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.account import ContactSide
from models.mail import Outcome, Reason
from services.contacts.known import KnownContact
from services.importing.bounce import Report
from services.importing.headers import HeaderFacts


@dataclass(frozen=True)
class SentMail:
    """A message that we sent, as far as answers to it are concerned."""

    id: int
    message_id: str
    token: str | None
    booking: str | None
    contact_id: int | None
    subject: str
    recipients: tuple[str, ...]
    """In `address_key` form."""


@dataclass(frozen=True)
class Background:
    """What the store knows that matters for a batch of messages."""

    ticked: frozenset[tuple[ContactSide, int]] = frozenset()
    """The account's contact types: (side, contact type id)."""
    by_id: Mapping[str, SentMail] = field(default_factory=dict)
    by_token: Mapping[str, SentMail] = field(default_factory=dict)
    contacts: Mapping[str, Sequence[KnownContact]] = field(default_factory=dict)
    """By `address_key`."""
    limit: int = 25_000_000
    """Octets above which a message is not fetched."""


@dataclass(frozen=True)
class Finding:
    """A message as it was found in the mailbox."""

    facts: HeaderFacts
    size: int
    fault: str = ""
    """Why it cannot be fetched."""
    known_as: str = ""
    """What it is a copy of, in words."""
    report: Report | None = None
    """Of a bounce that was fetched whole; None before that."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message, why, and what it is linked to."""

    outcome: Outcome
    reason: Reason
    why: str
    answers: SentMail | None = None
    contact_id: int | None = None
    booking: str | None = None
    automatic: bool = False
    unverified: bool = False
    """Whether the receiving server says that a check of the sender failed."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Recipients that `answers` was not delivered to: `address_key` → the server's words."""

    @property
    def keeps_body(self) -> bool:
        """Whether all of the message is stored where it can be had, not its headers alone."""
        return self.outcome in (Outcome.IMPORTED, Outcome.ERROR)
