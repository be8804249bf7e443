"""Office 365 over a line that cuts, stalls or garbles: nothing is lost, nothing goes twice."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from models.outbox import OutboxState
from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.errors import ConnectionFailed
from services.protocols import office365_graph, office365_listing, office365_sender
from services.protocols.base import Surroundings
from tests.servers import meddler
from tests.servers.cloud.contoso import Contoso
from tests.servers.meddler import Fault, Meddler, untouched
from tests.services.importing.conftest import GUIDE, letter
from tests.services.protocols.office365.graph_desk import SWIFT
from tests.services.protocols.office365.whole.conftest import Desk, raw
from tests.stores import Clock, save

READ = 0.8
"""Seconds for every answer."""
ENDLESS = 10**12


@pytest.fixture
def line(contoso: Contoso, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meddler]:
    """A line to Graph that can be spoiled; the cloud names itself by its address."""
    patience = dataclasses.replace(SWIFT, read=READ, submit=READ)
    for module in (office365_graph, office365_sender):
        monkeypatch.setattr(module, "Patience", lambda: patience, raising=False)
    monkeypatch.setattr(office365_listing, "PAGE_ITEMS", 10)
    monkeypatch.setattr(meddler, "STALL_SECONDS", 3 * READ)
    state = contoso.cloud._state
    host, _, port = state.urls.graph.removeprefix("https://").partition(":")
    with Meddler((host, int(port))) as proxy:
        state.urls = dataclasses.replace(state.urls, graph=f"https://127.0.0.1:{proxy.port}")
        yield proxy


@pytest.fixture
def desk(line: Meddler, desk: Desk) -> Desk:
    """The desk at the end of that line, which is laid first."""
    return desk


def spoil(line: Meddler, direction: str, fault: Fault | None) -> None:
    """Spoil one direction of the line, or none."""
    line.spoil = fault if fault and direction == "received" else untouched
    line.spoil_sent = fault if fault and direction == "sent" else untouched


@pytest.mark.parametrize("kind", ["cut", "garble", "stall"])
@pytest.mark.parametrize("direction", ["sent", "received"])
def test_an_import_ends_in_words_or_in_success(
    desk: Desk, line: Meddler, kind: str, direction: str
) -> None:
    desk.account()
    desk.contact(GUIDE)
    total = 0
    for share in (0.1, 0.6):
        for _ in range(12):
            desk.inbox.deliver(letter())
        total += 12
        place = round(12_000 * share)
        fault = Fault(kind, place)
        spoil(line, direction, fault)
        started = time.monotonic()
        with suppress(ConnectionFailed):
            desk.run()
        assert time.monotonic() - started < 20 * READ
        assert fault.passed > place, "no fault was felt"
        spoil(line, direction, None)
        desk.run()
        assert [row.outcome for row in desk.mails()] == ["imported"] * total
        assert len({row.message_id for row in desk.mails()}) == total


@pytest.mark.parametrize("kind", ["cut", "garble", "stall"])
@pytest.mark.parametrize("direction", ["sent", "received"])
def test_mail_goes_out_once_or_is_uncertain(
    desk: Desk, line: Meddler, clock: Clock, kind: str, direction: str
) -> None:
    save(desk.services, raw("SEND", system=True))
    states, measure = [], Fault(kind, ENDLESS)
    spoil(line, direction, measure)
    queue_one(desk.services)
    deliver(desk.services)
    for share in (0.2, 0.8):
        which, place = queue_one(desk.services), round(measure.passed * share)
        fault = Fault(kind, place)
        spoil(line, direction, fault)
        deliver(desk.services)
        spoil(line, direction, None)
        assert fault.passed > place, "no fault was felt"
        clock.forward(minutes=10)
        deliver(desk.services)
        states.append(desk.services.outbox.get(which).state)
    assert set(states) <= {OutboxState.SENT, OutboxState.UNCERTAIN}
    got = len(desk.inbox.delivered)
    assert states.count(OutboxState.SENT) <= got - 1 <= len(states)


def queue_one(services: Services) -> int:
    mail = OutgoingMail(to=("ann@b.test",), subject="Offer", text="Hi\n" * 400)
    return services.outbox.accept(mail).id


def deliver(services: Services) -> None:
    services.outbox.run_due(Surroundings(services.config))
    assert services.connections.gauge() == []
