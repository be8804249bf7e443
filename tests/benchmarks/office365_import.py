"""Imports through Graph over one connection and over four, where each request takes 50 ms.

Run as ``python -m tests.benchmarks.office365_import``; the ratio counts, not the times.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from services.protocols import office365_throttle, office365_token
from services.protocols.base import Surroundings
from tests.servers.cloud.cloud import Cloud
from tests.servers.cloud.contoso import ADDRESS, CLIENT, SECRET, TENANT, USER, Contoso
from tests.servers.tls import Authority
from tests.stores import add_codes, save, services_in

MESSAGES = 1_000
OCTETS = 15_000
LATENCY = 0.05


def mail(number: int) -> bytes:
    """Return a message of OCTETS bytes from the one contact."""
    head = (
        f"From: guide@supplier.test\r\nTo: {ADDRESS}\r\nSubject: Rooms {number}\r\n"
        f"Message-ID: <{number}@supplier.test>\r\n\r\n"
    ).encode()
    line = b"x" * 76 + b"\r\n"
    return head + line * ((OCTETS - len(head)) // len(line))


def seconds(connections: int, messages: int) -> float:
    """Return how long importing the messages into a new store takes."""
    office365_token._SHARED.clear()
    office365_throttle._GATES.clear()
    with TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority(folder)
        with Cloud(authority.server.context()) as cloud:
            contoso = Contoso(cloud, authority.bundle)
            for number in range(messages):
                contoso.mailbox.deliver(mail(number))
            cloud.settings.latency = LATENCY
            cloud.settings.enforce_concurrency = True
            return _import(folder, contoso, connections, messages)


def _import(folder: Path, contoso: Contoso, connections: int, messages: int) -> float:
    services = services_in(
        folder,
        ca_bundle=contoso.bundle,
        o365_login_url=contoso.cloud.login_url,
        graph_url=contoso.cloud.graph_url,
    )
    add_codes(services)
    contact = {"name": "Greta", "email": "guide@supplier.test", "contact_type": "RS"}
    services.contacts.save("supplier", {"code": "G", "name": "Guides", "contacts": [contact]})
    save(services, _account(connections))
    started = time.perf_counter()
    result = services.importing.run(
        "DESK", trigger="command", surroundings=Surroundings(services.config)
    )
    took = time.perf_counter() - started
    services.close()
    peak = max(contoso.cloud.peak_concurrency.values())
    if (result.counts.imported, peak) != (messages, connections):
        raise RuntimeError(f"{result.counts}, {peak} connections at once")
    return took


def _account(connections: int) -> dict[str, object]:
    return {
        "protocol": "office365",
        "identity": {"name": "DESK"},
        "settings": {
            "tenant_id": TENANT,
            "user_object_id": USER,
            "client_id": CLIENT,
            "client_secret": SECRET,
        },
        "email": {"default_email": ADDRESS},
        "limit": {"limit_to": connections},
        "importing": {"enabled": True, "start": "all", "supplier_types": ["RS"]},
    }


def main() -> None:
    """Measure and print both rates and their ratio."""
    took = {connections: seconds(connections, MESSAGES) for connections in (1, 4)}
    for connections, time_ in took.items():
        print(f"{connections} connection(s): {MESSAGES / time_:7.1f} messages/s  ({time_:.1f} s)")
    print(f"ratio 4 to 1: {took[1] / took[4]:.2f} (aim: 3 or more)")


if __name__ == "__main__":
    main()
