"""What commands write: results to standard output, messages to standard error, nothing raw.

Foreign text goes through `services.text.plain`; JSON is escaped to ASCII, which steers no terminal
and suits every locale.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from services.errors import ServiceError
from services.text import plain

_GAP = "  "


def harden() -> None:
    """Let no character fail to be written, whatever the locale's encoding.

    A stream that was closed before we began (``<&-``) is taken for an empty one.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a test's stand-in has none
            reconfigure(errors="replace")


def say(text: str) -> None:
    """Tell a person something on standard error, one line."""
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def write(lines: Iterable[str]) -> None:
    """Write lines, made harmless, to standard output."""
    with _telling_faults():
        for line in lines:
            sys.stdout.write(f"{plain(line).rstrip()}\n")


def write_json(value: Any) -> None:
    """Write one value as JSON to standard output, dates in ISO 8601 (UTC)."""
    with _telling_faults():
        json.dump(value, sys.stdout, default=_plainly, indent=2)
        sys.stdout.write("\n")


def write_json_rows(rows: Iterable[Any]) -> None:
    """Write rows as a JSON array, one at a time, however many there are."""
    with _telling_faults():
        opening = "["
        for row in rows:
            sys.stdout.write(f"{opening}\n{json.dumps(row, default=_plainly)}")
            opening = ","
        sys.stdout.write("[]\n" if opening == "[" else "\n]\n")


def tell_deleted(key: str, *, json: bool) -> None:
    """Say what was deleted, to a program too."""
    say(f"Deleted {key}.")
    if json:
        write_json({"deleted": key})


def write_bytes(data: bytes) -> None:
    """Write bytes exactly as they are to standard output."""
    with _telling_faults():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def write_table(titles: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Write an aligned table, cut to the terminal's width where there is one.

    Where there are no rows, `empty` is told on standard error.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    if not cells:
        say(empty)
        return
    table = [list(titles), *cells]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    write(_fitted(_GAP.join(map(set_cell_size, row, widths)).rstrip()) for row in table)


def unless(text: str, noun: str, nothing: str) -> str:
    """Return what an empty list says: `nothing`, unless it is empty since a text was looked for."""
    return f"No {noun} contains “{text}”." if text else nothing


def write_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Write labels and values, one line each."""
    known = list(pairs)
    width = max((cell_len(label) for label, _value in known), default=0)
    write(f"{set_cell_size(label, width)}{_GAP}{plain(value)}" for label, value in known)


def flush() -> None:
    """Write out what is still buffered. Raises ServiceError, BrokenPipeError."""
    with _telling_faults():
        sys.stdout.flush()


def silence() -> None:
    """Throw away what standard output still holds, for nobody reads it any more."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _fitted(line: str) -> str:
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"


def _plainly(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@contextmanager
def _telling_faults() -> Iterator[None]:
    """Say in words that the disk behind standard output is full; a closed pipe stays quiet."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence()
        raise ServiceError(f"Standard output cannot be written: {error.strerror}.") from error
