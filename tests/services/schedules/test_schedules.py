"""Schedules in a real store: saved, taken up, failing, overdue."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from models.schedule import ScheduleRow
from models.work import ImportRunRow, RunState
from services.bootstrap import Services
from services.errors import InvalidInput, NotFound, Stale
from services.importing.claim import LEASE, Claim, Claims
from services.importing.result import Counts
from tests.stores import START, Clock, imap_raw, save, services_in, smtp_raw


@pytest.fixture(autouse=True)
def accounts(services: Services) -> None:
    save(services, imap_raw("RES"))
    save(services, imap_raw("GROUPS"))
    save(services, smtp_raw())


def row(services: Services, place: int = 0) -> ScheduleRow:
    with services.store.read() as session:
        return session.exec(select(ScheduleRow).order_by(ScheduleRow.id)).all()[place]  # type: ignore[arg-type]


def begin(services: Services, clock: Clock, name: str = "RES") -> tuple[Claims, Claim]:
    claims = Claims(services.store, "other:1", "ben", clock)
    return claims, claims.begin(services.accounts.get(name), "command")


def end(services: Services, clock: Clock, state: RunState, name: str = "RES") -> None:
    claims, claim = begin(services, clock, name)
    claims.finish(claim, state, Counts(server_count=3, imported=1, known=2), "No route.")


def claimed(services: Services, most: int = 9) -> list[str]:
    return [due.account for due in services.sweep.claim(most)]


# ------------------------------------------------------------------ keeping


def test_a_new_interval_runs_at_once_and_then_on(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "res", "every": 5})
    [line] = services.schedules.list()
    assert (line.account, line.form.words, line.next_run) == ("RES", "5 min", START)
    assert claimed(services) == ["RES"]
    assert claimed(services) == []
    clock.forward(minutes=4, seconds=59)
    assert claimed(services) == []
    clock.forward(seconds=1)
    assert claimed(services) == ["RES"]


def test_cron_waits_for_its_time(services: Services) -> None:
    services.schedules.save(
        {"account": "RES", "every": None, "cron": "0 7 * * *", "zone": "Europe/Berlin"}
    )
    assert row(services).next_run_at == START + timedelta(hours=21)
    assert claimed(services) == []


def test_a_blank_zone_is_this_hosts(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    saved = services.schedules.save({"account": "RES", "every": None, "cron": "0 7 * * *"})
    assert saved.form.zone == "America/New_York"


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        ({"account": "NOBODY"}, "account", "There is no account NOBODY."),
        ({"account": "SEND"}, "account", "SEND does not import"),
        ({"account": "GROUPS"}, "account", "GROUPS has a schedule already."),
        ({"account": "RES", "every": None, "cron": "x"}, "cron", "Five fields"),
    ],
)
def test_what_cannot_be_scheduled_is_told_at_its_field(
    services: Services, raw: dict[str, object], field: str, words: str
) -> None:
    services.schedules.save({"account": "GROUPS"})
    with pytest.raises(InvalidInput) as found:
        services.schedules.save(raw)
    assert words in found.value.errors[field]


def test_an_edit_keeps_what_is_due_and_the_older_form_is_refused(
    services: Services, clock: Clock
) -> None:
    seen = services.schedules.save({"account": "RES", "every": 60})
    claimed(services)
    clock.forward(minutes=10)
    services.schedules.save({"account": "RES", "every": 90}, "RES", seen.version)
    assert row(services).next_run_at == START + timedelta(minutes=60)
    services.schedules.save({"account": "RES", "every": 5}, "RES")
    assert row(services).next_run_at == START + timedelta(minutes=15)
    with pytest.raises(Stale, match="changed the schedule of RES today"):
        services.schedules.save({"account": "RES", "every": 7}, "RES", seen.version)
    with pytest.raises(InvalidInput, match="cannot be changed"):
        services.schedules.save({"account": "GROUPS", "every": 7}, "RES")


def test_off_neither_runs_nor_alarms_and_on_runs_at_once(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES"})
    services.schedules.switch("res", on=False)
    clock.forward(days=2)
    [line] = services.schedules.list()
    assert (line.enabled, line.next_run, line.alarm) == (False, None, None)
    assert claimed(services) == []
    services.schedules.switch("RES", on=True)
    assert claimed(services) == ["RES"]


def test_a_schedule_goes_with_its_account_and_alone(services: Services) -> None:
    services.schedules.save({"account": "RES"})
    services.schedules.save({"account": "GROUPS"})
    assert services.schedules.candidates() == []
    services.schedules.delete("groups")
    assert services.schedules.candidates() == ["GROUPS"]
    assert "its schedule" in services.accounts.deletion("RES")[0]
    services.accounts.delete("RES")
    assert services.schedules.list() == []
    with pytest.raises(NotFound):
        services.schedules.get("RES")


# ------------------------------------------------------------------ taking up


def test_a_night_without_a_worker_is_made_up_for_by_one_run(
    services: Services, clock: Clock
) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    clock.forward(hours=10, minutes=2)
    assert claimed(services) == ["RES"]
    assert row(services).next_run_at == START + timedelta(hours=10, minutes=5)
    assert claimed(services) == []


def test_two_workers_never_take_up_one_due_time(
    services: Services, clock: Clock, tmp_path: Path
) -> None:
    services.schedules.save({"account": "RES"})
    services.schedules.save({"account": "GROUPS"})
    other = services_in(tmp_path, clock)
    assert claimed(services, 1) + claimed(other, 9) == ["RES", "GROUPS"]
    other.close()


def test_what_somebody_imports_just_now_is_left_alone(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    begin(services, clock)
    assert claimed(services) == []
    assert row(services).next_run_at == START + timedelta(minutes=5)


def test_a_run_whose_program_died_is_ended_and_taken_over(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES", "every": 600})
    claimed(services)
    begin(services, clock)
    clock.forward(seconds=LEASE.total_seconds() - 1)
    assert claimed(services) == []
    clock.forward(seconds=1)
    assert claimed(services) == ["RES"]
    with services.store.read() as session:
        run = session.exec(select(ImportRunRow)).one()
    assert (run.state, run.claim) == ("failed", 2)


def test_an_account_that_does_not_import_any_more_is_left_alone_and_shown(
    services: Services,
) -> None:
    services.schedules.save({"account": "RES"})
    account = services.accounts.get("RES")
    raw = imap_raw("RES")
    raw["importing"]["enabled"] = False
    save(services, raw, of=account.id)
    assert claimed(services) == []
    [line] = services.schedules.list()
    assert line.alarm is not None
    assert line.alarm.words == "account does not import"


# ------------------------------------------------------------------ alarms and history


def test_failing_since_the_first_failure_until_a_success(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES"})
    end(services, clock, RunState.FAILED)
    clock.forward(minutes=5)
    end(services, clock, RunState.FAILED)
    end(services, clock, RunState.CANCELLED)
    claimed(services)
    [line] = services.schedules.list()
    assert line.alarm is not None
    assert (line.alarm.words, line.alarm.since) == ("failing", START)
    [about] = [a for a in services.account_list.lines() if a.name == "RES"]
    assert (about.alarm, about.next_run) == (line.alarm, line.next_run)
    end(services, clock, RunState.DONE)
    assert services.schedules.list()[0].alarm is None


def test_no_run_for_too_long_is_an_alarm_until_one_ends(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    clock.forward(minutes=15)
    assert services.schedules.list()[0].alarm is None
    clock.forward(seconds=1)
    [line] = services.schedules.list()
    assert line.alarm is not None
    assert (line.alarm.words, line.alarm.since) == ("no run", START)
    claimed(services)
    assert services.schedules.list()[0].alarm is not None, "taken up is not yet done"
    claims, claim = begin(services, clock)
    assert services.schedules.list()[0].alarm is None, "it is being done"
    claims.finish(claim, RunState.DONE, Counts())
    assert services.schedules.list()[0].alarm is None


def test_a_mailbox_that_is_never_free_alarms_too(services: Services, clock: Clock) -> None:
    services.schedules.save({"account": "RES", "every": 5})
    limited = imap_raw("RES") | {"limit": {"limit_to": 1}}
    save(services, limited, of=services.accounts.get("RES").id)
    from services.config import Config
    from services.protocols.base import Surroundings

    mailbox = services.accounts.get("RES").settings.mailbox()
    for _ in range(12):
        with services.connections.hold(mailbox, "test", "OTHER"):
            for due in services.sweep.claim(1):
                assert services.sweep.run(due, Surroundings(Config())) is None
        soon = row(services).next_run_at
        assert soon is not None
        assert soon <= clock() + timedelta(minutes=5)
        clock.forward(minutes=1, seconds=30)
    [line] = services.schedules.list()
    assert line.alarm is not None
    assert (line.alarm.words, line.alarm.since) == ("no run", START)
    assert line.last is None, "what gave way leaves no run behind"


def test_history_is_paged_newest_first(services: Services, clock: Clock) -> None:
    for _ in range(5):
        end(services, clock, RunState.DONE)
        clock.forward(minutes=5)
    end(services, clock, RunState.DONE, "GROUPS")
    which = services.accounts.get("RES").id
    first = services.schedules.history(which, limit=3)
    second = services.schedules.history(which, first.next, limit=3)
    starts = [run.started_at for run in (*first.rows, *second.rows)]
    assert starts == sorted(starts, reverse=True)
    assert (len(starts), second.next) == (5, None)
    assert {run.counts.accounted for run in first.rows} == {3}
