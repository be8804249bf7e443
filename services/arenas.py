"""Fewer heaps: glibc gives each thread one of its own, and keeps what was freed in it."""

import ctypes
from contextlib import suppress
from functools import cache

_M_ARENA_MAX = -8
"""See mallopt(3)."""
_MOST = 2


@cache
def share_arenas() -> None:
    """Let threads share heaps, which costs nothing where one of them runs Python at a time.

    An import's threads take messages of some MB in turns, and would each keep room for them.
    Does nothing where the C library has no such setting.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _MOST)
