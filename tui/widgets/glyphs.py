"""Marks and rules, with an ASCII fallback for terminals whose locale is not UTF-8.

Meaning never rests on colour: every state has a mark of its own here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Glyphs:
    """One set of marks; each is one cell wide unless it is a word."""

    cursor: str = "›"
    then: str = "›"
    ellipsis: str = "…"
    yes: str = "✓"
    no: str = "✗"
    good: str = "●"
    bad: str = "▲"
    rule: str = "─"
    drop: str = "▾"
    dot: str = "•"
    chosen: str = "(•)"
    unchosen: str = "( )"
    ticked: str = "[x]"
    unticked: str = "[ ]"
    wrong: str = "!"
    rising: str = "▴"
    falling: str = "▾"
    enter: str = "⏎"
    border: str = "solid"
    """A border style of Textual's."""


ASCII = Glyphs(
    cursor=">",
    then=">",
    ellipsis="~",
    yes="+",
    no="x",
    good="o",
    bad="^",
    rule="-",
    drop="v",
    dot="*",
    chosen="(o)",
    rising="^",
    falling="v",
    enter="Enter",
    border="ascii",
)


def is_utf8(environ: Mapping[str, str]) -> bool:
    """Tell whether the locale says that the terminal takes UTF-8 (POSIX order of variables)."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if environ.get(name):
            return "utf8" in environ[name].lower().replace("-", "")
    return False


def started_with() -> Mapping[str, str]:
    """Return the environment as it was before Python made the C locale one of UTF-8 (PEP 538)."""
    try:
        given = Path("/proc/self/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # not Linux
        return os.environ
    before = [line.partition("=")[2] for line in given if line.startswith("LC_CTYPE=")]
    return {**os.environ, "LC_CTYPE": before[0] if before else ""}


@cache
def glyphs() -> Glyphs:
    """Return the set that the process's locale can show."""
    return Glyphs() if is_utf8(started_with()) else ASCII
