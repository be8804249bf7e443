"""An account that sends, and what it sends."""

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from services.protocols.base import Envelope
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_session import Patience
from tests.servers.smtp import SmtpServer

USER, PASSWORD = "office@tours.test", "pässword ☂ 7"
SENDER = "office@tours.test"
QUICK = Patience(greeting=1, silence=1, final=1)
SHORT = 0.01  # minutes
StartSmtp = Callable[..., SmtpServer]


def mail(subject: str = "Hi", body: bytes = b"Hello\r\n") -> bytes:
    return f"From: {SENDER}\r\nSubject: {subject}\r\n\r\n".encode() + body


def envelope(*recipients: str, sender: str = SENDER) -> Envelope:
    return Envelope(sender, recipients, "<1@tours.test>")


def settings(port: int, *, timeout: float = 1, **fields: Any) -> SmtpSettings:
    made = SmtpSettings(server="127.0.0.1", port=port, **fields)
    return made.model_copy(update={"timeout": timeout})


def login(port: int, password: str = PASSWORD, **fields: Any) -> SmtpSettings:
    return settings(port, user=USER, password=SecretStr(password), **fields)
