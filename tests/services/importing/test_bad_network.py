"""A network that cuts, stalls, drips or garbles: an import fails in words or not at all.

Whatever was committed stays, and the next run over a sound line ends as if nothing had been.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.errors import ConnectionFailed
from services.importing import walk
from services.protocols import imap_crew, imap_listing, imap_session
from services.protocols.base import Surroundings
from tests.servers import meddler
from tests.servers.mailbox import Mailbox
from tests.servers.meddler import Fault, Meddler, untouched
from tests.services.importing.conftest import Desk
from tests.services.importing.undisturbed import outcome, prepare
from tests.stores import services_in

TIMEOUT = 0.4
"""Seconds, for this test's accounts, while a line is spoiled; ten of them end a drip."""
PATIENT = 30.0
"""Seconds while it is sound, however busy the machine."""
ENDLESS = 10**12


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_session, "SECONDS_PER_MINUTE", PATIENT)
    monkeypatch.setattr(meddler, "STALL_SECONDS", 4 * TIMEOUT)
    monkeypatch.setattr(meddler, "DRIPS", round(2 * PATIENT / meddler.DRIP_SECONDS))
    monkeypatch.setattr(imap_listing, "PAGE_ITEMS", 4)
    monkeypatch.setattr(walk, "BATCH_MESSAGES", 2)


class Line:
    """The mailbox behind a line that can be spoiled."""

    def __init__(self, proxy: Meddler, template: Path, mailbox: Mailbox, around: Surroundings):
        self.proxy, self._template = proxy, template
        self._mailbox, self._around = mailbox, around
        self._cases = 0
        self._usual = 0.0
        """Seconds of an import over a sound line, which comes first in each test."""

    def run(
        self, sent: Any = untouched, received: Any = untouched, timeout: float = TIMEOUT
    ) -> tuple[str, dict[str, Any]]:
        """Import a fresh store with the line spoiled, then with it sound.

        Returns what the first run failed with, and what the second came to.
        """
        self._cases += 1
        folder = Path(shutil.copytree(self._template, self._template.with_name(f"c{self._cases}")))
        services = services_in(folder)
        desk = Desk(services, self._mailbox, self._around)
        self.proxy.spoil_sent, self.proxy.spoil = sent, received
        started, failure = time.monotonic(), ""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(imap_session, "SECONDS_PER_MINUTE", timeout)
            try:
                desk.run()
            except ConnectionFailed as error:
                failure = error.message
        took = time.monotonic() - started
        self._usual = self._usual or took
        assert took < 12 * timeout + self._usual, "beside the waits, no more than the work itself"
        desk.check_books()
        self.proxy.spoil_sent = self.proxy.spoil = untouched
        desk.run()
        assert {row.state for row in desk.runs()} <= {"done", "failed"}
        found = outcome(services)
        services.close()
        return failure, found


@pytest.fixture
def line(tmp_path: Path, mailbox: Mailbox, around: Surroundings) -> Iterator[Line]:
    """A mailbox with mail of every kind, read over TLS."""
    with Meddler((mailbox.host, mailbox.tls_port)) as proxy:
        services = services_in(tmp_path / "template")
        prepare(services, mailbox, around, port=proxy.port)
        services.close()
        yield Line(proxy, tmp_path / "template", mailbox, around)


def moments(length: int, count: int) -> list[int]:
    """Return so many places in a stream, from its first byte to its last."""
    return sorted({round(number * (length - 1) / (count - 1)) for number in range(count)})


@pytest.mark.parametrize(("kind", "count"), [("cut", 6), ("garble", 6), ("stall", 3), ("drip", 2)])
@pytest.mark.parametrize("direction", ["sent", "received"])
def test_a_fault_anywhere_ends_in_words_or_in_success(
    line: Line, kind: str, count: int, direction: str
) -> None:
    measures = {"sent": Fault(kind, ENDLESS), "received": Fault(kind, ENDLESS)}
    failure, undisturbed = line.run(**measures, timeout=PATIENT)
    assert failure == ""
    failures = []
    for place in moments(measures[direction].passed, count):
        failure, found = line.run(**{direction: Fault(kind, place)})
        failures.append(failure)
        assert found == undisturbed, (place, failure)
    assert any(failures), "no fault was felt"


def test_a_line_that_is_cut_now_and_then_gets_it_done(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slow machine is no far line: greeting further connections there would take up the bytes.
    monkeypatch.setattr(imap_crew, "FAR_SECONDS", 60)
    measure = Fault("cut", ENDLESS)
    _, undisturbed = line.run(received=measure, timeout=PATIENT)
    for share in (0.6, 0.7, 0.8, 0.9):
        fault = Fault("cut", round(measure.passed * share), again=True)
        failure, found = line.run(received=fault)
        assert (failure, found) == ("", undisturbed)


def test_a_line_that_is_hardly_there_loses_nothing(line: Line) -> None:
    """What broke it again and again may be taken for unreadable, which is told and can be retried.

    Nobody can tell a message that breaks the server from a line that breaks by itself.
    """
    measure = Fault("cut", ENDLESS)
    _, undisturbed = line.run(received=measure, timeout=PATIENT)
    for share in (0.2, 0.3, 0.4, 0.5):
        fault = Fault("cut", round(measure.passed * share), again=True)
        _, found = line.run(received=fault)
        assert accounted(found) == accounted(undisturbed)


def accounted(found: dict[str, Any]) -> list[str]:
    """Return the messages that have a row which says that they are here, one by one."""
    return sorted(item for _, item, outcome, _ in found["ledger"].elements() if outcome != "gone")
