"""Test Connection for IMAP: the very steps of an import, one rung each, on an unsaved form."""

import ssl
from collections.abc import Iterator

from services.network import describe_certificate, peer, resolve
from services.protocols.base import Step, Surroundings, climb
from services.protocols.imap_session import ImapSession
from services.protocols.imap_settings import ImapSettings
from services.text import count


def ladder(settings: ImapSettings, surroundings: Surroundings) -> Iterator[Step]:
    """Climb name, connection, TLS, server, login and inbox; nothing in the mailbox changes."""
    session = ImapSession(settings, surroundings)
    rungs = _Rungs(session, settings)
    try:
        yield from climb(
            (
                ("Name", rungs.name),
                ("Connect", rungs.connect),
                ("TLS", rungs.tls),
                ("Server", rungs.server),
                ("Login", rungs.login),
                ("Inbox", rungs.inbox),
            ),
            surroundings.clock,
        )
    finally:
        session.close()


class _Rungs:
    """Each returns what it found in words, or raises ServiceError with hint and field."""

    def __init__(self, session: ImapSession, settings: ImapSettings) -> None:
        self._session, self._settings = session, settings

    def name(self) -> str:
        return ", ".join(resolve(self._settings.server, self._settings.port))

    def connect(self) -> str:
        self._session.open_socket()
        address = peer(self._session.sock, self._settings.server)
        return f"connected to {address} port {self._settings.port}"

    def tls(self) -> str:
        self._session.encrypt()
        sock = self._session.sock
        if not isinstance(sock, ssl.SSLSocket):
            return "not encrypted, as Security Protocol says"
        return f"{sock.version()}, {describe_certificate(sock)}"

    def server(self) -> str:
        self._session.greet()
        offered = self._session.capabilities
        methods = [name.removeprefix("AUTH=") for name in offered if name.startswith("AUTH=")]
        if "LOGINDISABLED" not in offered:
            methods.insert(0, "LOGIN")
        version = next((name for name in offered if name.startswith("IMAP4")), "IMAP4")
        return f"{version}, logins: {', '.join(dict.fromkeys(methods)) or 'none'}"

    def login(self) -> str:
        self._session.login()
        return f"logged in as {self._settings.user}"

    def inbox(self) -> str:
        return f"INBOX with {count(self._session.examine().exists, 'message')}"
