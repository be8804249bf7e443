"""A desk with its own store, whose mailbox lies in the cloud."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from tests.servers.cloud.contoso import ADDRESS, CLIENT, SECRET, TENANT, USER, Contoso
from tests.services.importing.conftest import Desk as Books
from tests.services.protocols.office365.graph_desk import Desk as Cloud
from tests.stores import Clock, add_codes, save, services_in

SETTINGS = {
    "tenant_id": TENANT,
    "user_object_id": USER,
    "client_id": CLIENT,
    "client_secret": SECRET,
}


class Desk(Books):
    """The desk of the import tests, with its mailbox in the cloud."""

    def __init__(self, services: Services, contoso: Contoso) -> None:
        self.contoso, self.cloud = contoso, contoso.cloud
        self.inbox = contoso.mailbox
        self.services = services
        self.around = Surroundings(services.config)

    def account(self, name: str = "DESK", **importing: Any) -> None:
        wanted = {"enabled": True, "start": "all", "agent_types": ["RS"], "supplier_types": ["RS"]}
        save(self.services, raw(name, importing=wanted | importing))


def raw(name: str = "DESK", **more: Any) -> dict[str, Any]:
    identity = {"name": name, "is_system": more.pop("system", False)}
    email = {"default_email": ADDRESS, **more.pop("email", {})}
    return {
        "protocol": "office365",
        "identity": identity,
        "settings": SETTINGS,
        "email": email,
        **more,
    }


@pytest.fixture
def desk(tmp_path: Path, clock: Clock, contoso: Contoso) -> Iterator[Desk]:
    Cloud(contoso)  # forgets tokens and pauses of earlier clouds
    services = services_in(
        tmp_path,
        clock,
        ca_bundle=contoso.bundle,
        o365_login_url=contoso.cloud.login_url,
        graph_url=contoso.cloud.graph_url,
        max_message_mb=3,
    )
    add_codes(services)
    yield Desk(services, contoso)
    services.close()


def well_behaved(desk: Desk, limit: int = 4) -> None:
    assert desk.cloud.early_retries == []
    assert desk.cloud.foreign_hosts_with_token == []
    assert max(desk.cloud.peak_concurrency.values()) <= limit
    assert desk.services.connections.gauge() == []


def queue(desk: Desk, **fields: Any) -> int:
    made = {"to": ("ann@b.test",), "subject": "Offer", "text": "Grüße", **fields}
    return desk.services.outbox.accept(OutgoingMail(**made)).id


def deliver(desk: Desk) -> Tally:
    return desk.services.outbox.run_due(desk.around)
