"""The demo's folder: gone at its end, and at the next demo's start where it was killed."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "tourmail-demo-"
_LOCK = "alive.lock"
"""Locked for as long as the demo's process lives, whatever ends it."""


@contextmanager
def demo_folder() -> Iterator[Path]:
    """Make a folder for the block, after clearing away those whose demo was killed."""
    clear_dead()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        handle = _lock(folder)
        try:
            yield folder
        finally:
            os.close(handle)


def clear_dead() -> None:
    """Remove folders of this user's demos whose process is gone, as nothing but its lock proves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_ours(folder) and _is_dead(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> int:
    """Lock the file before it has its name, so that nobody finds it free in between."""
    draft = folder / f"{_LOCK}.new"
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    draft.rename(folder / _LOCK)
    return handle


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:  # it has just gone
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_dead(folder: Path) -> bool:
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # without a lock nothing is proved
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
