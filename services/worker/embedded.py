"""The embedded worker: a small loop in one process, for a store that lies in SQLite.

What is due is in the store; any number of these may run, since every claim is leased and fenced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.cancel import Cancel
from services.errors import Cancelled, ServiceError
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from services.worker.heart import GRACE_SECONDS, Heart
from services.worker.imports import Imports
from services.worker.outgoing import work_off

if TYPE_CHECKING:
    from services.bootstrap import Services


@dataclass
class Work(Tally):
    """What became of the messages, and how many imports ended how."""

    imports: int = 0
    imports_failed: int = 0


TICK_SECONDS = 1.0
"""Between two looks at what is due; a look at an idle store costs a millisecond."""


def run(
    services: "Services",
    stop: Cancel,
    once: bool = False,
    say: Callable[[str], None] = lambda _text: None,
    grace: float = GRACE_SECONDS,
) -> Work:
    """Work until `stop` is asked for, or with `once` until nothing is due any more.

    A stop lets the message in hand finish for `grace` seconds, and hands back what was not given
    to a server; imports stop at once, and go on in the next worker. A signal handler must ask for
    it from a thread, since Cancel takes a lock. Returns what became of the work. Raises
    ServiceError with `once` where the store does not answer; else it says so and goes on.
    """
    tally = Work()
    around = Surroundings(services.config, Cancel(), say)
    imports = Imports(services, stop, say, once=once)
    with Heart(services, stop, around.cancel, grace) as heart:
        try:
            with imports:
                _work(services, around, stop, tally, imports if once else None)
        except Cancelled:
            pass  # what a stop is meant to do
    tally.imports, tally.imports_failed = imports.tally.done, imports.tally.failed
    if not once:
        heart.sign_off()
    return tally


def _work(
    services: "Services", around: Surroundings, stop: Cancel, tally: Tally, once: Imports | None
) -> None:
    """Work the outbox off until Cancelled, or once, waiting for the imports then."""
    if once:
        _work_off(services, around, stop, tally)
        once.wait()
    while not once:
        _go_on(services, around, stop, tally)
        stop.sleep(TICK_SECONDS)


def _go_on(services: "Services", around: Surroundings, stop: Cancel, tally: Tally) -> None:
    try:
        _work_off(services, around, stop, tally)
    except Cancelled:
        raise
    except ServiceError as error:
        around.say(str(error))


def _work_off(services: "Services", around: Surroundings, stop: Cancel, tally: Tally) -> None:
    """Do everything that is due now."""
    tally.add(work_off(services, around, lambda: stop.requested))
