"""Loading what stays: without the collector, which would look through all of it in vain."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Import a module for the first time, and build from it, without collections.

    Modules and classes live as long as the process, so they are not looked through later either:
    that held up every thread for a tenth of a second of the start, and again in long imports.
    """
    if module in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
