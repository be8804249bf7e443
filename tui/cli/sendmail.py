"""`tourmail sendmail`: what other programs call to send mail, with the manners of sendmail(8).

Its words are sendmail's own, so they are read here: single letters whose values follow at once or
as the next word, and an exit code from sysexits.h.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.errors import InvalidInput, ServiceError
from tui.cli import output

if TYPE_CHECKING:
    import typer

    from models.submission import Submission

EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER = os.EX_OK, os.EX_USAGE, os.EX_DATAERR, os.EX_NOUSER
EX_SOFTWARE, EX_TEMPFAIL = os.EX_SOFTWARE, os.EX_TEMPFAIL
INTERRUPTED = 130

USAGE = """Usage: tourmail sendmail [-t] [-i] [-f ADDRESS] [-F NAME] [--booking REF] [RECIPIENT...]

Reads a message (RFC 5322) on standard input and sends it through the System Email Account, as
sendmail does for other programs.

  -t              read recipients from To, Cc and Bcc too; Bcc is never sent along
  -i, -oi         a line with a dot alone does not end the message
  -f, -r ADDRESS  the envelope sender asked for; it is the account's Default Email
  -F NAME         the name in From, where the message has none
  --booking REF   adds the token that replies are matched by; so does X-Tourmail-Booking: REF
  -v              say what became of it

Other options of sendmail for delivering are taken and mean nothing here; other modes (-bd, -bs,
-bp, -q) are refused. Exit codes: 0 accepted, 64 wrong use, 65 the message is refused, 67 a
recipient is no address, 75 try again later.
"""

_WITH_VALUE = frozenset("ABCFLNORVXbefhopr")
"""Letters that take a value, at once or as the next word; most of them change nothing here."""
_WITHOUT = frozenset("GUcimntv")
_ATTACHED = frozenset("d")
"""Letters whose value, if any, follows at once."""


@dataclass
class Words:
    """What a program asked for."""

    recipients: list[str] = field(default_factory=list)
    from_headers: bool = False
    ignore_dots: bool = False
    sender: str | None = None
    full_name: str = ""
    booking: str | None = None
    verbose: bool = False
    help: bool = False


class WrongUse(Exception):
    """An option that is not sendmail's, or that cannot be followed."""


def app(_name: str) -> "typer.Typer":
    """Return the command, whose words are its own to read."""
    import typer
    from typer.core import TyperCommand

    class Verbatim(TyperCommand):
        """Leaves every word as it is, `--` and `-h` included."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            ctx.args = list(args)
            return []

    def sendmail(ctx: typer.Context) -> None:
        raise typer.Exit(run(ctx.args))

    noun = typer.Typer(rich_markup_mode=None, add_completion=False)
    noun.command(cls=Verbatim)(sendmail)
    return noun


def run(args: Sequence[str]) -> int:
    """Accept the message on standard input; return sendmail's exit code. Never raises."""
    output.harden()
    try:
        words = parse(args)
        if words.help:
            sys.stdout.write(USAGE)
            return EX_OK
        return _accept(words)
    except WrongUse as error:
        return _refused(str(error), EX_USAGE)
    except InvalidInput as error:
        return _refused(" ".join(error.errors.values()), _code(error))
    except ServiceError as error:
        return _refused(str(error), EX_TEMPFAIL)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: no traceback passes it
        from tui.faults import write_fault

        where = write_fault(error)
        told = f"tourmail broke ({type(error).__name__}). The fault is described in {where}."
        return _refused(told, EX_SOFTWARE)


def _refused(words: str, code: int) -> int:
    output.say(f"sendmail: {words}")
    return code


def _code(error: InvalidInput) -> int:
    if "argument" in error.errors or "to" in error.errors:
        return EX_USAGE
    return EX_NOUSER if set(error.errors) == {"recipients"} else EX_DATAERR


def _accept(words: Words) -> int:
    from services.config import read_config
    from services.sending.hand_in import hand_in

    config = read_config()
    data = read_message(sys.stdin.buffer.readline, words.ignore_dots, config.max_message_bytes)
    told = hand_in(_submission(words, data), config)
    if words.verbose:
        output.say(told)
    return EX_OK


def _submission(words: Words, data: bytes) -> "Submission":
    from models.submission import Submission

    return Submission(
        data=data,
        recipients=tuple(words.recipients),
        from_headers=words.from_headers,
        sender=words.sender,
        full_name=words.full_name,
        booking=words.booking,
    )


def read_message(readline: Callable[[], bytes], ignore_dots: bool, most: int) -> bytes:
    """Read a message to its end, or to a line with a dot alone. Raises InvalidInput: too large."""
    lines, size = [], 0
    for line in iter(readline, b""):
        if not ignore_dots and line.rstrip(b"\r\n") == b".":
            break
        size += len(line)
        if size > most:
            raise InvalidInput({"message": f"At most {most / 1e6:.0f} MB are taken."})
        lines.append(line)
    return b"".join(lines)


# ------------------------------------------------------------------------------ the words


def parse(args: Sequence[str]) -> Words:
    """Read the words as sendmail does: the first that is no option, or ``--``, ends the options.

    Raises WrongUse.
    """
    words, rest = Words(), list(args)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            _long(words, word, rest)
        else:
            _short(words, word[1:], rest)
    words.recipients = rest
    if any(char in "\r\n" or "\ud800" <= char <= "\udfff" for text in args for char in text):
        raise WrongUse("A line break, or bytes that are no UTF-8, in an argument.")
    return words


def _long(words: Words, word: str, rest: list[str]) -> None:
    name, equals, value = word.partition("=")
    if word == "--help":
        words.help = True
    elif name == "--booking":
        words.booking = value if equals else _next(name, rest)
    else:
        raise WrongUse(f"There is no option {word}. Try `tourmail sendmail --help`.")


def _short(words: Words, letters: str, rest: list[str]) -> None:
    for letter, value in _options(letters, rest):
        if letter == "b" and value != "m":
            raise WrongUse(f"-b{value} is not offered: hand the message in on standard input.")
        if letter == "t":
            words.from_headers = True
        elif letter == "i" or (letter, value) == ("o", "i"):
            words.ignore_dots = True
        elif letter in "fr":
            words.sender = value
        elif letter == "F":
            words.full_name = value
        elif letter == "v":
            words.verbose = True


def _options(letters: str, rest: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each letter of a word with its value."""
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in _WITH_VALUE:
            yield letter, letters or _next(f"-{letter}", rest)
            return
        if letter in _ATTACHED:
            return
        if letter not in _WITHOUT:
            raise WrongUse(f"There is no option -{letter}. Try `tourmail sendmail --help`.")
        yield letter, ""


def _next(name: str, rest: list[str]) -> str:
    if not rest:
        raise WrongUse(f"{name} wants a value.")
    return rest.pop(0)
