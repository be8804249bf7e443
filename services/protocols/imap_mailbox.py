"""The INBOX as an Importer: listed by UID, fetched in batches, one bad message set apart.

UIDs are settled in their order below a mark (RFC 3501 §2.3.1.1); flags, dates and sequence
numbers never tell what is new. Nothing is changed: EXAMINE and BODY.PEEK only.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from imapclient.datetime_util import format_criteria_date

from services.errors import ConnectionFailed
from services.protocols.base import Body, Closing, Header, Listing, Mark, Surroundings
from services.protocols.imap_crew import Crew
from services.protocols.imap_fetch import Answers
from services.protocols.imap_listing import Position, pages, resume
from services.protocols.imap_own import OwnConnection
from services.protocols.imap_session import Inbox
from services.protocols.imap_settings import ImapSettings
from services.protocols.imap_wire import Broken, Refused, Trouble

_DATES = 1_000
_HEADERS = 200
"""How many header blocks one command asks for."""

_SHORT_BLOCK = 64 * 1024
"""Octets of a header block that a batch asks for; the few longer ones come one by one."""
_LONG_BLOCK = 8 * 1024 * 1024
_LAST_TRIES = 3
"""How often a message alone must break the connection to be taken for the cause."""

_ALL_BROKEN = 3
"""How many messages must be refused, with none given, for the server to be to blame."""

_HUGE = 2**62
"""The largest size that is believed; what a store's number takes."""

_HEADER = f"(RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER]<0.{_SHORT_BLOCK}>)"
_LONG_HEADER = f"(BODY.PEEK[HEADER]<0.{_LONG_BLOCK}>)"
_WHOLE = "(BODY.PEEK[])"
_RECEIVED = "(INTERNALDATE)"

# Under these stand the answers. Of a batch that a server breaks off with NO, what had come turns up
# with the next answers: a header block must not be taken for the whole message then.
_HEADER_KEY, _WHOLE_KEY = b"BODY[HEADER]", b"BODY[]"

Answer = dict[bytes, Any]


