"""What every kind of worker does for outgoing mail."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.protocols.base import Surroundings
from services.sending.deliver import Tally

if TYPE_CHECKING:
    from services.bootstrap import Services


def work_off(services: "Services", around: Surroundings, stop: Callable[[], bool]) -> Tally:
    """Take over what other programs dropped, then send what is due. Raises Cancelled."""
    services.pickup.collect(around.say)
    return services.outbox.run_due(around, stop=stop)
