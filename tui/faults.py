"""Describing our own faults without what they were working on."""

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path


def keep_quiet(report: Callable[[BaseException], None]) -> None:
    """Keep off the terminal what threads and libraries would write there by themselves.

    Python prints the words and the lines of a fault in a thread, and what libraries warn of or log:
    in the middle of a screen, and perhaps with a secret in it. `report` is given such a fault, in
    its thread. Whoever asks Python for warnings (``-W``) gets them.
    """

    def broke(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            report(found.exc_value)

    threading.excepthook = broke
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def write_fault(error: BaseException) -> str:
    """Append a fault's kind and its way through the code to the log; return where that is.

    Neither local variables nor the exception's own words are written: both may hold a secret or
    foreign text.
    """
    lines = [f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z {_kinds(error)}"]
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f"  {frame.filename}:{frame.lineno} {frame.name}: {frame.line}")
    path = _log_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as log:
            log.write("\n".join(lines) + "\n")
    except OSError as refused:
        return f"nowhere: {path} cannot be written ({refused.strerror})"
    return str(path)


def _kinds(error: BaseException) -> str:
    causes = []
    found: BaseException | None = error
    while found is not None:
        causes.append(type(found).__name__)
        found = found.__cause__ or found.__context__
    return " from ".join(causes)


def _log_path() -> Path:
    from platformdirs import user_log_path

    return user_log_path("tourmail") / "console.log"
