"""The sandbox: servers, a store of its own and the sample office, gone at the end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from models.outgoing import OutgoingMail
from services.bootstrap import Services, build
from services.config import Config
from services.demo.folder import demo_folder
from services.demo.sample import (
    CONTACT_TYPES,
    CONTACTS,
    FORWARD_TO,
    OUTGOING,
    QUEUE,
    UNDELIVERABLE,
    USERS,
    Sent,
    waiting,
)
from services.demo.servers import DemoServers
from services.errors import ServiceError
from services.importing.result import RunResult
from services.protocols.base import Surroundings
from services.queues.service import login_name

MESSAGE_LIMIT_MB = 1
"""Small, so that a message above the limit need not be large."""
MAILBOX = "RESERVATIONS"
"""The account that imports."""
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Sandbox:
    """What the demo works on."""

    services: Services
    servers: DemoServers

    @property
    def config(self) -> Config:
        """The configuration that the console is opened with."""
        return self.services.config


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Start the servers and make an empty store beside them.

    Raises ServiceError where the extra `[demo]` is not installed.
    """
    with demo_folder() as folder:
        (folder / "store").mkdir(mode=0o700)
        with DemoServers(folder / "tls", silent={UNDELIVERABLE}) as servers:
            config = Config(
                database_url=SecretStr(f"sqlite:///{folder / 'store' / 'tourmail.sqlite'}"),
                key_file=folder / "key" / "tourmail.key",
                ca_bundle=servers.ca_bundle,
                max_message_mb=MESSAGE_LIMIT_MB,
            )
            services = build(config)
            try:
                yield Sandbox(services, servers)
            finally:
                services.close()


def fill_codes(services: Services) -> None:
    """Save contact types, users, the error queue, agents and suppliers."""
    for code, description in CONTACT_TYPES.items():
        services.codes.save("contact-type", {"code": code, "description": description})
    me = login_name(services.actor)[:30]
    users = {me: "You", **USERS}
    for name, full_name in users.items():
        services.codes.save("user", {"name": name, "full_name": full_name})
    queue = {"name": QUEUE, "description": "Mail that could not be imported", "owner": me}
    services.codes.save("queue", queue | {"members": list(users), "system_event": True})
    services.contacts.load(CONTACTS.splitlines())


def fill_accounts(box: Sandbox) -> None:
    """Save the account that sends and the one that imports."""
    for raw in (_sending(box.servers), _importing(box.servers)):
        box.services.accounts.save(box.services.accounts.draft(raw))


def _sending(servers: DemoServers) -> dict[str, Any]:
    return {
        "protocol": "smtp",
        "identity": {
            "name": "SEND",
            "description": "Everything we send",
            "is_system": True,
        },
        "settings": {
            "server": servers.host,
            "port": servers.smtp_port,
            "user": servers.user,
            "password": servers.password,
        },
        "email": {"default_email": servers.user},
    }


def _importing(servers: DemoServers) -> dict[str, Any]:
    return {
        "protocol": "imap",
        "identity": {"name": MAILBOX, "description": "Replies to reservations"},
        "settings": {
            "server": servers.host,
            "port": servers.imap_port,
            "user": servers.user,
            "password": servers.password,
        },
        "importing": {
            "enabled": True,
            "start": "all",
            "error_queue": QUEUE,
            "agent_types": ["RS", "SA"],
            "supplier_types": ["RS"],
            "forward": [{"email": FORWARD_TO, "name": "Operations desk"}],
        },
    }


def send_samples(box: Sandbox, say: Callable[[str], None]) -> None:
    """Send the sample's messages, and put mail of every kind into the mailbox."""
    sent = {}
    for sample in OUTGOING:
        mail = OutgoingMail(
            to=(sample.to,), subject=sample.subject, text=sample.text, booking=sample.booking
        )
        accepted = box.services.outbox.accept(mail)
        sent[sample.to] = Sent(accepted.message_id, accepted.subject)
        say(f"Sending to {sample.to}: {accepted.subject}")
    box.services.outbox.run_due(Surroundings(box.config))
    first, bounced = next(iter(sent.values())), sent[UNDELIVERABLE]
    for kind, raw in waiting(box.servers.user, first, bounced, datetime.now(UTC)):
        box.servers.deliver(raw)
        say(f"In the mailbox: {kind}")


def wait_for_answers(box: Sandbox) -> None:
    """Wait until the suppliers have answered. Raises ServiceError where none comes."""
    wanted = len(OUTGOING) - 1  # the bounced one is not answered
    deadline = time.monotonic() + _ANSWER_SECONDS
    while box.servers.answered < wanted:
        if time.monotonic() > deadline:
            raise ServiceError("The demo's suppliers have not answered.", "Try again.")
        time.sleep(0.05)


def import_mail(box: Sandbox) -> RunResult:
    """Import what lies in the mailbox."""
    return box.services.importing.run(
        MAILBOX, trigger="command", surroundings=Surroundings(box.config)
    )
