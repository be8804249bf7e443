"""A mailbox of its own for each test, on the Dovecot that all of them share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tests.servers.dovecot import Dovecot


@dataclass(frozen=True)
class Mailbox:
    """One user of a Dovecot, with all that an account and a test need to know of it."""

    server: Dovecot
    user: str
    password: str

    @classmethod
    def create(cls, server: Dovecot, user: str, password: str) -> "Mailbox":
        """Create the user on the server."""
        server.add_user(user, password)
        return cls(server, user, password)

    @property
    def host(self) -> str:
        """The address that the server listens on."""
        return self.server.host

    @property
    def port(self) -> int:
        """The port of IMAP with STARTTLS."""
        return self.server.port

    @property
    def tls_port(self) -> int:
        """The port of IMAP with implicit TLS."""
        return self.server.tls_port

    @property
    def uids(self) -> list[int]:
        """The UIDs of the INBOX, lowest first."""
        return self.server.uids(self.user)

    def append(
        self, raw: bytes, internaldate: datetime | None = None, folder: str = "INBOX"
    ) -> int:
        """APPEND a message and return its UID."""
        return self.server.append(self.user, raw, internaldate, folder)

    def deliver_raw(self, raw: bytes, internaldate: datetime | None = None) -> None:
        """Put exactly these bytes into the INBOX; see Dovecot.deliver_raw."""
        self.server.deliver_raw(self.user, raw, internaldate)

    def expunge(self, uids: Iterable[int]) -> None:
        """Remove these messages from the INBOX for good."""
        self.server.expunge(self.user, uids)

    def new_uidvalidity(self) -> int:
        """Recreate the INBOX with the same mails; see Dovecot.new_uidvalidity."""
        return self.server.new_uidvalidity(self.user)
