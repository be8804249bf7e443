"""What a protocol is to the rest of the product: one value, and two small ports.

A protocol is added by one value in a file beside this one and one line in
`services/protocols/__init__.py`.
Nothing elsewhere asks which protocol it has; it asks whether `importer` or `sender` is None.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol, Self

from models.account import EmailSettings, ProtocolSettings
from services.cancel import Cancel
from services.config import Config
from services.errors import ServiceError


@dataclass(frozen=True)
class Surroundings:
    """What a connection needs from the process that opens it."""

    config: Config
    cancel: Cancel = field(default_factory=Cancel)
    say: Callable[[str], None] = lambda _text: None
    """Told in words what takes long, such as "waiting 12 s, the server asked for it"."""
    clock: Callable[[], float] = time.monotonic
    more_slots: Callable[[int], AbstractContextManager[int]] = lambda _wanted: nullcontext(0)
    """Holds up to so many connections beside the caller's own while a block runs, and tells how
    many; see `Connections.hold`."""


# ----------------------------------------------------------------------------- sending


@dataclass(frozen=True)
class Envelope:
    """Whom the message goes to, beside what its headers say (RFC 5321 §2.3.1)."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    """With angle brackets; by it an uncertain send can be looked for."""
    own: str = ""
    """The account's Default Email, for services that have no envelope; "" where it is unknown."""


class Verdict(StrEnum):
    """The server's answer for one recipient."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"


@dataclass(frozen=True)
class Reply:
    """The server's answer for one recipient, with its words."""

    verdict: Verdict
    words: str


class SendFailure(ServiceError):
    """A message did not certainly go out to anybody."""

    replies: Mapping[str, Reply] = MappingProxyType({})
    """What single recipients had been answered before; the failure holds for all others."""


class SendRefused(SendFailure):
    """The server refused the whole message for good (5xx)."""


class SendDeferred(SendFailure):
    """The message was certainly not taken; it can be tried again later (4xx, network)."""

    retry_after: float | None = None
    """Seconds that the server asked us to wait, where it did."""


class SendUncertain(SendFailure):
    """The message may or may not have been taken; nobody but a person may send it again."""


class Sender(Protocol):
    """An open connection that messages go out through, one after the other."""

    def send(self, envelope: Envelope, data: bytes) -> dict[str, Reply]:
        """Send one message and return every recipient's answer, keyed as in the envelope.

        `data` has CRLF line ends. Raises SendRefused, SendDeferred or SendUncertain for the
        message as a whole; after a refusal the connection stays usable, after the other two the
        caller closes it. Raises ConnectionFailed where a connection that was closed meanwhile
        cannot be opened again, and Cancelled: then too nothing was taken.
        """
        ...

    def close(self) -> None:
        """Leave politely where possible; never raises."""
        ...


# ----------------------------------------------------------------------------- importing


@dataclass(frozen=True)
class Mark:
    """Below which everything in a mailbox is settled."""

    scope: str
    """Within which item ids hold, such as a UIDVALIDITY."""
    cursor: str


@dataclass(frozen=True)
class Page:
    """Items to settle together, in the mailbox's order."""

    items: tuple[str, ...]
    cursor: str | None
    """Where the mark may move once these and all earlier items are settled; None: not yet."""
    early: tuple[str, ...] = ()
    """Further items, which were received before Import From."""


@dataclass(frozen=True)
class Listing:
    """What a mailbox holds above a mark."""

    scope: str
    server_count: int
    """Messages in the mailbox as the run began."""
    listed: int | None
    """How many items the pages hold in all, early ones not counted; None: walking them tells."""
    resumed: bool
    """Whether the mark still held. False: there was none, or everything is looked at again."""
    pages: Iterator[Page]


@dataclass(frozen=True)
class Header:
    """One message before its body is fetched."""

    item: str
    size: int
    """Octets of the whole message, as the server says."""
    received: datetime
    """When the mailbox received it (IMAP's INTERNALDATE), aware."""
    block: bytes
    """The header block as the server gave it, with the blank line."""
    fault: str = ""
    """Why it could not be fetched; then the rest is empty."""


