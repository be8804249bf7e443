"""The drop folder: where programs hand mail over that may read neither the store nor its key.

It is a one-way slot: strangers may put files in, but neither list the folder nor read, rename or
remove what others put there (set-group-id, sticky, -wx for everybody). A file is written under
another name, synchronised, and renamed, so that it is whole or not there at all.
"""

import ctypes
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from models.submission import Submission
from services.errors import ServiceError

_MAGIC = b"tourmail submission 1\n"
_NAME = re.compile(r"[0-9a-f]{32}\.msg")
_UNFINISHED = re.compile(r"[0-9a-f]{32}\.tmp")
_STALE_SECONDS = 86_400
_MODE = 0o640
"""For the owner, and the folder's group that the worker is in (by the set-group-id bit)."""
_MISSING = (
    "The drop folder {} is not there. Correct TOURMAIL_DROP_FOLDER, or make it as the README says."
)
_CLOSED = (
    "The drop folder {} cannot be read and emptied by {}. Give it to the user that the worker runs "
    "as, or run the worker as its owner."
)
_MOST_BESIDE = 1_000_000
"""Bytes of an envelope: recipients and what else stands beside the message."""


@dataclass(frozen=True)
class DroppedFile:
    """A file that somebody put into the folder, held under a lock."""

    name: str
    owner: int
    """Whose it is, by the file system: a name in the text would prove nothing."""
    at: float
    """When it was put there, in seconds of the epoch."""
    size: int
    descriptor: int

    def read(self, most: int) -> bytes:
        """Return its first bytes."""
        with open(self.descriptor, "rb", closefd=False) as file:
            return file.read(most)


class DropFolder:
    """One drop folder, there or not."""

    def __init__(self, path: Path, *, named: bool = False) -> None:
        """Take where it is, and whether TOURMAIL_DROP_FOLDER says so: then it has to be there."""
        self.path, self._named = path, named

    # ------------------------------------------------------------------ handing over

    @property
    def usable(self) -> bool:
        """Whether this process may put something in."""
        # Path.is_dir raises where a folder above it is closed to us.
        return os.path.isdir(self.path) and os.access(self.path, os.W_OK | os.X_OK)  # noqa: PTH112

    def put(self, submission: Submission) -> None:
        """Hand a message over; once this returns, it survives a power cut. Raises ServiceError."""
        try:
            _refuse_unsafe(self.path)
            _write_whole(self.path, encode(submission))
        except OSError as error:
            raise ServiceError(
                f"The message cannot be put into {self.path}: {error.strerror}.",
                "Nothing was accepted; try again later.",
            ) from error

    # ------------------------------------------------------------------ taking out

    def trouble(self) -> str:
        """Say why nothing can be taken out, and what to do; nothing where none is meant to be."""
        try:
            is_folder = stat.S_ISDIR(self.path.stat().st_mode)
        except OSError as error:
            return self._unreachable(error) if self._named else ""
        if not is_folder:
            return f"{self.path} is no folder. Correct TOURMAIL_DROP_FOLDER, or move it away."
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            from services.actor import login_of  # not for who hands over, and in a hurry

            return _CLOSED.format(self.path, login_of(os.geteuid()))
        return ""

    def _unreachable(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return _MISSING.format(self.path)
        return f"The drop folder {self.path} cannot be reached: {error.strerror}."

    def names(self, now: float) -> list[str]:
        """Return the files that are whole, the oldest first; none where nobody may list them.

        What was begun a day before `now` (seconds of the epoch) and never finished is removed.
        """
        found = []
        try:
            with os.scandir(self.path) as entries:
                listed = list(entries)
        except OSError:
            return []
        for entry in listed:
            with suppress(OSError):
                at = entry.stat(follow_symlinks=False).st_mtime
                if _NAME.fullmatch(entry.name):
                    found.append((at, entry.name))
                elif _UNFINISHED.fullmatch(entry.name) and at < now - _STALE_SECONDS:
                    self.remove(entry.name)
        return [name for _at, name in sorted(found)]

    @contextmanager
    def hold(self, name: str) -> Iterator[DroppedFile | None]:
        """Lock a file; None where another worker has it, or it is no plain file of one name.

        Symbolic links, pipes, devices and hard links are left alone: what they lead to may be
        somebody else's. Raises OSError where it may not be read.
        """
        path = self.path / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            if _is_plain(path):
                raise
            yield None
            return
        try:
            yield _locked(path, handle)
        finally:
            os.close(handle)

    def remove(self, name: str) -> None:
        """Take a file away whose message the store has. Raises OSError."""
        (self.path / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> None:
        """Keep a file that nothing can be made of under a name that is not looked at again."""
        (self.path / name).rename(self.aside(name))

    def aside(self, name: str) -> Path:
        """Return where a file is kept that was set aside."""
        return self.path / f"{name}.refused"


def encode(submission: Submission) -> bytes:
    """Return a file's content: a line that names its form, the envelope as JSON, the message."""
    return _MAGIC + submission.model_dump_json(exclude={"data"}).encode() + b"\n" + submission.data


def decode(content: bytes) -> Submission:
    """Read a file's content, which anybody may have written. Raises ValueError in a sentence."""
    if not content.startswith(_MAGIC):
        raise ValueError("The file was not written by tourmail.")
    envelope, _, data = content[len(_MAGIC) :].partition(b"\n")
    try:
        if len(envelope) > _MOST_BESIDE:
            raise ValueError
        return Submission.model_validate({**json.loads(envelope), "data": data})
    except (ValueError, TypeError, RecursionError):
        raise ValueError("The file's envelope cannot be read.") from None


def _locked(path: Path, handle: int) -> DroppedFile | None:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        now = os.lstat(path)
    except OSError:  # another worker has it, or has just had it
        return None
    if now.st_ino != found.st_ino:
        return None
    return DroppedFile(path.name, found.st_uid, found.st_mtime, found.st_size, handle)


def _is_plain(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.lstat(path).st_mode)
    return False


def _refuse_unsafe(folder: Path) -> None:
    """Refuse a folder whose mode would lose mail, or leave it unread. Raises ServiceError."""
    found = folder.stat()
    if not found.st_mode & stat.S_IWOTH:
        return
    words = ""
    if not found.st_mode & stat.S_ISVTX:
        words = f"In {folder} everybody could remove everybody's mail."
    elif not found.st_mode & stat.S_ISGID and found.st_uid not in (0, os.getuid()):
        words = f"In {folder} the worker could not read what others put there."
    if words:
        raise ServiceError(words, "Its administrator sets its mode to 3733; nothing was accepted.")


def _write_whole(folder: Path, content: bytes) -> None:
    name = secrets.token_hex(16)
    unfinished = folder / f"{name}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(unfinished, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            unfinished.rename(folder / f"{name}.msg")
            _sync_folder(folder, file.fileno())
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path, within: int) -> None:
    """Make a new name survive: a folder that one may not read is synchronised with its disk."""
    try:
        readable = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        if ctypes.CDLL(None, use_errno=True).syncfs(within):  # syncfs(2); Python has none
            os.sync()
        return
    try:
        os.fsync(readable)
    finally:
        os.close(readable)
