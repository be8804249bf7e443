"""A message as it goes out, however it came in: composed here, or handed in whole."""

from dataclasses import dataclass, field

from services.sending.rules import Recipient


@dataclass(frozen=True)
class Ready:
    """The bytes of a message, and what the outbox keeps beside them."""

    data: bytes = field(repr=False)
    """RFC 5322 with CRLF line ends, without Bcc."""
    message_id: str
    token: str | None
    """The random part of the subject token, where there is a booking."""
    booking: str | None
    envelope_from: str
    header_from: str
    subject: str
    """Decoded, with the token."""
    recipients: tuple[Recipient, ...]
