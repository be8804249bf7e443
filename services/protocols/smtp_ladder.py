"""Test Connection for SMTP: every step on the way to a message, which is then not sent."""

from collections.abc import Iterator

from models.account import EmailSettings
from services.errors import ServiceError
from services.network import resolve
from services.protocols.base import LadderScope, Step, Surroundings, climb
from services.protocols.smtp_session import Patience, Session
from services.protocols.smtp_settings import SmtpSettings
from services.sending.addresses import wire_address


def ladder(
    settings: SmtpSettings,
    scope: LadderScope,
    surroundings: Surroundings,
    patience: Patience | None = None,
) -> Iterator[Step]:
    """Yield each step as it is climbed. Never raises: a failed step says what to do."""
    session = Session(settings, surroundings, patience or Patience())
    rungs = [
        ("Name", lambda: ", ".join(resolve(settings.server, settings.port))),
        ("Connect", session.connect),
        ("TLS" if settings.secure else "Greeting", session.secure),
        ("Server", session.hello),
        ("Login", session.login),
    ]
    if email := scope.email:
        rungs.append(("Sender", lambda: _try_sender(session, email)))
    try:
        yield from climb(rungs, surroundings.clock)
    finally:
        session.leave()


def _try_sender(session: Session, email: EmailSettings) -> str:
    """Ask whether the Default Email may send, and take the question back."""
    address = wire_address(email.default_email)
    answer = session.command(f"MAIL FROM:<{address}>{'' if address.isascii() else ' SMTPUTF8'}")
    if answer.code == 530:
        raise ServiceError(
            f"The server wants a login first: {answer.words}",
            "Enter User Name and Password.",
            "settings.user",
        )
    if answer.code // 100 != 2:
        raise ServiceError(
            f"The server does not let {address} send: {answer.words}",
            "Enter an address that this login may send from.",
            "email.default_email",
        )
    session.command("RSET")
    return f"{address} may send"
