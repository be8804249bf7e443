"""The embedded worker: a small loop in one process, for a store that lies in SQLite.

What is due is in the store; any number of these may run, since every claim is leased and fenced.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.cancel import Cancel
from services.errors import Cancelled
from services.worker.crew import Crew, Work
from services.worker.engine import Health, Kind
from services.worker.heart import GRACE_SECONDS, Heart
from services.worker.imports import Imports

if TYPE_CHECKING:
    from services.bootstrap import Services


TICK_SECONDS = 1.0
"""Between two looks at what is due; a look at an idle store costs a millisecond."""


class Embedded:
    """The engine of an SQLite store: each worker looks for itself."""

    def __init__(self, services: "Services") -> None:
        """Take the services of the store."""
        self._services = services

    def run(
        self,
        stop: Cancel,
        say: Callable[[str], None] = lambda _text: None,
        grace: float = GRACE_SECONDS,
    ) -> Work:
        """See `Engine.run`."""
        return run(self._services, stop, say=say, grace=grace)

    def poke(self, kind: Kind, which: object = "") -> None:
        """Do nothing: the next look comes within a second."""

    def health(self) -> Health:
        """See `Engine.health`."""
        return Health(self._services.outbox.workers_alive())


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
    crew.check()
    imports = Imports(crew, stop, once=once)
    with Heart(services, stop, crew.sending, grace, say) as heart:
        try:
            with imports:
                _work(crew, stop, imports if once else None)
        except Cancelled:
            pass  # what a stop is meant to do
    if not once:
        heart.sign_off()
    return crew.work


def _work(crew: Crew, stop: Cancel, once: Imports | None) -> None:
    """Work the outbox off until Cancelled, or once, waiting for the imports then."""
    if once:
        crew.send()
        once.wait()
    while not once:
        crew.send_on()
        stop.sleep(TICK_SECONDS)
