"""What a worker does with one thing that is due, whichever engine decides when and where."""

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.cancel import Cancel
from services.errors import Cancelled, Fenced, ServiceError
from services.network import refuse_bad_bundle
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from services.worker.outgoing import work_off
from services.worker.sweep import Due

if TYPE_CHECKING:
    from services.bootstrap import Services


@dataclass
class Work(Tally):
    """What became of the messages, and how many imports ended how."""

    imports: int = 0
    imports_failed: int = 0

    @property
    def succeeded(self) -> int:
        """How much of it is done."""
        return self.sent + self.imports

    @property
    def in_vain(self) -> int:
        """How much was tried without success, mail that is tried again included."""
        return self.total - self.sent + self.imports_failed


class Crew:
    """Sends, imports and reports. What goes wrong with one thing is said, and ends no other."""

    def __init__(self, services: "Services", stop: Cancel, say: Callable[[str], None]) -> None:
        """Take the request to stop, which is asked between two messages."""
        self.work = Work()
        self.sending, self.importing = Cancel(), Cancel()
        self._services, self._stop, self._say = services, stop, say
        self._lock = threading.Lock()

    def check(self) -> None:
        """Say what of this process's own set-up keeps it from connecting anywhere."""
        try:
            refuse_bad_bundle(self._services.config.ca_bundle)
        except ServiceError as error:
            self._say(str(error))

    def collect(self) -> bool:
        """Take over what other programs of this host dropped; tell whether there was anything."""
        self._services.pickup.tell_trouble(self._say)
        return self._services.pickup.collect(self._say) > 0

    def send_on(self) -> None:
        """Work the outbox off, and say what goes wrong with it."""
        try:
            self.send()
        except Cancelled:
            pass  # what a stop is meant to do
        except ServiceError as error:
            self._say(str(error))
        except Exception as error:  # noqa: BLE001 - a bug met once ends no later round
            self._say(f"Outbox: {fault(error)}")

    def send(self) -> None:
        """Work the outbox off. Raises Cancelled, ServiceError."""
        self._services.pickup.tell_trouble(self._say)
        around = Surroundings(self._services.config, self.sending, self._say)
        tally = work_off(self._services, around, lambda: self._stop.requested)
        with self._lock:
            self.work.add(tally)

    def take_up(self, most: int, only: uuid.UUID | None = None) -> Sequence[Due]:
        """Take up at most so many due imports, or that of one account."""
        try:
            return self._services.sweep.claim(most, only)
        except ServiceError as error:
            self._say(str(error))  # the store is away for a moment
        except Exception as error:  # noqa: BLE001 - a bug met once ends no later import
            self._say(f"Schedules: {fault(error)}")
        return ()

    def bring_in(self, due: Due) -> None:
        """Import what was taken up."""
        around = Surroundings(self._services.config, self.importing, lambda _text: None)
        ok: bool | None = False
        try:
            result = self._services.sweep.run(due, around)
            ok = None if result is None else result.ok
        except (Cancelled, Fenced):
            ok = None
        except ServiceError as error:
            self._say(f"{due.account}: {error}")
        except Exception as error:  # noqa: BLE001 - a bug met in one account stops no other one
            self._say(f"{due.account}: {fault(error)}")
        with self._lock:
            self.work.imports += ok is True
            self.work.imports_failed += ok is False

    def report(self) -> None:
        """Tell queues what is wrong; where that fails, work goes on."""
        try:
            self._services.system_events.look()
        except ServiceError as error:
            self._say(str(error))
        except Exception as error:  # noqa: BLE001 - a bug met here ends no import
            self._say(f"Queues: {fault(error)}")


def fault(error: Exception) -> str:
    """Name a failure that nobody foresaw by its kind alone: its words may hold anything."""
    return f"tourmail met a fault of its own ({type(error).__name__})."
