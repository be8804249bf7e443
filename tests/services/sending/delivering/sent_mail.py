"""An account on a scripted server, and mail queued for it."""

from collections.abc import Callable
from typing import Any

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.protocols.base import Surroundings
from services.sending.deliver import Tally
from tests.servers.smtp import SmtpServer
from tests.stores import save, smtp_raw

USER, PASSWORD = "office@example.com", "s3cret of the office"
StartSmtp = Callable[..., SmtpServer]


def account(services: Services, port: int, name: str = "SEND", **fields: Any) -> None:
    raw = {"server": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD, **fields}
    save(services, smtp_raw(name, **raw), consent={"hand-over"})


def queue(services: Services, *to: str, **fields: Any) -> int:
    made = {"to": to or ("anna@agent.test",), "subject": "Offer", "text": "Hi", **fields}
    return services.outbox.accept(OutgoingMail(**made)).id


def run(services: Services, only: int | None = None, **fields: Any) -> Tally:
    return services.outbox.run_due(Surroundings(services.config, **fields), only)
