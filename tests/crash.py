"""kill -9 at every point that matters: work is run in a process that kills itself at its nth step.

A step is a moment after which something is different for whoever comes next: before and after each
commit, and before each change of a file in a folder. Product code knows nothing of it.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

_CONTEXT = multiprocessing.get_context("forkserver")
# A child begins with these loaded, so that a case costs what its work costs.
_CONTEXT.set_forkserver_preload(
    [
        "tests.crash",
        "tests.stores",
        "pytest",
        "cryptography.hazmat.primitives.ciphers.aead",
        "alembic.command",
        "imapclient",
        "services.importing.run",
        "services.sending.outbox",
    ]
)
_CHANGES = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.chmod", "os.chown", "os.truncate")
SECONDS = 30.0
"""How long one case may take."""

Work = Callable[..., object]


def killed_at_each_step(prepare: Callable[[int], Path], work: Work, *args: Any) -> Iterator[Path]:
    """Run `work(folder, *args)` once for each of its steps, killed there; yield each folder.

    `prepare` makes the folder of the nth case. The last folder is of a run that came to its end.
    `work` is a function of a module, and opens what it needs itself.
    """
    step, killed = 0, True
    while killed:
        step += 1
        folder = prepare(step)
        killed = run_killed(step, folder, work, *args)
        yield folder


def run_killed(step: int, folder: Path, work: Work, *args: Any) -> bool:
    """Run `work(folder, *args)` killed at a step; return False where it ended before that."""
    child = _CONTEXT.Process(target=_run, args=(step, folder, work, args))
    child.start()
    child.join(SECONDS)
    if child.exitcode not in (0, -signal.SIGKILL):
        child.kill()
        raise AssertionError(f"step {step} of {work.__name__} ended with {child.exitcode}")
    return child.exitcode != 0


def _run(step: int, folder: Path, work: Work, args: tuple[Any, ...]) -> None:
    _arm(step, folder)
    work(folder, *args)


def _arm(last: int, folder: Path) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    commit = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        step()
        commit(self, connection)
        step()

    def audit(event: str, given: tuple[Any, ...]) -> None:
        opened = event == "open" and bool(given[2] & (os.O_WRONLY | os.O_RDWR))
        if (opened or event in _CHANGES) and str(given[0]).startswith(str(folder)):
            step()

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    sys.addaudithook(audit)
