"""The columns of a list of mail, at either width."""

from collections.abc import Callable, Sequence
from datetime import datetime

from models.mail import Outcome
from services.mail.views import MailLine
from tui.widgets.glyphs import glyphs
from tui.widgets.record_list import Column
from tui.widgets.times import short_clock

TONES = {Outcome.ERROR: "bad", Outcome.SKIPPED: "dim"}
WIDE = 120
"""Cells from which there is room for more columns."""


def mail_columns(width: int, now: Callable[[], datetime]) -> Sequence[Column]:
    """Return what fits the width."""
    received = Column("Received", 12, lambda row: short_clock(row.received, now()))
    subject = Column("Subject", 0, lambda row: named(row.subject, "(no subject)"))
    if width < WIDE:
        return [
            received,
            Column("From", 18, lambda row: named(row.sender, "(no sender)")),
            subject,
            Column("Booking", 8, lambda row: row.booking),
            Column("Why", 17, why),
        ]
    return [
        received,
        Column("From", 36, lambda row: named(row.sender, "(no sender)")),
        subject,
        Column("Contact", 24, lambda row: row.contact),
        Column("Booking", 12, lambda row: row.booking),
        Column("Account", 14, lambda row: row.account),
        Column("Queue", 14, lambda row: row.queue),
        Column("Outcome", 9, lambda row: (fate(row), tone(row))),
        Column("Why", 17, why),
    ]


def named(text: str, absent: str) -> tuple[str, str]:
    """Return a text with its tone; where it is blank, dim words that say so."""
    return (text, "") if text.strip() else (absent, "dim")


def why(row: MailLine) -> tuple[str, str]:
    """Return the reason in a few words after its outcome's mark."""
    marks = {
        Outcome.IMPORTED: glyphs().yes,
        Outcome.SKIPPED: glyphs().dot,
        Outcome.ERROR: glyphs().dot if row.dismissed else glyphs().no,
    }
    return f"{marks.get(row.outcome, ' ')} {reason_words(row.reason)}", tone(row)


def fate(row: MailLine) -> str:
    """Return what became of a message, by people's decision or else by the import's."""
    return "dismissed" if row.dismissed else row.outcome.value


def tone(row: MailLine) -> str:
    """Return the tone of what became of a message: only what is open is alarming."""
    return "dim" if row.dismissed else TONES.get(row.outcome, "")


def reason_words(reason: str) -> str:
    """Return a reason as people read it."""
    return reason.replace("-", " ")
