"""What reaches a submission server or a relay (RFC 6409, RFC 8314): the form's Configuration."""

from typing import Annotated

from pydantic import Field

from models.account import Advice, ProtocolSettings
from models.fields import HostName, Line, Secret, Unit, to_ascii_host
from services.protocols.microsoft import microsoft_advice


class SmtpSettings(ProtocolSettings):
    """Configuration"""

    server: HostName = Field(title="Email Server", min_length=1, max_length=253)
    """The host name of the server that takes outgoing mail. Your email service provider tells
    it."""

    port: int = Field(587, title="Port Number", ge=1, le=65535)
    """The server's port, usually 587, or 465. Your email service provider tells it."""

    user: Line = Field("", title="User Name", max_length=254)
    """The login name, usually an email address. User Name and Password are both given, or both
    left blank where the server relays without a login."""

    password: Secret = Field(None, title="Password")
    """The login's password, or an app password where the provider asks for one."""

    secure: bool = Field(True, title="Secure Connection")
    """Ticked: the connection is encrypted (TLS, or STARTTLS, whichever the port speaks) or it
    fails. Not ticked: it is not encrypted."""

    timeout: Annotated[int, Unit("minutes")] = Field(1, title="Timeout", ge=1, le=60)
    """How many minutes to wait for the server, when connecting and at every answer."""

    def mailbox(self) -> str:
        """Count connections by host and user."""
        return f"{to_ascii_host(self.server)}|{self.user.casefold()}"

    def endpoint(self) -> tuple[str, ...]:
        """Bind the password to host and user."""
        return ("smtp", self.server, self.user)

    def exposure(self) -> int:
        """Rank clear text below encryption."""
        return 0 if self.secure else 1

    def secret_errors(self, present: frozenset[str]) -> dict[str, str]:
        """Ask for user name and password together, or neither."""
        if self.user and "password" not in present:
            return {"password": "Enter the password too, or leave User Name blank."}
        if not self.user and "password" in present:
            return {"user": "Enter the user name too, or leave Password blank."}
        return {}

    def advice(self) -> tuple[Advice, ...]:
        """Warn of a password in clear, of IMAP's ports and of Microsoft 365."""
        found = list(microsoft_advice(self.server)) if self.user else []
        if self.port in (143, 993):
            found.append(
                Advice("port", f"{self.port} is IMAP's port; sending has 587 or 465.", 587)
            )
        if self.user and not self.secure:
            found.append(
                Advice("secure", "The password crosses the network in clear text.", "true")
            )
        return tuple(found)