class ImapImporter(Closing):
    """A mailbox that is only read (see services.protocols.base.Importer)."""

    at_once = 4
    """Batches of bodies that a walk wants while it waits for one, and a page's headers."""

    def __init__(self, settings: ImapSettings, surroundings: Surroundings) -> None:
        """Connect and log in. Raises ConnectionFailed, LoginRefused, Cancelled."""
        self._own = OwnConnection(settings, surroundings)
        self._crew = Crew(self._own, settings, surroundings)

    def close(self) -> None:
        """Log out; never raises."""
        self._crew.close()
        self._own.close()

    # ------------------------------------------------------------------ listing

    def look(self, mark: Mark | None, since: datetime | None, *, whole: bool = False) -> Listing:
        """List what lies above the mark, or the whole mailbox; see the port."""
        inbox = self._own.examine()
        if mark is None:
            self._crew.hire(inbox.exists)  # there will be work until they are here
        scope, held = resume(mark, inbox)
        position = None if whole else held
        above = position.settled if position else 0
        uids = self._above(above, inbox)
        top = (inbox.uidnext or max(uids, default=above) + 1) - 1
        first = position.first if position else top
        early = self._early(uids, first, since) if since and above < first else frozenset()
        return Listing(
            scope,
            inbox.exists,
            len(uids) - len(early),
            held is not None,
            pages(uids, early, Position(top, first), fresh=position is None),
        )

    def scope(self, mark: Mark | None) -> str:
        """Open the INBOX without a listing, and return the scope of its UIDs."""
        return resume(mark, self._own.examine())[0]

    def _above(self, settled: int, inbox: Inbox) -> "array[int]":
        """Return the UIDs above the mark that the mailbox had when it was opened, ascending."""
        if not inbox.exists or (inbox.uidnext and inbox.uidnext - 1 <= settled):
            return array("Q")
        found = self._own.search("UID", f"{settled + 1}:*")
        # n:* names the last message even where its UID lies below n (RFC 3501 §9, seq-range).
        limit = inbox.uidnext or 2**32
        # A set, since a server that lists a UID twice would have it settled twice.
        return array("Q", sorted({uid for uid in found if settled < uid < limit}))

    def _early(self, uids: Sequence[int], first: int, since: datetime) -> frozenset[int]:
        """Return those received before `since`, as far as the first look reaches.

        SEARCH knows days only, in a time zone that nobody tells; the days around are looked at
        exactly.
        """
        day = max(since.astimezone(UTC).date(), date(1971, 1, 1))
        wanted = set(self._own.search("SINCE", _criterion(day - timedelta(days=1))))
        certain = set(self._own.search("SINCE", _criterion(day + timedelta(days=2))))
        border = [uid for uid in uids if uid <= first and uid in wanted and uid not in certain]
        late = {uid for uid, when in self._received(border) if when < since}
        return frozenset(uid for uid in uids if uid <= first and (uid not in wanted or uid in late))

    def _received(self, uids: Sequence[int]) -> Iterator[tuple[int, datetime]]:
        for batch in _batches(uids, _DATES):
            for uid, answer, _fault in self._each(batch, _RECEIVED, b"INTERNALDATE"):
                if answer is not None:
                    yield uid, _aware(answer.get(b"INTERNALDATE"))

    # ------------------------------------------------------------------ fetching

    def headers(self, items: Sequence[str]) -> Iterator[Header]:
        """Fetch header blocks, few at a time. Items that have vanished are left out."""
        for batch in _batches([int(item) for item in items], _HEADERS):
            for uid, answer, fault in self._each(batch, _HEADER, _HEADER_KEY):
                yield self._header(uid, answer, fault)

    def _header(self, uid: int, answer: Answer | None, fault: str) -> Header:
        if answer is None:
            return Header(str(uid), 0, datetime.now(UTC), b"", fault)
        block = _literal(answer, _HEADER_KEY) or b""
        if len(block) >= _SHORT_BLOCK:
            for _uid, longer, _fault in self._each([uid], _LONG_HEADER, _HEADER_KEY):
                block = _literal(longer, _HEADER_KEY) or block
        received = _aware(answer.get(b"INTERNALDATE"))
        return Header(str(uid), _size(answer, block), received, block, fault)

    def bodies(self, items: Sequence[str]) -> Iterator[Body]:
        """Fetch whole messages in one go. Items that have vanished are left out."""
        for uid, answer, fault in self._each([int(item) for item in items], _WHOLE, _WHOLE_KEY):
            yield Body(str(uid), _literal(answer, _WHOLE_KEY), fault)

    def _each(
        self, uids: Sequence[int], what: str, key: bytes
    ) -> Iterator[tuple[int, Answer | None, str]]:
        """Yield every message's answer, or why there is none; vanished ones are left out.

        Raises ConnectionFailed where the server gives none of several: then it is the server that
        is broken, and what it does not give now is no error of the messages.
        """
        faults: list[tuple[int, Answer | None, str]] = []
        given = False
        for uid, answer, fault in self._tried(uids, what, key):
            given = given or answer is not None
            faults.append((uid, answer, fault))
            if given:
                yield from faults
                faults.clear()
        if len(faults) >= _ALL_BROKEN:
            raise ConnectionFailed(
                f"The server gives none of {len(faults)} messages: {faults[0][2]}",
                "Nothing was settled; the next import tries again.",
            )
        yield from faults

    def _tried(
        self, uids: Sequence[int], what: str, key: bytes
    ) -> Iterator[tuple[int, Answer | None, str]]:
        """Do so lazily.

        Where a batch fails, its halves are asked for, until the message to blame stands alone.
        """
        parts = [list(uids)]
        if self._crew.far and len(uids) > 1:
            found, left = self._crew.fetch(uids, what)
            yield from self._given([uid for uid in uids if uid not in left], found, what, key)
            parts = [[uid for uid in uids if uid in left]]
        while parts:
            part = parts.pop()
            try:
                found = self._own.fetch(part, what) if part else {}
            except Trouble:
                half = len(part) // 2
                if half:
                    parts += [part[half:], part[:half]]
                else:
                    yield from self._alone(part[0], what, key)
                continue
            yield from self._given(part, found, what, key)

    def _given(
        self, uids: Sequence[int], found: Answers, what: str, key: bytes
    ) -> Iterator[tuple[int, Answer | None, str]]:
        """Yield answers, and look again for messages that have none."""
        missing = []
        for uid in uids:
            answer = found.pop(uid, None)
            if _has(answer, key):
                yield uid, answer, ""
            else:
                missing.append(uid)
        for uid in self._still_there(missing):
            yield from self._alone(uid, what, key)

    def _alone(self, uid: int, what: str, key: bytes) -> Iterator[tuple[int, Answer | None, str]]:
        """Ask for one message again, which may have failed for a passing reason."""
        fault = "the server does not give it"
        for _ in range(_LAST_TRIES):
            try:
                answer = self._own.fetch([uid], what).get(uid)
            except Broken as trouble:  # it may be the line, which would be no error of the message
                fault = trouble.words
                continue
            except Refused as refusal:
                fault = refusal.words
                break
            if _has(answer, key):
                yield uid, answer, ""
                return
            break
        if self._still_there([uid]):
            yield uid, None, fault

    def _still_there(self, uids: Sequence[int]) -> Collection[int]:
        if not uids:
            return ()
        self._own.noop()
        return [
            uid for uid in self._own.search("UID", ",".join(map(str, uids))) if uid in set(uids)
        ]


def _batches(uids: Sequence[int], size: int) -> Iterator[list[int]]:
    rest = iter(uids)
    while batch := list(islice(rest, size)):
        yield batch


def _has(answer: Answer | None, key: bytes) -> bool:
    items = (answer or {}).items()
    return any(name.startswith(key) and value is not None for name, value in items)


def _literal(answer: Answer | None, key: bytes) -> bytes | None:
    """Return a part of an answer, which may begin with its first octet or not say so."""
    for name, value in (answer or {}).items():
        if name.startswith(key) and value is not None:
            # imapclient reads a quoted string of digits as a number.
            return value if isinstance(value, bytes) else str(value).encode()
    return None


def _size(answer: Answer, block: bytes) -> int:
    size = answer.get(b"RFC822.SIZE")
    return min(size, _HUGE) if isinstance(size, int) else len(block)


def _aware(when: object) -> datetime:
    """Return INTERNALDATE in UTC; where a server gives none that is a date, the message is new."""
    with suppress(OverflowError):  # the first and the last day of all, in another zone
        if isinstance(when, datetime) and when.tzinfo is not None:
            return when.astimezone(UTC)
    return datetime.now(UTC)


def _criterion(day: date) -> str:
    return str(format_criteria_date(datetime(day.year, day.month, day.day)).decode())