@dataclass(frozen=True)
class Body:
    """One fetched message, or why it could not be fetched."""

    item: str
    data: bytes | None
    fault: str = ""


class Importer(Protocol):
    """An open connection to a mailbox that is only read."""

    @property
    def at_once(self) -> int:
        """How many calls of `headers` and `bodies`, and a listing's `pages`, may go on at once."""
        ...

    def look(self, mark: Mark | None, since: datetime | None, *, whole: bool = False) -> Listing:
        """List what lies above the mark; without one, or if asked for, the `whole` mailbox.

        What was received before `since` stands in a page's `early` instead of its `items`, but
        only as far as the first look at the mailbox went: what appears above the mark later is
        new to the mailbox whatever its date, such as mail moved here from another folder.
        Where the mark no longer holds (another UIDVALIDITY, an expired delta link), the whole
        mailbox is listed and `resumed` is False. Listing the whole mailbox gives at least one
        page, so that a mark comes out of it.
        """
        ...

    def scope(self, mark: Mark | None) -> str:
        """Open the mailbox to fetch single items of it, and return the scope in which they hold.

        Nothing is listed. Takes the account's mark, as `look` does.
        """
        ...

    def headers(self, items: Sequence[str]) -> Iterator[Header]:
        """Fetch header blocks, few at a time. Items that have vanished are left out."""
        ...

    def bodies(self, items: Sequence[str]) -> Iterator[Body]:
        """Fetch whole messages in one go without marking them read; callers bound the batch.

        Vanished items are left out.
        """
        ...

    def close(self) -> None:
        """Leave politely where possible; never raises."""
        ...


# ----------------------------------------------------------------------------- testing


@dataclass(frozen=True)
class Step:
    """One rung of Test Connection."""

    step: str
    ok: bool | None
    """True passed, False failed, None not reached."""
    ms: int = 0
    detail: str = ""
    hint: str = ""
    field: str | None = None
    """Dotted path of the field to jump to, such as ``settings.password``."""


@dataclass(frozen=True)
class LadderScope:
    """What Test Connection is to prove."""

    email: EmailSettings | None
    """Set where the account sends; MAIL FROM is tried with its Default Email."""
    imports: bool


# ----------------------------------------------------------------------------- the value


@dataclass(frozen=True)
class MailProtocol:
    """Everything the product knows of one protocol."""

    key: str
    """Stored in accounts and typed after ``--protocol``."""
    title: str
    """The manual's label."""
    settings: type[ProtocolSettings]
    ladder: Callable[[Any, LadderScope, Surroundings], Iterator[Step]]
    sender: Callable[[Any, Surroundings], Sender] | None = None
    """Opens a connection to send through: (settings with secrets, surroundings)."""
    importer: Callable[[Any, Surroundings], Importer] | None = None
    """Opens a connection to import from: (settings with secrets, surroundings)."""
    has_envelope: bool = True
    """Whether mail may go to others than its header names, and be sent on behalf of anybody."""
    connection_ceiling: int | None = None
    """The service's own limit of connections a mailbox, which No Limit cannot lift."""
    unfit: Callable[[Any, Config], Mapping[str, str]] = lambda _settings, _config: {}
    """What settings lack in this process, which their model cannot know: field → sentence."""


def climb(
    rungs: Sequence[tuple[str, Callable[[], str]]], clock: Callable[[], float]
) -> Iterator[Step]:
    """Run rungs in order and yield each as a step; after a failure the rest are not reached.

    A rung returns what it found in words, or raises ServiceError with hint and field.
    """
    failed = False
    for name, rung in rungs:
        if failed:
            yield Step(name, None)
            continue
        started = clock()
        try:
            detail, error = rung(), None
        except ServiceError as caught:
            detail, error = caught.message, caught
        ms = round((clock() - started) * 1000)
        failed = error is not None
        yield Step(
            name,
            not failed,
            ms,
            detail,
            error.hint if error else "",
            error.field if error else None,
        )


class Closing:
    """Gives a Sender or Importer the with statement."""

    def close(self) -> None:
        """Overridden by the connection."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
