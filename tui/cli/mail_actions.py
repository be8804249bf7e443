"""`tourmail mail forward`, `retry`, `assign`, `dismiss`, `reopen`: what is done about mail."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.errors import InvalidInput
from services.results import REFUSED
from tui.cli.codes import of_several
from tui.cli.common import Json, opened
from tui.cli.options import told_by_option
from tui.cli.output import say, write_json

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.protocols.base import Surroundings
    from services.results import Result

Ids = Annotated[list[int], typer.Argument(metavar="ID…", help="The messages' numbers.")]
SomeIds = Annotated[list[int] | None, typer.Argument(metavar="ID…", help="The messages' numbers.")]
To = Annotated[
    str,
    typer.Option("--to", metavar="ADDRESS", help="An approved Forward Email of their accounts."),
]
Again = Annotated[
    bool, typer.Option("--again", help="Forward also what went to this address before.")
]
Cause = Annotated[
    bool, typer.Option("--cause", help="Take all open mail with the same cause as these as well.")
]
All = Annotated[bool, typer.Option("--all", help="Take every open error.")]
Account = Annotated[
    str, typer.Option("--account", metavar="NAME", help="With --all: only of this account.")
]
Booking = Annotated[
    str, typer.Option("--booking", metavar="REF", help="The booking that they belong to.")
]
Contact = Annotated[
    str,
    typer.Option("--contact", metavar="TEXT", help="A contact's address, or part of its name."),
]

Tell = Callable[[int, int | None], None]


def add_actions(noun: typer.Typer) -> None:
    """Add the commands to the noun."""
    for command in (forward, retry, assign, dismiss, reopen):
        noun.command()(command)


def forward(which: Ids, to: To, again: Again = False, json: Json = False) -> None:
    """Forward mail to an approved address, with the original attached."""
    with opened() as services, _working(services, "Forward") as (around, tell):
        results = services.management.forward(which, to, around, again=again, tell=tell)
    finish(results, json=json)


def retry(
    which: SomeIds = None,
    cause: Cause = False,
    every: All = False,
    account: Account = "",
    json: Json = False,
) -> None:
    """Judge mail again whose cause is gone; what is still an error counts as failed."""
    with opened() as services, _working(services, "Retry") as (around, tell):
        ids = _chosen(services, which, account, cause=cause, every=every)
        results = services.management.retry(ids, around, tell=tell)
    finish(results, json=json)


def assign(which: Ids, booking: Booking = "", contact: Contact = "", json: Json = False) -> None:
    """Assign mail to a booking or contact; what was in error or skipped is imported by that."""
    raw = {"booking": booking, "contact": contact}
    with (
        opened() as services,
        told_by_option({"booking": "--booking", "contact": "--contact"}),
        _working(services, "Assign") as (around, tell),
    ):
        results = services.management.assign(which, raw, around, tell=tell)
    finish(results, json=json)


def dismiss(
    which: SomeIds = None,
    cause: Cause = False,
    every: All = False,
    account: Account = "",
    json: Json = False,
) -> None:
    """Say of errors that nothing is left to do about them; they stay, but are open no longer."""
    with opened() as services:
        ids = _chosen(services, which, account, cause=cause, every=every)
        results = services.management.dismiss(ids)
    finish(results, json=json)


def reopen(which: Ids, json: Json = False) -> None:
    """Make dismissed errors open ones again."""
    with opened() as services:
        results = services.management.reopen(which)
    finish(results, json=json)


def _chosen(
    services: "Services", which: list[int] | None, account: str, *, cause: bool, every: bool
) -> Sequence[int]:
    """Return the messages that are meant. Raises InvalidInput where that is not clear."""
    if bool(which) == every:
        raise InvalidInput({"ID": "Name messages, or take every open error with --all."})
    if account and not every:
        raise InvalidInput({"--account": "It goes with --all only."})
    if every:
        return services.management.open_errors(account)
    named = which or []
    if not cause:
        return named
    return [each for one in named for each in services.management.alike(one)]


@contextmanager
def _working(services: "Services", what: str) -> "Iterator[tuple[Surroundings, Tell]]":
    """Show how far long work is, and let it be interrupted without harm."""
    from services.protocols.base import Surroundings
    from tui.cli.interrupts import cancelling
    from tui.cli.progress import shown

    with cancelling() as cancel, shown(what) as tell:
        yield Surroundings(services.config, cancel, say), tell


def finish(results: "Sequence[Result]", *, json: bool) -> None:
    """Tell what became of each record, and leave with the code for all of them."""
    for result in results:
        say(_line(result))
    if json:
        write_json([asdict(result) for result in results])
    elif not results:
        say("Nothing to do.")
    done = sum(result.done for result in results)
    raise typer.Exit(of_several(done, len(results) - done))


def _line(result: "Result") -> str:
    """Say what became of one record; a refusal says so itself, and of none which one it is."""
    if result.became != REFUSED:
        return f"{result.id}: {result.became}{f': {result.words}' if result.words else ''}"
    none = result.words.startswith("There is no ") and result.words.endswith(f" {result.id}.")
    return result.words if none else f"{result.id}: {result.words}"
