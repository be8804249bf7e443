"""A network that cuts, stalls, drips or garbles: mail is sent once, waits, or is uncertain."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.outbox import OutboxState
from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.protocols import smtp_sender
from services.protocols.base import Surroundings
from services.protocols.smtp_session import Patience, Session
from tests.servers import meddler
from tests.servers.meddler import Fault, Meddler, untouched
from tests.servers.postfix import Postfix
from tests.servers.tls import Authority
from tests.stores import Clock, save, services_in, smtp_raw

USER, PASSWORD = "office@example.com", "s3cret of the office"
TIMEOUT = 0.6
"""Seconds, for this test's account and for the answer to the final dot."""
ENDLESS = 10**12
TEXT = "Four twin rooms, please.\n" * 400


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_timeout", TIMEOUT)
    monkeypatch.setattr(smtp_sender, "Patience", lambda: Patience(TIMEOUT, 0.2, TIMEOUT))
    monkeypatch.setattr(meddler, "STALL_SECONDS", 4 * TIMEOUT)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(tmp_path: Path, clock: Clock, authority: Authority) -> Iterator[Services]:
    made = services_in(tmp_path, clock, ca_bundle=authority.bundle)
    yield made
    made.close()


class Line:
    """Postfix behind a line that can be spoiled."""

    def __init__(self, proxy: Meddler, services: Services, clock: Clock) -> None:
        self.proxy, self.services, self.clock = proxy, services, clock
        self.ends: dict[str, OutboxState] = {}
        """What became of each recipient's message."""

    def send(self, sent: Any = untouched, received: Any = untouched) -> tuple[OutboxState, str]:
        """Send a message with the line spoiled; return its state then, and the words.

        What waits is sent over the sound line afterwards.
        """
        recipient = f"guide-{secrets.token_hex(6)}@supplier.test"
        mail = OutgoingMail(to=(recipient,), subject="Offer", text=TEXT)
        which = self.services.outbox.accept(mail).id
        self.proxy.spoil_sent, self.proxy.spoil = sent, received
        started = time.monotonic()
        self._work()
        assert time.monotonic() - started < 15 * TIMEOUT
        first = self.services.outbox.get(which)
        self.proxy.spoil_sent = self.proxy.spoil = untouched
        self.clock.forward(minutes=5)
        self._work()
        self.ends[recipient] = self.services.outbox.get(which).state
        return first.state, first.last_error

    def _work(self) -> None:
        self.services.outbox.run_due(Surroundings(self.services.config))
        assert self.services.connections.gauge() == []


@pytest.fixture(params=["starttls", "implicit"])
def line(
    request: pytest.FixtureRequest, postfix: Postfix, services: Services, clock: Clock
) -> Iterator[Line]:
    """A line to Postfix, encrypted in either way."""
    postfix.add_user(USER, PASSWORD)
    port = postfix.port if request.param == "starttls" else postfix.tls_port
    with Meddler((postfix.host, port)) as proxy:
        account = {"server": postfix.host, "port": proxy.port, "user": USER, "password": PASSWORD}
        save(services, smtp_raw(**account))
        yield Line(proxy, services, clock)


def moments(length: int, count: int) -> list[int]:
    """Return so many places in a stream, from its first byte to its last."""
    return sorted({round(number * (length - 1) / (count - 1)) for number in range(count)})


@pytest.mark.parametrize(("kind", "count"), [("cut", 6), ("garble", 4), ("stall", 3), ("drip", 2)])
def test_a_fault_anywhere_never_sends_twice_and_loses_nothing(
    line: Line, postfix: Postfix, kind: str, count: int
) -> None:
    measures = {"sent": Fault(kind, ENDLESS), "received": Fault(kind, ENDLESS)}
    assert line.send(**measures)[0] is OutboxState.SENT
    met = []
    for direction, measure in measures.items():
        for place in moments(measure.passed, count):
            met.append(line.send(**{direction: Fault(kind, place)}))
    assert {state for state, _words in met} <= {"queued", "sent", "uncertain"}
    assert all(words for state, words in met if state != "sent")
    assert any(state != "sent" for state, _words in met), "no fault was felt"
    postfix.wait_until_idle()
    for recipient, state in line.ends.items():
        got = len(postfix.delivered(recipient))
        assert got in {OutboxState.SENT: {1}, OutboxState.UNCERTAIN: {0, 1}}[state]
