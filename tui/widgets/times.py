"""Moments as lists and pages show them."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.text import clock

if TYPE_CHECKING:
    from services.schedules.state import Alarm

_SOON = timedelta(hours=12)
"""Below that a time of day says which one is meant, even past midnight."""


def short_clock(moment: datetime | None, now: datetime) -> str:
    """Return a moment in the admin's zone, at most 12 cells wide; of today only the time."""
    return clock(moment, now.astimezone()).removeprefix("today ")


def ahead(moment: datetime | None, now: datetime) -> str:
    """Return how soon a moment comes: ``now``, ``in 4 min``; of later ones the clock."""
    if moment is None:
        return ""
    minutes = round((moment - now).total_seconds() / 60)
    if minutes < 1:
        return "now"
    return f"in {minutes} min" if minutes < 60 else short_clock(moment, now)


def at(moment: datetime, now: datetime) -> str:
    """Return when a moment comes, at most 9 cells wide: ``at 02:00``; of later ones the day."""
    local = moment.astimezone()
    return f"at {local:%H:%M}" if moment - now < _SOON else f"on {local:%d %b}"


def age(moment: datetime, now: datetime) -> str:
    """Return for how long something has been there, at most 6 cells wide: ``5 min``, ``3 d``."""
    minutes = max(int((now - moment).total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


def alarm_words(alarm: "Alarm | None", now: datetime) -> str:
    """Return why somebody should look at a schedule: ``failing since 09:12``."""
    if alarm is None:
        return ""
    return f"{alarm.words} since {short_clock(alarm.since, now)}" if alarm.since else alarm.words
