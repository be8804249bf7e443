"""The engine's port: who decides when and where due work is attempted.

What is due, whose it is and what became of it stands in our tables, under leases and fences. So an
engine may forget a job, hand it out twice, or hand it to a worker that dies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from services.cancel import Cancel
from services.text import count
from services.worker.crew import Work
from services.worker.heart import GRACE_SECONDS

if TYPE_CHECKING:
    from services.bootstrap import Services

Kind = Literal["import", "outbox"]
"""What there is to do: import an account, given its id, or work the outbox off."""


@dataclass(frozen=True)
class Health:
    """How an engine stands."""

    workers: int
    """Those that were seen lately."""
    waiting: int = 0
    """Jobs that nobody has begun yet; none where each worker looks for itself."""

    @property
    def words(self) -> str:
        """The same in a sentence."""
        jobs = f", {count(self.waiting, 'job')} waiting" if self.waiting else ""
        return f"{count(self.workers, 'worker')} seen lately{jobs}."


class Engine(Protocol):
    """Has due work done, here and by other processes of the same store."""

    def run(
        self,
        stop: Cancel,
        say: Callable[[str], None] = lambda _text: None,
        grace: float = GRACE_SECONDS,
    ) -> Work:
        """Work until `stop` is asked for, and return what became of it.

        A stop lets the message in hand finish for `grace` seconds, and hands back what was not
        given to a server; imports stop at once, and go on in the next worker. Where the store
        goes away, this goes on when it is back.
        """

    def poke(self, kind: Kind, which: object = "") -> None:
        """Have something looked at soon that was just committed. Never fails: it is a favour."""

    def health(self) -> Health:
        """Say how it stands. Raises ServiceError where the store does not answer."""


def engine_of(services: "Services") -> Engine:
    """Return the engine for the kind of store: one process's loop, or procrastinate."""
    if services.store.is_server:
        from services.worker.dispatcher import Dispatcher

        return Dispatcher(services)
    from services.worker.embedded import Embedded

    return Embedded(services)
