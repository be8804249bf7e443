"""Files made from foreign mail: safely named, never over another one, for their owner alone."""

import os
import re
import unicodedata
from pathlib import Path

from services.errors import InvalidInput, ServiceError

_COPIES = 1_000
_NAME_BYTES = 200
"""Linux takes 255 in a name; the suffix and a number follow."""
_SUFFIX = re.compile(r"[A-Za-z0-9]{1,10}")
_UNSAFE = re.compile(r"[/\\:*?\"<>|$`~]+")


def file_name(text: str, otherwise: str) -> str:
    """Make a file name that every system takes out of foreign text, without its suffix.

    Neither separators, nor leading dots or dashes, nor anything invisible stays.
    """
    seen = "".join(
        char if char.isprintable() and unicodedata.category(char) != "Co" else " "
        for char in unicodedata.normalize("NFC", text)
    )
    name = " ".join(_UNSAFE.sub(" ", seen).split())
    name = name.encode()[:_NAME_BYTES].decode(errors="ignore")
    return name.strip(" .-") or otherwise


def split_name(name: str) -> tuple[str, str]:
    """Split a foreign file name, folders left out, into stem and suffix.

    What is no plain suffix stays in the stem.
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix}") if dot and _SUFFIX.fullmatch(suffix) else (name, "")


def save_new(folder: Path, name: str, suffix: str, data: bytes) -> Path:
    """Write a file that was not there, 0600, numbered where its name is taken.

    Raises InvalidInput where there is no such folder, ServiceError where it cannot be written.
    """
    try:
        if not folder.is_dir():
            raise InvalidInput({"folder": f"There is no folder {folder}."})
        for number in range(1, _COPIES):
            extra = f" ({number})" if number > 1 else ""
            path = folder / f"{name}{extra}{suffix}"
            if _written(path, data):
                return path
    except OSError as error:
        raise ServiceError(
            f"The file cannot be written in {folder}: {error.strerror}.", "Choose another folder."
        ) from error
    raise ServiceError(f"{folder} has too many files named {name}.", "Choose another folder.")


def _written(path: Path, data: bytes) -> bool:
    """Write a new file; where the name is taken, even by a link that leads nowhere, do nothing."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError:
        path.unlink()  # half a message would pass for a whole one
        raise
    return True
