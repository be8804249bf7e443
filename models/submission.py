"""A message that another program hands in whole, as sendmail takes it."""

from pydantic import BaseModel, ConfigDict, Field


class Submission(BaseModel):
    """What stood on a program's standard input, and what it said of it beside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: bytes = Field(repr=False)
    """RFC 5322, with CRLF or LF line ends."""
    recipients: tuple[str, ...] = ()
    """Mailboxes named as arguments, in lists with commas or one by one."""
    from_headers: bool = False
    """Whether To, Cc and Bcc name recipients too (sendmail's -t)."""
    sender: str | None = None
    """The envelope sender asked for (-f); "" or ``<>`` is the null sender."""
    full_name: str = ""
    """Stands in From where the message has none (-F)."""
    booking: str | None = None
