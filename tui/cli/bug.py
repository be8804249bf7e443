"""What is kept of a bug: where it happened, and none of the values that were at work."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from traceback import TracebackException


def keep(error: BaseException) -> Path | None:
    """Append an error to the log file and return the file, None where it cannot be written.

    Messages and local variables are left out, since either may hold a secret.
    """
    from platformdirs import user_log_path

    path = user_log_path("tourmail") / "tourmail.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as log:
            log.write("\n".join(report(error)) + "\n")
    except OSError:
        return None
    return path


def report(error: BaseException) -> Iterator[str]:
    """Yield the lines that describe an error and those that led to it, the last one first."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    yield f"{moment} tourmail {version('tourmail')}"
    found: TracebackException | None = TracebackException.from_exception(error)
    while found is not None:
        yield f"{found.exc_type.__name__ if found.exc_type else 'error'}"
        yield from (f"  {f.filename}:{f.lineno} {f.name}: {f.line}" for f in found.stack)
        found = found.__cause__ or found.__context__
