"""Moments as lists and pages show them."""

from datetime import datetime

from services.text import clock


def short_clock(moment: datetime | None, now: datetime) -> str:
    """Return a moment in the admin's zone, at most 12 cells wide; of today only the time."""
    return clock(moment, now.astimezone()).removeprefix("today ")
