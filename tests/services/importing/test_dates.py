"""Mail that its server or its sender dates at the edge of all calendars is mail like any other."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.mail.filter import MailFilter
from services.protocols.imap_mailbox import ImapImporter
from services.protocols.office365_items import received
from services.text import clock
from tests.services.importing.conftest import GUIDE, Desk, letter
from tests.stores import services_in

EDGES = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]


@pytest.fixture(params=["America/New_York", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host, and sessions of its database, that are not in UTC."""
    monkeypatch.setenv("TZ", request.param)
    monkeypatch.setenv("PGTZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("edge", EDGES)
def test_what_a_server_dates_at_the_edge_is_stored_and_shown(
    zone: str, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, edge: datetime
) -> None:
    desk.account()
    desk.contact(GUIDE)
    for _ in range(2):
        desk.mailbox.append(letter("Date: Fri, 31 Dec 9999 23:59:59 +0000"))
    headers = ImapImporter.headers

    def at_the_edge(self: ImapImporter, items: Sequence[str]) -> Any:
        return (replace(header, received=edge) for header in headers(self, items))

    monkeypatch.setattr(ImapImporter, "headers", at_the_edge)
    assert desk.run().counts.imported == 2
    services = services_in(tmp_path)  # with connections that were opened in the zone
    for line in services.mail.list(MailFilter()).rows:
        assert clock(line.received, datetime.now().astimezone())
        assert clock(services.mail.get(line.id).date, datetime.now().astimezone())
    services.close()


def test_a_date_of_graph_before_all_calendars_is_none() -> None:
    assert received({"receivedDateTime": "0001-01-01T00:00:00+14:00"}) is None
