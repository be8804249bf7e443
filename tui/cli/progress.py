"""How far long work is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.text import plain
from tui.cli.output import say

LINE_SECONDS = 10.0
"""Between two lines where there is no terminal; what takes less is not told at all."""

Tell = Callable[[int, int | None], None]
"""Takes how much is done, and of how much (None: nobody knows yet)."""


@contextmanager
def shown(what: str) -> Iterator[Tell]:
    """Show how far something is while the block runs."""
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    # Seldom redrawn: the line may be a slow one.
    bar = Progress(console=Console(file=sys.stderr), transient=True, refresh_per_second=2)
    with bar:
        task = bar.add_task(escape(plain(what)), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(what: str) -> Tell:
    told = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        nonlocal told
        if time.monotonic() - told >= LINE_SECONDS:
            told = time.monotonic()
            say(f"{what}: {done:,} of {total:,}" if total is not None else f"{what}: {done:,}")

    return tell
