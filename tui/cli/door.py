"""The one way into the commands and out of them: arguments in, an exit code out.

Whatever goes wrong ends here in words: wrong use, an expected failure, or a bug.
"""

from collections.abc import Sequence

import typer

from services.errors import Cancelled, InvalidInput, ServiceError
from tui.cli import output
from tui.cli.root import root

DONE, FAILED, WRONG_USE, PARTLY = 0, 1, 2, 3
INTERRUPTED, PIPE_CLOSED = 130, 141
"""As a shell reports them: 128 and the number of SIGINT, SIGPIPE."""


def run(args: Sequence[str]) -> int:
    """Run one command and return its exit code. Never raises, never prints a traceback."""
    output.harden()
    try:
        found = root().main(list(args), prog_name="tourmail", standalone_mode=False)
        output.flush()
        return found if isinstance(found, int) else DONE
    except (BrokenPipeError, SystemExit):  # typer leaves by SystemExit where a pipe is closed
        output.silence()
        return PIPE_CLOSED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: no traceback passes it
        return _tell(error)


def _tell(error: Exception) -> int:
    if isinstance(error, typer.TyperException):
        return _wrong_use(error)
    if isinstance(error, InvalidInput):
        for field, words in error.errors.items():
            output.say(f"{field}: {words}")
        return WRONG_USE
    if isinstance(error, ServiceError):
        output.say(str(error))
        return INTERRUPTED if isinstance(error, Cancelled) else FAILED
    from tui.faults import write_fault

    where = write_fault(error)
    output.say(f"tourmail broke ({type(error).__name__}). The fault is described in {where}.")
    return FAILED


def _wrong_use(error: typer.TyperException) -> int:
    """Tell what was typed wrong; a command group named alone tells its help."""
    # pydantic, within typer, puts these two words before what its choices say.
    for line in error.format_message().replace("Value error, ", "").splitlines():
        output.say(line)
    context = getattr(error, "ctx", None)
    if context is not None and not type(error).__name__.startswith("NoArgs"):
        output.say(f"Try `{context.command_path} --help`.")
    return error.exit_code
