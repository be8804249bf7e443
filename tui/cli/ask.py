"""Questions, asked on a terminal only: a script is told which option answers them."""

import sys
from collections.abc import Callable, Collection
from typing import TypeVar

from services.errors import NeedsConsent, ServiceError
from services.text import plain

T = TypeVar("T")


def on_terminal() -> bool:
    """Tell whether somebody sits there who can answer."""
    return sys.stdin.isatty()


def confirm(question: str) -> bool:
    """Ask for yes or no; anything but yes is no."""
    sys.stderr.write(f"{plain(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def agree(question: str, *, yes: bool) -> None:
    """Go on only where it was agreed to. Raises ServiceError."""
    if yes:
        return
    if not on_terminal():
        raise ServiceError(question, "Give --yes to agree.")
    if not confirm(question):
        raise ServiceError("Nothing was changed.")


def agreeing(save: Callable[[Collection[str]], T], *, yes: bool) -> T:
    """Call `save` with every consent that it needs and that is given. Raises ServiceError."""
    consent: set[str] = set()
    while True:
        try:
            return save(consent)
        except NeedsConsent as error:
            agree(error.message, yes=yes)
            consent.add(error.consent)


def agree_to_delete(question: str, *, yes: bool) -> None:
    """Have a person confirm; in a script, naming the record is asking outright."""
    if on_terminal():
        agree(question, yes=yes)
