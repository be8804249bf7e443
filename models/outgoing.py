"""A message as somebody wants it sent, before it is in the outbox."""

from pydantic import BaseModel, ConfigDict, Field

BAD_BOOKING = "A booking reference has 1 to 20 letters, digits, hyphens, dots, slashes."
"""What is said wherever the pattern refuses one."""
BOOKING_PATTERN = r"^[A-Za-z0-9./-]{1,20}$"
"""A booking reference, narrow enough to stand in a subject token unambiguously."""


class Attachment(BaseModel):
    """A file that goes out with a message."""

    model_config = ConfigDict(frozen=True)

    name: str
    media_type: str
    data: bytes = Field(repr=False)


class OutgoingMail(BaseModel):
    """A message as somebody wants it sent, before any rule or header.

    Addresses are RFC 5322 mailboxes, with or without display name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: str | None = None
    """The From asked for; None means the account's Default Email."""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    booking: str | None = None
    contact_id: int | None = None
