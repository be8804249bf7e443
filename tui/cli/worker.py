"""`tourmail worker`: does the work that the store says is due."""

import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.codes import INTERRUPTED, of_several
from tui.cli.common import Json, opened, single
from tui.cli.output import say, write_json

if TYPE_CHECKING:
    from services.worker.crew import Work

Once = Annotated[
    bool, typer.Option("--once", help="Do what is due now and end, as cron and timers want it.")
]


def app(_name: str) -> typer.Typer:
    """Return the command."""
    return single(work)


def work(once: Once = False, json: Json = False) -> None:
    """Send and import what is due, until SIGTERM or Ctrl+C, which finish or hand back.

    With --once, exits with 1 where nothing that was due succeeded and with 3 where a part did not:
    imports that failed, and mail that is not sent, to be tried again or not.
    """
    from services.worker.embedded import run
    from tui.cli.interrupts import cancelling

    with opened() as services, cancelling() as stop:
        if once:
            tally = run(services, stop, once, say)
        else:
            say("At work. Ctrl+C ends it.")
            tally = services.engine.run(stop, say)
    if json:
        write_json(asdict(tally))
    else:
        say(_words(tally))
    if stop.requested and stop.number == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)
    if once:
        raise typer.Exit(of_several(tally.succeeded, tally.in_vain))


def _words(done: "Work") -> str:
    mail = f"{done.sent} sent, {done.queued} queued, {done.uncertain} uncertain"
    imports = f"{done.imports} done, {done.imports_failed} failed"
    return f"Messages: {mail}, {done.failed} failed. Imports: {imports}."
