"""The embedded worker: a small loop in one process, for a store that lies in SQLite.

What is due is in the store; any number of these may run, since every claim is leased and fenced.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.cancel import Cancel
from services.errors import Cancelled, ServiceError
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from services.worker.heart import GRACE_SECONDS, Heart

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
) -> Tally:
    """Work until `stop` is asked for, or with `once` until nothing is due any more.

    A stop lets the message in hand finish for `grace` seconds, and hands back what was not given
    to a server. A signal handler must ask for it from a thread, since Cancel takes a lock. Returns
    what became of the messages. Raises ServiceError with `once` where the store does not answer;
    else it says so and goes on.
    """
    tally = Tally()
    around = Surroundings(services.config, Cancel(), say)
    with Heart(services, stop, around.cancel, grace) as heart:
        try:
            if once:
                _work_off(services, around, stop, tally)
            while not once:
                _go_on(services, around, stop, tally)
                stop.sleep(TICK_SECONDS)
        except Cancelled:
            pass  # what a stop is meant to do
    if not once:
        heart.sign_off()
    return tally


def _go_on(services: "Services", around: Surroundings, stop: Cancel, tally: Tally) -> None:
    try:
        _work_off(services, around, stop, tally)
    except Cancelled:
        raise
    except ServiceError as error:
        around.say(str(error))


def _work_off(services: "Services", around: Surroundings, stop: Cancel, tally: Tally) -> None:
    """Do everything that is due now."""
    tally.add(services.outbox.run_due(around, stop=lambda: stop.requested))
