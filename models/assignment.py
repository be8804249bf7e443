"""What a message is assigned to by hand."""

import re

from pydantic import Field, field_validator

from models.fields import Line, Section
from models.outgoing import BAD_BOOKING, BOOKING_PATTERN


class Assignment(Section):
    """Assign"""

    booking: Line = Field("", title="Booking", max_length=20)
    """The booking that the message belongs to. Blank leaves it as it is."""

    contact: Line = Field("", title="Contact")
    """A contact's address, or part of its name or code. Blank leaves it as it is."""

    @field_validator("booking")
    @classmethod
    def _reference(cls, value: str) -> str:
        if value and not re.fullmatch(BOOKING_PATTERN, value):
            raise ValueError(BAD_BOOKING)
        return value
