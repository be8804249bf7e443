"""The embedded worker: a small loop in one process, for a store that lies in SQLite.

What is due is in the store; any number of these may run, since every claim is leased and fenced.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.cancel import Cancel
from services.errors import Cancelled, ServiceError
from services.worker.crew import Crew, Work
from services.worker.heart import GRACE_SECONDS, Heart
from services.worker.imports import Imports

if TYPE_CHECKING:
    from services.bootstrap import Services


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
    crew = Crew(services, stop, say)
    imports = Imports(services, crew, stop, say, once=once)
    with Heart(services, stop, crew.sending, grace) as heart:
        try:
            with imports:
                _work(crew, stop, say, imports if once else None)
        except Cancelled:
            pass  # what a stop is meant to do
    if not once:
        heart.sign_off()
    return crew.work


def _work(crew: Crew, stop: Cancel, say: Callable[[str], None], once: Imports | None) -> None:
    """Work the outbox off until Cancelled, or once, waiting for the imports then."""
    if once:
        crew.send()
        once.wait()
    while not once:
        try:
            crew.send()
        except Cancelled:
            raise
        except ServiceError as error:
            say(str(error))
        stop.sleep(TICK_SECONDS)
