"""An Office 365 account on the loopback cloud, and the protocol's own connections to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.cancel import Cancel
from services.config import Config
from services.protocols import office365_throttle, office365_token
from services.protocols.base import Envelope, Listing, Surroundings
from services.protocols.office365 import Office365Settings
from services.protocols.office365_graph import Graph
from services.protocols.office365_mailbox import Office365Importer
from services.protocols.office365_sender import Office365Sender
from services.protocols.office365_wire import Patience
from tests.servers.cloud.contoso import ADDRESS, CLIENT, SECRET, TENANT, USER, Contoso

SWIFT = Patience(
    connect=5, read=5, submit=5, throttled=4, unasked=0.5, retries=(0.05,) * 3, looks=(0.05,) * 4
)


def mail(number: int = 1, body: str = "Hello", **more: str) -> bytes:
    """Return a message from a supplier."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
    return (
        f"From: Guide {number} <guide{number}@supplier.test>\r\nTo: {ADDRESS}\r\n"
        f"Subject: Number {number}\r\nMessage-ID: <{number}@supplier.test>\r\n"
        f"{fields}\r\n{body}\r\n"
    ).encode()


def outgoing(to: str = "ann@b.test", body: str = "Hello", sender: str = ADDRESS) -> bytes:
    """Return a message as `compose` writes it."""
    return (
        f"Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nFrom: Bookings <{sender}>\r\nTo: {to}\r\n"
        f"Subject: Hello\r\nMessage-ID: <one@contoso.test>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    ).encode()


def envelope(*recipients: str, sender: str = ADDRESS) -> Envelope:
    """Return an envelope for `outgoing`."""
    return Envelope(sender, recipients or ("ann@b.test",), "<one@contoso.test>", ADDRESS)


def items_of(listing: Listing) -> list[str]:
    """Return what a listing wants settled."""
    return [item for page in listing.pages for item in page.items]


class Desk:
    """The account; `said` is what the connections told, `free` how many slots are to be had.

    `patience` is that of all connections from then on.
    """

    def __init__(self, contoso: Contoso) -> None:
        # Each test has its own cloud, but the ports of old clouds come again.
        office365_token._SHARED.clear()
        office365_throttle._GATES.clear()
        self.contoso, self.cloud, self.mailbox = contoso, contoso.cloud, contoso.mailbox
        self.said: list[str] = []
        self.free = 3
        self.patience = SWIFT
        self.cancel = Cancel()
        self.config = Config(
            ca_bundle=contoso.bundle,
            o365_login_url=contoso.cloud.login_url,
            graph_url=contoso.cloud.graph_url,
        )
        self.settings = settings()

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.config, self.cancel, self.said.append, more_slots=self._more)

    @contextmanager
    def _more(self, wanted: int) -> Iterator[int]:
        yield min(wanted, self.free)

    def importer(self) -> Office365Importer:
        return Office365Importer(self.settings, self.around, self.patience)

    def sender(self) -> Office365Sender:
        return Office365Sender(self.settings, self.around, self.patience)

    def graph(self, **patience: Any) -> Graph:
        return Graph(self.settings, self.around, Patience(**patience) if patience else SWIFT)

    def deliver(self, many: int, first: int = 1) -> list[str]:
        return [self.mailbox.deliver(mail(n)) for n in range(first, first + many)]

    @property
    def delivered(self) -> list[tuple[tuple[str, ...], bytes]]:
        return [(each.recipients, each.raw) for each in self.mailbox.delivered]

    def calls(self, part: str, method: str | None = None) -> int:
        """Return how many requests to Graph had `part` in their path."""
        return sum(
            part in entry.path and method in (None, entry.method)
            for entry in self.cloud.requests
            if entry.host == "graph"
        )

    def assert_well_behaved(self, limit: int = 4) -> None:
        """Assert what must hold whatever happens."""
        assert self.cloud.early_retries == []
        graph = [entry for entry in self.cloud.requests if entry.host == "graph"]
        assert all("ImmutableId" in entry.headers.get("prefer", "") for entry in graph)
        assert self.cloud.foreign_hosts_with_token == []
        assert max(self.cloud.peak_concurrency.values(), default=0) <= limit


def settings(**changes: Any) -> Office365Settings:
    """Return the account's Configuration with its secret."""
    values = {
        "tenant_id": TENANT,
        "user_object_id": USER,
        "client_id": CLIENT,
        "client_secret": SECRET,
    }
    return Office365Settings.model_validate(values | changes)
