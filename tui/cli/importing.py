"""`tourmail import`: one import of one account, now."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from services.errors import Cancelled, NotFound, ServiceError
from services.loading import loading
from services.text import count
from tui.cli.codes import DONE, FAILED
from tui.cli.common import Json, opened, single
from tui.cli.output import say, write, write_json, write_table

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.importing.result import RunResult

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account to import from.")]
Rehearse = Annotated[
    bool,
    typer.Option("--rehearse", help="Tell what would become of every message; change nothing."),
]
Reconcile = Annotated[
    bool, typer.Option("--reconcile", help="Compare the whole mailbox with what is known of it.")
]


def app(_name: str) -> typer.Typer:
    """Return the command."""
    return single(import_)


def import_(
    name: Name, rehearse: Rehearse = False, reconcile: Reconcile = False, json: Json = False
) -> None:
    """Import an account's replies now; the mailbox is only read."""
    with opened() as services:
        try:
            result = _run(services, name, rehearse=rehearse, reconcile=reconcile)
        except ServiceError as error:
            if json and not isinstance(error, NotFound | Cancelled):
                write_json({"account": name, "ok": False, "message": error.message})
            raise
    if json:
        write_json(result.as_json())
    else:
        _tell(result)
    for hint in result.hints:
        say(hint)
    if result.message:
        say(result.message)
    raise typer.Exit(DONE if result.ok else FAILED)


def _run(services: "Services", name: str, *, rehearse: bool, reconcile: bool) -> "RunResult":
    from services.network import refuse_bad_bundle
    from services.protocols.base import Surroundings
    from tui.cli.interrupts import cancelling
    from tui.cli.progress import shown

    refuse_bad_bundle(services.config.ca_bundle)
    with loading("services.importing.run"):
        importing = services.importing
    # A rehearsal keeps nothing; what another program imports meanwhile is not its own to tell.
    kept = nullcontext() if rehearse else _saying_what_is_kept(services, name)
    with cancelling() as cancel, kept, shown(name) as tell:
        return importing.run(
            name,
            trigger="command",
            surroundings=Surroundings(services.config, cancel, say),
            rehearse=rehearse,
            reconcile=reconcile,
            progress=lambda at: tell(at.done, at.total),
        )


@contextmanager
def _saying_what_is_kept(services: "Services", name: str) -> Iterator[None]:
    """Say of an import that is cancelled what the store has of it."""
    from services.importing.result import Counts

    account = services.accounts.get(name)
    before = services.schedules.history(account.id, limit=1).rows
    try:
        yield
    except Cancelled as error:
        runs = services.schedules.history(account.id, limit=1).rows
        done = runs[0].counts if runs != before else Counts()
        if not done.imported + done.skipped + done.errors:
            raise
        raise Cancelled(
            f"{error.message} {done.imported:,} imported, {done.skipped:,} skipped and "
            f"{count(done.errors, 'error')} are kept; the next import goes on from there."
        ) from error


def _tell(result: "RunResult") -> None:
    counts = result.counts
    if result.run_id is None:
        rows = [(line.outcome, line.sender, line.subject, line.why) for line in result.rehearsed]
        write_table(("Outcome", "From", "Subject", "Why"), rows, "There is nothing new to import.")
    write(
        [
            f"{result.account}: {counts.server_count} in the mailbox; {counts.imported} imported, "
            f"{counts.skipped} skipped, {counts.errors} errors, {counts.known} known, "
            f"{counts.gone} gone, {counts.before_start} before the start."
        ]
    )
