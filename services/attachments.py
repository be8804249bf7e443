"""Files of this host that go out with a message: found, weighed and read, with faults in words."""

import mimetypes
import stat
from collections.abc import Sequence
from pathlib import Path

from models.outgoing import Attachment
from services.errors import InvalidInput

MOST_BYTES = 150_000_000
"""Of all files together: what Microsoft 365 takes, and far more than most servers do."""
_UNKNOWN = "application/octet-stream"


def made(name: str, data: bytes) -> Attachment:
    """Return a file's content as an attachment; its media type is told by its name."""
    media_type, encoding = mimetypes.guess_type(name)
    if media_type is None or encoding is not None:  # a compressed file is not what it holds
        media_type = _UNKNOWN
    return Attachment(name=Path(name).name, media_type=media_type, data=data)


def weigh(names: Sequence[str], field: str = "attachments") -> int:
    """Return how many bytes the files have together, without reading them.

    Raises InvalidInput at `field` for the first that is missing, unreadable or no plain file, and
    where they are too many bytes.
    """
    total = sum(_size(name, field) for name in names)
    if total > MOST_BYTES:
        words = f"The files have {total / 1e6:,.0f} MB; at most {MOST_BYTES / 1e6:.0f} MB are sent."
        raise InvalidInput({field: words})
    return total


def read(names: Sequence[str], field: str = "attachments") -> tuple[Attachment, ...]:
    """Read the files. Raises InvalidInput as `weigh` does."""
    weigh(names, field)
    found = []
    for name in names:
        try:
            found.append(made(name, _path(name).read_bytes()))
        except OSError as error:
            raise InvalidInput({field: f"{name}: {error.strerror}."}) from error
    return tuple(found)


def _path(name: str) -> Path:
    """Return a typed path; ~ is a home folder. Raises OSError in words where there is none."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise FileNotFoundError(0, "There is no such user") from None


def _size(name: str, field: str) -> int:
    try:
        path = _path(name)
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput({field: f"{name} is no file."})
        path.open("rb").close()
    except OSError as error:
        raise InvalidInput({field: f"{name}: {error.strerror}."}) from error
    return found.st_size
