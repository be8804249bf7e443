"""A mailbox: its messages, and the journal of changes that delta queries read."""

import base64
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tests.servers.cloud import clock, mime
from tests.servers.cloud.mime import Attachment

FOLDERS = {
    "inbox": "Inbox",
    "sentitems": "Sent Items",
    "drafts": "Drafts",
    "deleteditems": "Deleted Items",
}
_IMMUTABLE = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A"
_REST = "AAMkADk0MGFkODE3LWE4MmYtNDRhOS04"


def _digits(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(3)).decode()


@dataclass(eq=False)
class Message:
    """A message with its raw bytes exactly as they were stored.

    Ids are Base64, so every 26th message has the id of another but for the case of a letter.
    `changed` is the journal's number of its last change, `entered` the one at which it came into
    its folder. `visible_at` is a time of `time.monotonic`.
    """

    owner: int
    number: int
    folder: str
    raw: bytes
    received: datetime
    is_draft: bool = False
    is_read: bool = False
    entered: int = 0
    changed: int = 0
    moves: int = 0
    visible_at: float = 0.0
    attachments: list[Attachment] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The immutable id."""
        return f"{_IMMUTABLE}{_digits(self.owner)}{_digits(self.number)}AAA="

    @property
    def rest_id(self) -> str:
        """The ordinary id, which is another after each move."""
        return f"{_REST}{_digits(self.owner)}{_digits(self.number)}{_digits(self.moves)}AAA="

    @property
    def visible(self) -> bool:
        """Whether it can be seen yet."""
        return time.monotonic() >= self.visible_at

    @property
    def message_id(self) -> str | None:
        """The Message-ID field's value."""
        return mime.header(self.raw, "Message-ID")

    def mime(self) -> bytes:
        """Return the message with the files that were attached to it as a draft."""
        return mime.with_attachments(self.raw, self.attachments)


@dataclass(frozen=True)
class Change:
    """An entry of the journal; a removal keeps the ids that the message had."""

    number: int
    folder: str
    message: Message
    removed: bool
    id: str
    rest_id: str
    entered: int


@dataclass(frozen=True)
class Delivery:
    """What left the mailbox: to whom, and the bytes that the recipients get (without Bcc)."""

    recipients: tuple[str, ...]
    raw: bytes


class Mailbox:
    """The mailbox of one user. All methods may be called from any thread."""

    def __init__(self, owner: int, address: str, name: str, lock: threading.RLock) -> None:
        self.address = address
        self.name = name
        self.delivered: list[Delivery] = []
        self._owner = owner
        self._lock = lock
        self._messages: dict[str, Message] = {}
        self._journal: list[Change] = []
        self._created = 0

    @property
    def sequence(self) -> int:
        """The number of the journal's last entry."""
        return len(self._journal)

    @property
    def inbox(self) -> list[Message]:
        """The messages of the Inbox, oldest entry first."""
        return self.messages("inbox")

    @property
    def sent(self) -> list[Message]:
        """The copies in Sent Items, also those not visible yet."""
        return self.messages("sentitems")

    @property
    def drafts(self) -> list[Message]:
        """The messages in Drafts."""
        return self.messages("drafts")

    def messages(self, folder: str | None = None) -> list[Message]:
        """Return the messages of a folder, or of all."""
        with self._lock:
            found = {m for m in self._messages.values() if folder in (None, m.folder)}
        return sorted(found, key=lambda message: message.entered)

    def deliver(
        self, raw: bytes, received: datetime | None = None, *, folder: str = "inbox"
    ) -> str:
        """Put a message into a folder and return its immutable id."""
        return self.store(raw, folder, received=received).id

    def store(
        self,
        raw: bytes,
        folder: str,
        *,
        received: datetime | None = None,
        is_draft: bool = False,
        visible_at: float = 0.0,
    ) -> Message:
        """Put a message into a folder."""
        with self._lock:
            self._created += 1
            moment = received or clock.now()
            message = Message(self._owner, self._created, folder, raw, moment, is_draft)
            return self._arrive(message, visible_at)

    def find(self, message_id: str) -> Message | None:
        """Return the visible message with this id of either kind, case respected."""
        with self._lock:
            message = self._messages.get(message_id)
        return message if message is not None and message.visible else None

    def touch(self, message_id: str) -> None:
        """Change a message (read, unread), so that delta lists it again."""
        with self._lock:
            message = self._messages[message_id]
            message.is_read = not message.is_read
            self._note(message)

    def edit(self, message: Message) -> None:
        """Note that a message was changed."""
        with self._lock:
            self._note(message)

    def move(self, message_id: str, folder: str, *, visible_at: float = 0.0) -> Message:
        """Move a message: its ordinary id changes, its immutable id does not."""
        with self._lock:
            message = self._messages[message_id]
            self._leave(message)
            message.folder, message.moves = folder, message.moves + 1
            return self._arrive(message, visible_at)

    def remove(self, message_id: str) -> None:
        """Delete a message for good."""
        with self._lock:
            message = self._messages[message_id]
            self._leave(message)

    def changes(self, folder: str, after: int) -> Iterator[Change]:
        """Yield what holds of the journal after entry `after`, in order.

        Only the last change of a message counts. A removal is left out where the message came
        after that entry, and told otherwise, seen or not.
        """
        start = bisect_right(self._journal, after, key=lambda change: change.number)
        for change in self._journal[start:]:
            if change.folder == folder and self._holds(change, after):
                yield change

    def _holds(self, change: Change, after: int) -> bool:
        if change.removed:
            return change.entered <= after
        return change.number == change.message.changed

    def _arrive(self, message: Message, visible_at: float) -> Message:
        message.visible_at = visible_at
        message.entered = self.sequence + 1
        self._messages |= {message.id: message, message.rest_id: message}
        self._note(message)
        return message

    def _leave(self, message: Message) -> None:
        self._note(message, removed=True)
        del self._messages[message.id], self._messages[message.rest_id]

    def _note(self, message: Message, *, removed: bool = False) -> None:
        message.changed = self.sequence + 1
        ids = (message.id, message.rest_id)
        self._journal.append(
            Change(message.changed, message.folder, message, removed, *ids, message.entered)
        )
