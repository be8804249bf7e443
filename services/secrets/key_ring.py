"""The key file: its keys, who may read it, and how it is replaced without a moment's gap.

One line a key, oldest first: an id and 32 bytes in base64. Which of them is in use, the store says.
"""

import fcntl
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import ServiceError

_KEY_BYTES = 32


@dataclass(frozen=True)
class KeyRing:
    """The keys of a key file by their id, the oldest first."""

    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def newest(self) -> str:
        """The id of the key that a new store takes."""
        return list(self.keys)[-1]

    def with_new_key(self) -> "KeyRing":
        """Return the ring with one more key, the newest."""
        return KeyRing({**self.keys, secrets.token_hex(4): secrets.token_bytes(_KEY_BYTES)})

    def without(self, *key_ids: str) -> "KeyRing":
        """Return the ring without some keys."""
        return KeyRing({name: key for name, key in self.keys.items() if name not in key_ids})


class WrongKey(ServiceError):
    """The key file does not fit the store; nothing secret can be read or written."""


def open_ring(path: Path, *, may_create: bool) -> KeyRing:
    """Read the key file, making one for a new store.

    Raises ServiceError where it is missing for a store that is in use, readable by others, or
    unusable.
    """
    if not _exists(path):
        if not may_create:
            raise WrongKey(
                f"The key file {path} is missing.",
                "Put it back from where it is kept (TOURMAIL_KEY_FILE); without it the stored "
                "secrets cannot be read.",
            )
        _create(path)
    _refuse_wide_mode(path)
    try:
        return _parse(path.read_text(encoding="ascii"))
    except (OSError, ValueError, UnicodeError) as error:
        raise ServiceError(
            f"The key file {path} cannot be read.", "Check its rights, or put a good copy back."
        ) from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other program on this host from replacing the key file while the block runs.

    Locks its folder, since a lock on the file would be replaced with it. Raises ServiceError.
    """
    with _told(path, "replaced"):
        handle = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                "Another program is changing the key just now.", "Try again when it has ended."
            ) from None
        yield
    finally:
        os.close(handle)


def replace(path: Path, ring: KeyRing) -> None:
    """Write other keys into the key file, whole or not at all, for the same readers as before.

    It is on the disk once this returns. Within `alone`. Raises ServiceError with the file as it
    was.
    """
    with _told(path, "replaced"):
        path = path.resolve()  # a link stays one
        _sweep(path)
        draft = _draft_of(path)
        try:
            _write(draft, ring, like=path.stat())
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(
            f"The key file {path} cannot be {done}: {error.strerror}.",
            "Check the rights of its folder.",
        ) from error


def _exists(path: Path) -> bool:
    with _told(path, "reached"):
        return path.exists()


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _sweep(path: Path) -> None:
    """Remove drafts that a killed program left: they hold keys, and nobody watches over them."""
    for left in path.parent.glob(f".{path.name}.????????"):
        left.unlink(missing_ok=True)


def _create(path: Path) -> None:
    """Make a key file whole or not at all: another process may be reading in this moment."""
    draft = _draft_of(path)
    with _told(path, "made"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(draft, KeyRing({}).with_new_key())
            with suppress(FileExistsError):  # another process made it first: that one holds
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)


def _write(path: Path, ring: KeyRing, like: os.stat_result | None = None) -> None:
    """Write a new file to the disk; without a model, its folder says whether a group reads it."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        for key_id, key in ring.keys.items():
            file.write(f"{key_id} {b64encode(key).decode()}\n")
        file.flush()
        if like is not None:
            _resemble(descriptor, like)
        elif path.parent.stat().st_mode & 0o2000:
            os.fchmod(descriptor, 0o640)
        os.fsync(descriptor)


def _resemble(descriptor: int, like: os.stat_result) -> None:
    """Give a file another one's mode, the group that this lets in, and, as root, the owner."""
    owner = like.st_uid if os.geteuid() == 0 else -1
    foreign = like.st_gid != os.fstat(descriptor).st_gid
    group = like.st_gid if foreign and like.st_mode & 0o040 else -1
    os.fchown(descriptor, owner, group)
    os.fchmod(descriptor, like.st_mode & 0o640)


def _sync(folder: Path) -> None:
    """Have a folder's new names survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_wide_mode(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & ~0o640:
        raise ServiceError(
            f"The key file {path} has the mode {mode:04o}, which lets too many read or change it.",
            "Set it to 0600, or to 0640 with a group that only administrators are in.",
        )


def _parse(content: str) -> KeyRing:
    """Read lines of key id and base64 key."""
    keys = {}
    for line in content.splitlines():
        if line.strip():
            key_id, encoded = line.split()
            if key_id in keys:
                raise ValueError("one id twice")
            keys[key_id] = b64decode(encoded, validate=True)
    if not keys or any(len(key) != _KEY_BYTES for key in keys.values()):
        raise ValueError("no usable key")
    return KeyRing(keys)
