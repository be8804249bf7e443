"""Runs a command and tells its time, CPU and memory; contestants take turns in every round.

The command is started by a small process of its own: Linux counts the memory of whoever starts a
process towards that process' peak (getrusage(2), ru_maxrss). Memory is what the command and the
processes it starts hold together, looked at while they live; the libraries that they have mapped,
which are nearly the same for all of them, count once.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

LIMIT = 600
"""Seconds after which a command is given up."""
_STATUS = re.compile(r"(Rss\w+):\s+(\d+)")
_KINDS = ("Anon", "Shmem", "File")


@dataclass(frozen=True)
class Run:
    """What one run took: seconds, and with its children seconds of CPU and megabytes at most."""

    wall: float
    cpu: float = 0.0
    peak: float = 0.0
    output: str = ""


class Failed(Exception):
    """A command did not do its work."""


def measured(command: Sequence[str], **environment: str) -> Run:
    """Run a command. Raises Failed with the end of what it printed."""
    found = subprocess.run(
        ["timeout", str(LIMIT), sys.executable, "-S", "-E", __file__, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = found.stdout.splitlines()
    if found.returncode or not told:
        raise Failed(f"{command[0]} fails: {(found.stdout + found.stderr)[-300:].strip()}")
    took = json.loads(told[-1])
    return Run(took["wall"], took["cpu"], took["peak"], "\n".join(told[:-1]))


def take_turns(contestants: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Let everybody run once a round; each round begins with another one.

    Who fails once takes no further part.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(runs)
        at = number % len(names)
        for name in names[at:] + names[:at]:
            try:
                runs[name].append(contestants[name]())
            except Failed as error:
                print(error)
                del runs[name]
    return runs


def ratio(runs: Mapping[str, Sequence[Run]], name: str, to: str) -> float:
    """Return how many times as long one takes as another: the median over the rounds."""
    pairs = zip(runs[name], runs[to], strict=True)
    return median(one.wall / other.wall for one, other in pairs)


def show(runs: Mapping[str, Sequence[Run]], messages: int, *against: str) -> None:
    """Print medians, and ratios to those who took part."""
    others = [name for name in against if name in runs]
    head = "".join(f"{'x ' + name:>13}" for name in others)
    print(f"{'':24}{'wall s':>9}{'CPU ms/mail':>13}{'peak MB':>9}{head}")
    for name, found in runs.items():
        wall, cpu, peak = (
            median(getattr(r, key) for r in found) for key in ("wall", "cpu", "peak")
        )
        ratios = "".join(f"{ratio(runs, name, other):13.2f}" for other in others)
        print(f"{name:24}{wall:9.3f}{cpu / messages * 1000:13.2f}{peak:9.0f}{ratios}", flush=True)


def _child(command: list[str]) -> int:
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    done = threading.Event()
    peaks = [0]
    watch = threading.Thread(target=_watch, args=(pid, done, peaks))
    watch.start()
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    done.set()
    watch.join()
    cpu = used.ru_utime + used.ru_stime
    peak = max(used.ru_maxrss, *peaks) / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak}))
    return os.waitstatus_to_exitcode(status)


def _watch(pid: int, done: threading.Event, peaks: list[int]) -> None:
    """Note, twenty times a second, the kilobytes that a process and its children hold together."""
    while not done.wait(0.05):
        with suppress(OSError):  # it has ended meanwhile
            tasks = Path(f"/proc/{pid}/task").glob("*/children")
            family = [str(pid), *(child for task in tasks for child in task.read_text().split())]
            own, files = zip(*map(_held, family), strict=True)
            peaks.append(sum(own) + max(files))


def _held(pid: str) -> tuple[int, int]:
    """Return the kilobytes that are a process' own, and those of files that it has mapped."""
    status = dict(_STATUS.findall(Path(f"/proc/{pid}/status").read_text()))
    anonymous, shared, files = (int(status.get(f"Rss{kind}", 0)) for kind in _KINDS)
    return anonymous + shared, files  # of a process that has ended nothing is told


if __name__ == "__main__":
    sys.exit(_child(sys.argv[1:]))
