"""Secrets in: from a file, from standard input, or typed blind. Never from an argument."""

import sys
from pathlib import Path

from pydantic import SecretStr

from services.errors import InvalidInput, ServiceError
from tui.cli.output import say

_MOST = 65_536
"""Bytes. No secret is as long; somebody named the wrong file."""
_TRIES = 3
"""How often a secret and its repeat may be typed."""


def read_secret(source: str, path: str, title: str) -> SecretStr:
    """Return what a file holds (``-``: standard input) without its line end.

    Where standard input is a terminal it is asked for, since reading would show it.
    Raises InvalidInput at `path` where it cannot be read, is empty or has several lines. Its words
    never repeat `source`: somebody may have typed the secret where its file is named.
    """
    if source == "-" and sys.stdin.isatty():
        return ask_secret(title)
    try:
        data = _bytes(source)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput({path: f"The file given cannot be read: {error.strerror}."}) from None
    except UnicodeDecodeError:
        raise InvalidInput({path: "What it holds is not text in UTF-8."}) from None
    except ValueError:  # a NUL in the name
        raise InvalidInput({path: "This is not the name of a file."}) from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        whose = "Standard input" if source == "-" else "The file given"
        raise InvalidInput({path: f"{whose} is empty."})
    if "\n" in line or len(data) > _MOST:
        raise InvalidInput({path: "A secret is a single line."})
    return SecretStr(line)


def _bytes(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read(_MOST + 1)
    with Path(source).open("rb") as file:
        return file.read(_MOST + 1)


def ask_secret(title: str) -> SecretStr:
    """Ask for a secret twice on the terminal, and again where the two differ.

    Raises ServiceError where they differ once too often.
    """
    from getpass import getpass

    differ = f"{title} and {title} Repeat differ."
    for left in range(_TRIES, 0, -1):
        first = getpass(f"{title}: ")
        if not first or getpass(f"{title} Repeat: ") == first:
            return SecretStr(first)
        if left > 1:
            say(f"{differ} Once more, please.")
    raise ServiceError(differ, "Nothing was saved.")
