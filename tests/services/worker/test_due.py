"""When is what due: clocks that change, intervals that do not drift, nights without a worker."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.schedule import ScheduleForm
from services.forms import errors_of
from services.worker.due import Times, next_run

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def runs(times: Times, start: str, number: int) -> list[str]:
    """Return the next runs in UTC, each asked for as the one before it comes."""
    found, now = [], at(start)
    for _ in range(number):
        now = next_run(times, now, now)
        found.append(f"{now:%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "start", "expected"),
    [
        ("0 7 * * *", "UTC", "2026-03-01T07:00", ["02 07:00", "03 07:00"]),
        ("0 7 * * *", BERLIN, "2026-03-01T05:00", ["01 06:00", "02 06:00"]),
        ("0 9 * * 1-5", "UTC", "2026-03-06T10:00", ["09 09:00", "10 09:00"]),
        ("0 0 L * *", "UTC", "2026-02-01T00:00", ["28 00:00", "31 00:00"]),
        # 29 March: 02:00 to 03:00 does not exist in Berlin.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", ["29 01:00", "30 00:30"]),
        ("*/15 2 * * *", BERLIN, "2026-03-28T12:00", ["29 01:00", "30 00:00", "30 00:15"]),
        ("30 2,3 * * *", BERLIN, "2026-03-28T12:00", ["29 01:00", "29 01:30", "30 00:30"]),
        ("0 */2 * * *", BERLIN, "2026-03-28T23:30", ["29 01:00", "29 02:00", "29 04:00"]),
        ("*/30 * * * *", BERLIN, "2026-03-29T00:10", ["29 00:30", "29 01:00", "29 01:30"]),
        # 25 October: 02:00 to 03:00 comes twice.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["25 00:30", "26 01:30"]),
        ("*/20 2 * * *", BERLIN, "2026-10-25T00:10", ["25 00:20", "25 00:40", "26 01:00"]),
        ("*/20 2 * * *", BERLIN, "2026-10-25T01:10", ["26 01:00", "26 01:20"]),
        ("30 * * * *", BERLIN, "2026-10-25T00:00", ["25 00:30", "25 01:30", "25 02:30"]),
        # Half an hour's change, and a day that Samoa left out.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["03 15:30", "04 15:15"]),
        ("0 9 * * *", "Pacific/Apia", "2011-12-29T20:00", ["30 10:00", "30 19:00"]),
    ],
)
def test_cron_means_the_clock_of_its_zone(
    cron: str, zone: str, start: str, expected: list[str]
) -> None:
    assert runs(Times(None, cron, zone), start, len(expected)) == expected


@pytest.mark.parametrize(
    ("now", "due", "expected"),
    [
        ("2026-03-02T09:00", None, "2026-03-02T09:05"),
        ("2026-03-02T09:00", "2026-03-02T09:00", "2026-03-02T09:05"),
        ("2026-03-02T09:01", "2026-03-02T09:00", "2026-03-02T09:05"),
        ("2026-03-02T09:05", "2026-03-02T09:00", "2026-03-02T09:10"),
        ("2026-03-05T07:12", "2026-03-02T09:00", "2026-03-05T07:15"),
        ("2026-03-02T09:00", "2026-03-02T09:02", "2026-03-02T09:02"),
        ("2026-03-02T09:00", "2027-01-01T00:00", "2026-03-02T09:05"),
    ],
    ids=["new", "on time", "late", "late by one", "a night away", "early", "clock set back"],
)
def test_an_interval_neither_drifts_nor_catches_up(
    now: str, due: str | None, expected: str
) -> None:
    assert next_run(Times(5), at(now), at(due) if due else None) == at(expected)


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
ZONES = st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
CRONS = st.sampled_from(
    ["30 2 * * *", "*/7 1-3 * * *", "0 */2 * * *", "*/20 * * * *", "0 0 29 2 *", "15 2 * * 0"]
)


@given(st.integers(1, 10080), MOMENTS, st.timedeltas(timedelta(-30), timedelta(30)))
def test_an_interval_comes_within_its_length(every: int, now: datetime, late: timedelta) -> None:
    found = next_run(Times(every), now, now - late)
    assert now < found <= now + timedelta(minutes=every)


@given(CRONS, ZONES, MOMENTS)
def test_cron_goes_on_and_shows_no_time_twice(cron: str, zone: str, now: datetime) -> None:
    times = Times(None, cron, zone)
    first = next_run(times, now)
    second = next_run(times, first)
    assert now < first < second
    if "* * * *" not in cron:
        shown = [
            moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in (first, second)
        ]
        assert shown[0] < shown[1]


@given(CRONS, ZONES, MOMENTS, st.floats(0, 1))
def test_asking_earlier_never_misses_a_run(
    cron: str, zone: str, now: datetime, part: float
) -> None:
    times = Times(None, cron, zone)
    found = next_run(times, now)
    between = now + (found - now) * min(part, 0.999)
    assert next_run(times, between) == found


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        ({"every": None}, "cron", "Enter a cron expression"),
        ({"every": None, "cron": "* * *"}, "cron", "Five fields"),
        ({"every": None, "cron": "0 0 * * * *"}, "cron", "Five fields"),
        ({"every": None, "cron": "@daily"}, "cron", "Five fields"),
        ({"every": None, "cron": "61 * * * *"}, "cron", "The minute 61"),
        ({"every": None, "cron": "0 24 * * *"}, "cron", "The hour 24"),
        ({"every": None, "cron": "0 0 * 13 *"}, "cron", "The month 13"),
        ({"every": None, "cron": "0 0 * * 8"}, "cron", "The day of the week 8"),
        ({"every": None, "cron": "0 0 31 2 *"}, "cron", "No day in the calendar"),
        ({"every": "0"}, "every", "At least 1."),
        ({"every": "10081"}, "every", "At most 10080."),
        ({"zone": "Europe"}, "zone", "not the name of a time zone"),
        ({"zone": "../etc/passwd"}, "zone", "not the name of a time zone"),
        ({"zone": "Mars/Olympus"}, "zone", "not the name of a time zone"),
    ],
)
def test_wrong_times_are_told_at_their_field(
    raw: dict[str, object], field: str, words: str
) -> None:
    found = errors_of(ScheduleForm, {"account": "RES", **raw})
    assert list(found) == [field]
    assert words in found[field]


def test_minutes_go_before_an_expression() -> None:
    assert ScheduleForm.model_validate({"account": "RES", "every": 5, "cron": "bad"}).cron == ""
    cron = {"account": "RES", "every": None, "cron": " 0  7 * * 1-5 "}
    assert ScheduleForm.model_validate(cron).cron == "0 7 * * 1-5"
