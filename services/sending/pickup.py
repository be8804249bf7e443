"""Empties the drop folder into the outbox: each file once, and none lost."""

from collections.abc import Callable
from datetime import UTC, datetime

from models.submission import Submission
from services.actor import login_of
from services.errors import ServiceError
from services.sending.drop import DropFolder, DroppedFile, decode
from services.sending.entry import Dropped
from services.sending.submissions import Submissions

_BESIDE = 1_100_000
"""Bytes of a file beside its message."""
_HEAD = 64_000
"""Bytes that are kept of what cannot be sent in any case."""
_AT_ONCE = 500
"""Files taken in one go, so that a flood of them holds up nothing else."""


class Pickup:
    """Takes over what was dropped.

    A message is committed with the file's name as its key before the file is removed, so that a
    crash between the two makes no second message.
    """

    def __init__(
        self,
        folder: DropFolder,
        submissions: Submissions,
        now: Callable[[], datetime],
        most_bytes: int,
    ) -> None:
        """Take the folder, what queues messages, and the size above which mail is refused."""
        self._folder, self._submissions, self._now = folder, submissions, now
        self._most_bytes = most_bytes
        self._told: set[str] = set()
        self._trouble = ""

    def waiting(self) -> int:
        """Return how many messages lie in the folder; 0 where this process may not see them."""
        return len(self._names())

    def tell_trouble(self, say: Callable[[str], None]) -> None:
        """Tell once, as often as it begins, that the folder is none that can be emptied."""
        found = self._folder.trouble()
        if found and found != self._trouble:
            say(f"Mail handed over by programs waits: {found}")
        self._trouble = found

    def collect(self, say: Callable[[str], None] = lambda _text: None) -> int:
        """Move what lies in the folder into the outbox, and return how many messages that were.

        Where the store or the System Email Account is missing, all stays; `say` is told once. What
        somebody put together so that it cannot be taken in stays too, and holds up nothing else.
        """
        taken = 0
        for name in self._names():
            try:
                taken += self._take(name)
            except OSError as error:
                self._tell_once(f"{self._folder.path / name}: {error.strerror}.", say)
            except ServiceError as error:
                self._tell_once(f"the drop folder waits: {error}", say)
                break
            except Exception as error:  # noqa: BLE001 - the last door of a file: others go on
                words = f"tourmail failed here ({type(error).__name__})"
                self._tell_once(f"{self._folder.path / name}: {words}.", say)
            if taken == _AT_ONCE:
                break
        return taken

    def _names(self) -> list[str]:
        return self._folder.names(self._now().timestamp())

    def _tell_once(self, words: str, say: Callable[[str], None]) -> None:
        if words not in self._told:
            self._told.add(words)
            say(f"Mail handed over by programs: {words}")

    def _take(self, name: str) -> bool:
        with self._folder.hold(name) as file:
            if file is None:
                return False
            submission, refusal = self._read(file)
            at = handed_over_at(file, self._now())
            drop = Dropped(f"drop:{file.owner}:{name}", at, refusal)
            self._submissions.take_in(submission, login_of(file.owner), drop)
            if self._too_large(file):
                self._folder.set_aside(name)
            else:
                self._folder.remove(name)
            return True

    def _read(self, file: DroppedFile) -> tuple[Submission, str]:
        """Return the message, or of one that cannot be sent its beginning, and why."""
        if self._too_large(file):
            words = (
                f"The file has {file.size / 1e6:.1f} MB; at most {self._most_bytes / 1e6:.0f} MB "
                f"are taken. It is kept as {self._folder.aside(file.name)}."
            )
            return Submission(data=file.read(_HEAD)), words
        content = file.read(self._most_bytes + _BESIDE)
        try:
            return decode(content), ""
        except ValueError as error:
            return Submission(data=content[:_HEAD]), str(error)

    def _too_large(self, file: DroppedFile) -> bool:
        return file.size > self._most_bytes + _BESIDE


def handed_over_at(file: DroppedFile, now: datetime) -> datetime:
    """Return when a file was put there; its owner may give it any time, even of no year at all."""
    if not 0 <= file.at <= now.timestamp():
        return now if file.at > 0 else datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp(file.at, UTC)
