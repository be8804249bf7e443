"""The console at the end of a line: its start, what each key writes to the terminal, its memory.

    python -m tests.benchmarks ssh_line

Programs take turns on pseudo-terminals of 80x24. Bytes are exact, times are ratios to an empty
Textual app of the same round; the same console with Textual's own driver stands beside it.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks._compiled import compile_ours
from tests.stores import add_codes, imap_raw, save, services_in, smtp_raw
from tests.tui.terminal.line import Line

ROUNDS = 5
ACCOUNTS = 60
QUIET = 0.4
"""Seconds of silence after which the answer to a key is complete."""
IDLE = 10
"""Seconds of doing nothing."""

EMPTY = """
from textual.app import App
from textual.widgets import Label
class Empty(App):
    def compose(self): yield Label("stands")
    def on_key(self): self.query_one(Label).update("answers")
Empty().run()
"""
STOCK = "from tui.app import Console; Console().run()"
PROGRAMS = {
    "empty Textual app": ("-c", EMPTY),
    "console": ("-m", "tui"),
    "with Textual's driver": ("-c", STOCK),
}

DOWN, HOME, PAGE_DOWN, TAB, SHIFT_TAB = "\x1b[B", "\x1b[H", "\x1b[6~", "\t", "\x1b[Z"
F1, F2, F3, ESC = "\x1bOP", "\x1bOQ", "\x1bOR", "\x1b"


def environment(folder: Path) -> dict[str, str]:
    """Make a store with accounts in it; return what names it, and a UTF-8 terminal."""
    services = services_in(folder)
    add_codes(services)
    save(services, smtp_raw())
    for number in range(ACCOUNTS):
        save(services, imap_raw(f"DESK {number:02}"))
    services.close()
    return {
        "HOME": str(folder),
        "TOURMAIL_DATABASE_URL": f"sqlite:///{folder}/store/tourmail.sqlite",
        "TOURMAIL_KEY_FILE": str(folder / "key" / "tourmail.key"),
        "LANG": "C.UTF-8",
    }


@contextmanager
def console(command: tuple[str, ...], environ: dict[str, str]) -> Iterator[Line]:
    """Run a console, and leave it in order."""
    with Line(*command, environ=environ) as line:
        yield line
        line.send("\x11")
        line.code()


# ------------------------------------------------------------------------- the start


def start(name: str, environ: dict[str, str]) -> dict[str, float]:
    """Return the seconds from the launch to what is seen."""
    begun = time.perf_counter()
    found: dict[str, float] = {}

    def reached(step: str) -> None:
        found[step] = time.perf_counter() - begun

    with Line(*PROGRAMS[name], environ=environ) as line:
        if name.startswith("empty"):
            line.expect("stands")
            reached("first paint")
            line.send(DOWN)
            line.expect("answers")
            reached("first key answered")
            return found
        line.expect("Code Setup")
        reached("first paint")
        line.send("c")
        line.expect("Email Account")
        reached("first key answered")
        line.send("e")
        line.expect("DESK 00")
        reached("first list with rows")
    return found


def starts(environ: dict[str, str]) -> None:
    """Print how long starts take, beside an empty app of the same round."""
    rounds = [{name: start(name, environ) for name in PROGRAMS} for _ in range(ROUNDS)]
    base = [found["empty Textual app"]["first paint"] for found in rounds]
    print(f"{'start':24}{'first paint':>16}{'key answered':>16}{'first list':>16}")
    for name in PROGRAMS:
        cells = []
        for step in ("first paint", "first key answered", "first list with rows"):
            times = [found[name].get(step, 0.0) for found in rounds]
            ratio = median(one / empty for one, empty in zip(times, base, strict=True))
            cells.append(f"{median(times) * 1000:8.0f} ms{ratio:4.1f}x" if any(times) else "-")
        print(f"{name:24}" + "".join(f"{cell:>16}" for cell in cells))


# ------------------------------------------------------------------------- bytes


def answer(line: Line, keys: str, words: str) -> int:
    """Return the bytes that keys bring about; the answer ends after the words, with silence."""
    before = len(line.written)
    line.send(keys)
    line.expect(words)
    line.rest(QUIET)
    return len(line.written) - before


def open_form(line: Line) -> None:
    """Go to the form of the first account of the list."""
    line.send(HOME)
    line.rest(QUIET)
    line.send("\r")
    line.expect("Email Server")


Step = tuple[str, Callable[[Line], object], list[tuple[str, str]]]
"""Its name, how to get there, and the keys with the words that their answers show."""
STEPS: list[Step] = [
    ("list row", lambda line: line.expect("DESK 00"), [(DOWN, "DESK")] * 10),
    ("list row, scrolled", lambda line: line.send(DOWN * 12), [(DOWN, "DESK")] * 5),
    ("list page", lambda line: None, [(PAGE_DOWN, "DESK")] * 2),
    ("question and back", lambda line: line.send(HOME), [("d", "[ Delete ]"), (ESC, "accounts")]),
    ("field change", open_form, [(TAB, "Protocol")] * 14),
    (
        "typed character",
        lambda line: line.send(SHIFT_TAB * 14),
        [(key, "") for key in "Replies of"],
    ),
    ("tab and back", lambda line: None, [(F3, "Import From"), (F2, "Email Server")]),
    ("help and back", lambda line: None, [(F1, "Close"), (ESC, "Email Server")]),
]


def costs(command: tuple[str, ...], environ: dict[str, str]) -> dict[str, str]:
    """Return what each step writes, and what the program holds of memory."""
    found = {}
    with console(command, environ) as line:
        line.expect("Code Setup")
        line.rest(QUIET)
        found["start"] = f"{len(line.written):,}"
        line.send("ce")
        for name, go, keys in STEPS:
            go(line)
            line.rest(QUIET)
            found[name] = usual_and_most([answer(line, *key) for key in keys])
        before = len(line.written)
        line.rest(IDLE)
        found[f"idle for {IDLE} s"] = f"{len(line.written) - before:,}"
        found["memory"] = f"{memory(line):.0f} MB"
        line.send(ESC)
        line.rest(QUIET)
        line.send("y")  # discard what was typed
        line.rest(QUIET)
    return found


def usual_and_most(figures: list[int]) -> str:
    """Return the median and, where it is another, the largest of some figures."""
    usual, most = int(median(figures)), max(figures)
    return f"{usual:,} ({most:,})" if most > usual else f"{usual:,}"


def memory(line: Line) -> float:
    """Return the megabytes that a program holds now."""
    status = Path(f"/proc/{line.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def main() -> None:
    """Print both tables."""
    print(f"textual {version('textual')}, xterm-256color, 80x24, {ACCOUNTS} accounts\n")
    compile_ours()
    with TemporaryDirectory() as name:
        environ = environment(Path(name))
        starts(environ)
        ours = costs(PROGRAMS["console"], environ)
        stock = costs(PROGRAMS["with Textual's driver"], environ)
        print(f"\n{'bytes: usual (most)':24}{'console':>16}{'Textual driver':>16}")
        for step, cost in ours.items():
            print(f"{step:24}{cost:>16}{stock[step]:>16}")
