"""What reaches an IMAP mailbox (RFC 3501, RFC 8314): the form's Configuration."""

from typing import Annotated, Literal

from pydantic import Field

from models.account import Advice, ProtocolSettings
from models.fields import HostName, Line, Secret, Unit, Words, to_ascii_host
from services.protocols.microsoft import microsoft_advice

SUBMISSION_PORTS = {25, 465, 587}


class ImapSettings(ProtocolSettings):
    """Configuration"""

    server: HostName = Field(title="Email Server", min_length=1, max_length=253)
    """The host name of the mailbox's server. Your email service provider tells it."""

    port: int = Field(587, title="Port Number", ge=1, le=65535)
    """The server's port for IMAP, usually 993 with TLS, 143 with Start TLS or None. Your email
    service provider tells it."""

    user: Line = Field(title="User Name", min_length=1, max_length=254)
    """The mailbox's login name, usually its email address. Your email service provider tells it."""

    password: Secret = Field(None, title="Password")
    """The mailbox's password, or an app password where the provider asks for one."""

    security: Annotated[
        Literal["none", "starttls", "tls"],
        Words({"none": "None", "starttls": "Start TLS", "tls": "TLS"}),
    ] = Field("tls", title="Security Protocol")
    """How the connection is encrypted. Start TLS on a server without it is an error, never a
    connection in clear."""

    timeout: Annotated[int, Unit("minutes")] = Field(1, title="Timeout", ge=1, le=60)
    """How many minutes to wait for the server, when connecting and at every answer."""

    def mailbox(self) -> str:
        """Count connections by host and user."""
        return f"{to_ascii_host(self.server)}|{self.user.casefold()}"

    def endpoint(self) -> tuple[str, ...]:
        """Bind the password to host and user."""
        return ("imap", self.server, self.user)

    def exposure(self) -> int:
        """Rank clear text below both ways of encrypting."""
        return 1 if self.security == "none" else 0

    def secret_errors(self, present: frozenset[str]) -> dict[str, str]:
        """Ask for the password, without which no mailbox opens."""
        return {} if "password" in present else {"password": "Required."}

    def advice(self) -> tuple[Advice, ...]:
        """Warn of submission's port, of a password in clear and of Microsoft 365."""
        found = list(microsoft_advice(self.server))
        usual = 993 if self.security == "tls" else 143
        if self.port in SUBMISSION_PORTS:
            words = f"{self.port} is a port for sending mail (SMTP); IMAP's is {usual}."
            found.append(Advice("port", words, usual))
        elif {self.port, usual} == {143, 993}:
            found.append(
                Advice("port", f"IMAP with this security usually has port {usual}.", usual)
            )
        if self.security == "none":
            found.append(
                Advice("security", "The password crosses the network in clear text.", "tls")
            )
        return tuple(found)
