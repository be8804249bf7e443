"""When is what due: pure functions of (times, now).

An interval counts on from the time that was due, so that it does not drift, and leaves out what
lies in the past: after a night without a worker one run makes up for all (no catch-up storm).

A cron expression means the clock of its zone, whatever the zone does to its clock. A time that a
change of the clock skips comes right after the gap, all of such times together once; a time that
comes twice counts the first time. Only an expression of every hour (``*/20 * * * *``) is read as
an interval and so goes on through the hour that comes twice, as Debian's cron does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

_DAY_HOURS = 24
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Times:
    """Every so many minutes, or by a cron expression in the zone's clock."""

    every_minutes: int | None = None
    cron: str = ""
    zone: str = "UTC"


def next_run(times: Times, now: datetime, due: datetime | None = None) -> datetime:
    """Return the first time after `now` (aware), in UTC; `due` is the time that has just come.

    `times` must be valid: see `models.schedule.ScheduleForm`.
    """
    if times.every_minutes is not None:
        return _next_interval(timedelta(minutes=times.every_minutes), now, due or now)
    zone = ZoneInfo(times.zone)
    return _next_cron(times.cron, now, zone).astimezone(UTC)


def _next_interval(step: timedelta, now: datetime, due: datetime) -> datetime:
    if due > now:  # the host's clock was set back: never wait longer than one interval
        return min(due, now + step).astimezone(UTC)
    passed = (now - due) // step
    return (due + (passed + 1) * step).astimezone(UTC)


def _next_cron(expression: str, now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    if len(CronSim(expression, local).hours) == _DAY_HOURS:
        return next(CronSim(expression, local))
    return next(moment for moment in _by_wall_clock(expression, local, zone) if moment > now)


def _by_wall_clock(expression: str, local: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    for wall in CronSim(expression, local.replace(tzinfo=None, fold=0)):
        yield _first_moment(wall, zone)


def _first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock first shows a time, or the end of the gap that skips it, in UTC."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None, fold=0) != wall:
        wall += _MINUTE
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
    return moment
