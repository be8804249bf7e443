"""A message as an admin types it, before it is split into addresses and checked by the rules."""

import re

from pydantic import Field

from models.fields import Line, Section
from models.outgoing import Attachment, OutgoingMail

# What stands between two commas or semicolons that are neither in quotes nor in angle brackets.
# A quote that is never closed reaches to the end: one looked for anew each time would take ages.
_MAILBOX = re.compile(r'(?:"(?:[^"\\]|\\.)*+"?|<[^<>]*+>|[^,;"]|<)+')
_PATH = re.compile(r'(?:"[^"]*"|[^,;"]|")+')


class MessageForm(Section):
    """New Message"""

    to: Line = Field("", title="To")
    """Addresses, with commas between them. A name may precede: Anna Berg <anna@example.com>."""

    cc: Line = Field("", title="CC")
    """Who gets a copy that all can see."""

    bcc: Line = Field("", title="BCC")
    """Who gets a copy that nobody else sees."""

    subject: Line = Field("", title="Subject")
    """With a Booking, a token is added by which replies are recognised."""

    booking: Line = Field("", title="Booking", max_length=20)
    """The booking's reference: letters, digits, hyphens, dots and slashes. It may stay blank."""

    attachments: Line = Field("", title="Attachments", max_length=4000)
    """Files, with commas between them; ~ is your home folder. Names with a comma go in quotes."""

    def mail(
        self, text: str, attachments: tuple[Attachment, ...] = (), contact_id: int | None = None
    ) -> OutgoingMail:
        """Return the message with its text, the files read, and the contact it is for."""
        return OutgoingMail(
            to=mailboxes(self.to),
            cc=mailboxes(self.cc),
            bcc=mailboxes(self.bcc),
            subject=self.subject,
            booking=self.booking or None,
            text=text,
            attachments=attachments,
            contact_id=contact_id,
        )

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the attachments."""
        found = (part.replace('"', "").strip() for part in _PATH.findall(self.attachments))
        return tuple(path for path in found if path)


def mailboxes(line: str) -> tuple[str, ...]:
    """Split a line of mailboxes at its commas and semicolons, those within names excepted."""
    return tuple(part.strip() for part in _MAILBOX.findall(line) if part.strip())
