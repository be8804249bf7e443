"""The protocols, in the order in which they are offered. A further one is one line here.

Importing this costs no network library: each protocol imports its own when it connects.
"""

from services.errors import InvalidInput
from services.protocols.base import MailProtocol
from services.protocols.imap import IMAP
from services.protocols.office365 import OFFICE365
from services.protocols.smtp import SMTP

PROTOCOLS: dict[str, MailProtocol] = {p.key: p for p in (IMAP, OFFICE365, SMTP)}


def protocol(key: str) -> MailProtocol:
    """Return the protocol of a key. Raises InvalidInput naming the choices."""
    if key not in PROTOCOLS:
        raise InvalidInput({"protocol": f"Choose one of {', '.join(PROTOCOLS)}."})
    return PROTOCOLS[key]
