"""`tourmail schedule`, and the worker that keeps to it."""

from datetime import datetime

import pytest

from services.bootstrap import Services
from tests.servers.mailbox import Mailbox
from tests.stores import imap_raw, save
from tests.tui.cli.conftest import CommandLine
from tests.tui.cli.test_import import desk, mail

__all__ = ["desk"]


@pytest.fixture
def res(codes: CommandLine, services: Services) -> CommandLine:
    """The command line with an importing account RES."""
    save(services, imap_raw("RES"))
    return codes


def test_a_schedule_is_set_changed_and_listed(res: CommandLine) -> None:
    made = res.done("schedule", "set", "res", "--every", "5", "--json").json
    assert made == {"account": "RES", "enabled": True, "every": 5, "cron": "", "zone": ""}
    ended = res.done("schedule", "set", "RES", "--cron", "0 7 * * 1-5", "--zone", "Europe/Berlin")
    assert ended.err == "RES: 0 7 * * 1-5 (Europe/Berlin), on.\n"
    [line] = res.done("schedule", "list", "--json").json
    assert (line["account"], line["every"], line["zone"]) == ("RES", None, "Europe/Berlin")
    assert datetime.fromisoformat(line["next_run"]).tzinfo is not None
    assert (line["last"], line["alarm"]) == (None, None)
    assert "0 7 * * 1-5" in res.done("schedule", "list").out
    assert res.done("schedule", "set", "RES", "--every", "9", "--json").json["cron"] == ""


def test_a_schedule_is_turned_off_and_on_and_deleted(res: CommandLine) -> None:
    res.done("schedule", "set", "RES", "--every", "5", "--disable")
    assert res.done("schedule", "list", "--json").json[0]["next_run"] is None
    assert res.done("schedule", "enable", "res", "--json").json["enabled"] is True
    res.done("schedule", "set", "RES", "--every", "6")
    assert res.done("schedule", "disable", "RES", "--json").json["enabled"] is False
    assert res.done("schedule", "set", "RES", "--enable", "--json").json["every"] == 6
    res.done("schedule", "delete", "RES")
    assert res.done("schedule", "list", "--json").json == []
    assert "No account has a schedule yet" in res.done("schedule", "list").err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("set", "RES", "--every", "0"), "--every: At least 1."),
        (("set", "RES", "--cron", "61 * * * *"), "--cron: The minute 61 is not one"),
        (("set", "RES", "--zone", "Europe/Berlin"), "--cron: Enter a cron expression"),
        (("set", "RES", "--cron", "0 7 * * *", "--zone", "Mars"), "--zone: This is not the name"),
        (("set", "RES", "--every", "5", "--cron", "0 7 * * *"), "--cron: Give either"),
        (("set", "NOBODY", "--every", "5"), "NAME: There is no account NOBODY."),
        (("enable", "RES"), "RES has no schedule."),
        (("history", "NOBODY"), "NOBODY"),
    ],
)
def test_what_is_wrong_is_told_by_its_option(
    res: CommandLine, args: tuple[str, ...], words: str
) -> None:
    ended = res("schedule", *args)
    assert ended.code in (1, 2)
    assert words in ended.err
    assert res.done("schedule", "list", "--json").json == []


def test_a_worker_imports_by_schedule_and_history_adds_up(
    desk: CommandLine, mailbox: Mailbox
) -> None:
    mailbox.append(mail("ann@alp.test"))
    desk.done("schedule", "set", "RES", "--every", "5")
    done = desk.done("worker", "--once", "--json").json
    assert (done["imports"], done["imports_failed"]) == (1, 0)
    assert desk.done("worker", "--once", "--json").json["imports"] == 0
    assert desk.done("schedule", "run", "RES", "--json").json["known"] == 1
    newest, first = desk.done("schedule", "history", "RES", "--json").json
    assert (first["trigger"], newest["trigger"]) == ("schedule", "command")
    assert (first["imported"], newest["known"]) == (1, 1)
    for run in (newest, first):
        parts = ("before_start", "known", "imported", "skipped", "errors", "gone")
        assert run["server_count"] == sum(run[name] for name in parts) == 1
    table = desk.done("schedule", "history", "RES").out
    assert [line.split()[2] for line in table.splitlines()[1:]] == ["command", "schedule"]
    assert "done: 0 imported, 0 skipped, 0 errors" in desk.done("schedule", "list").out


def test_a_failing_schedule_raises_an_alarm(desk: CommandLine) -> None:
    desk.done("account", "edit", "RES", "--password-file", "-", stdin="wrong")
    desk.done("schedule", "set", "RES", "--every", "5")
    ended = desk("worker", "--once", "--json")
    assert (ended.code, ended.json["imports_failed"]) == (1, 1)
    assert ended.err.startswith("RES: ")
    [line] = desk.done("schedule", "list", "--json").json
    assert line["alarm"]["words"] == "failing"
    assert line["last"]["state"] == "failed"
    assert "failing today" in desk.done("schedule", "list").out
