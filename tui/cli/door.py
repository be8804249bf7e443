"""The one way into the commands and out of them: arguments in, an exit code out.

Whatever goes wrong ends here in words: wrong use, an expected failure, or a bug.
"""

from collections.abc import Sequence

import typer

from services.errors import Cancelled, InvalidInput, ServiceError
from tui.cli import output
from tui.cli.codes import DONE, FAILED, INTERRUPTED, PIPE_CLOSED, WRONG_USE
from tui.cli.root import root


def run(args: Sequence[str]) -> int:
    """Run one command and return its exit code. Never raises, never prints a traceback."""
    output.harden()
    try:
        _refuse_undecodable(args)
        found = root().main(list(args), prog_name="tourmail", standalone_mode=False)
        output.flush()
        return found if isinstance(found, int) else DONE
    except SystemExit as left:  # typer's way out: 0 for its completions, else a closed pipe
        return DONE if not left.code else _unheard()
    except BrokenPipeError:
        return _unheard()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: no traceback passes it
        return _tell(error)


def _unheard() -> int:
    output.silence()
    return PIPE_CLOSED


def _refuse_undecodable(args: Sequence[str]) -> None:
    """Python hides bytes that are no text in lone surrogates, which nothing later could save."""
    for place, arg in enumerate(args, 1):
        if any("\ud800" <= char <= "\udfff" for char in arg):
            raise InvalidInput({f"argument {place}": "This is not text in UTF-8."})


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
    tell_fault(error)
    return FAILED


def tell_fault(error: BaseException) -> None:
    """Describe a fault of ours in the log, and say where that is."""
    from tui.faults import write_fault

    where = write_fault(error)
    output.say(f"tourmail broke ({type(error).__name__}). The fault is described in {where}.")


def _wrong_use(error: typer.TyperException) -> int:
    """Tell what was typed wrong; a command group named alone tells its help."""
    if isinstance(error, typer.BadParameter):
        error.message = _in_our_words(error)
    for line in error.format_message().splitlines():
        output.say(line)
    context = getattr(error, "ctx", None)
    if context is not None and not type(error).__name__.startswith("NoArgs"):
        output.say(f"Try `{context.command_path} --help`.")
    return error.exit_code


def _in_our_words(error: typer.BadParameter) -> str:
    """Say what typer lets pydantic say of a value, and which one it was: there may be several."""
    from pydantic import ValidationError

    from services.forms import in_words
    from services.text import plain

    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return error.message
    detail = cause.errors(include_url=False)[0]
    if detail["type"] == "value_error":  # what a choice says: all but pydantic's two words
        return error.message.removeprefix("Value error, ")
    return f"{in_words(detail).rstrip('.')}, not “{plain(str(detail['input']), 60)}”."
