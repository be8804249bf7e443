"""Keyset pages: the same speed at a hundred rows and at a million."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """A stretch of a list, and where the next one begins."""

    rows: list[T]
    next: str | None
    """Pass back as `after` for the following page; None: this was the last."""
