"""Files that options name: texts and attachments, with faults told at their option."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.errors import InvalidInput


def read_bytes(source: str, word: str) -> bytes:
    """Return a file's content, standard input's for ``-``. Raises InvalidInput at `word`."""
    with _telling(source, word):
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()


def read_text(source: str, word: str) -> str:
    """Return a text file's content without a byte order mark. Raises InvalidInput at `word`."""
    try:
        return read_bytes(source, word).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput({word: f"{source} is not text in UTF-8."}) from None


@contextmanager
def _telling(source: str, word: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput({word: f"{source} cannot be read: {error.strerror}."}) from error
    except ValueError:  # a NUL in the name
        raise InvalidInput({word: "This is not the name of a file."}) from None
