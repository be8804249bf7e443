"""`tourmail schedule`: when accounts are imported."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.errors import InvalidInput, NotFound
from services.text import count
from tui.cli.common import Filter, Json, group, opened
from tui.cli.importing import Reconcile, import_
from tui.cli.options import told_by_option
from tui.cli.output import say, unless, write_json, write_table
from tui.cli.shown import moment, yes_no

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.schedules.service import RunLine, Schedule, ScheduleLine

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account whose mail is imported.")]
Every = Annotated[
    str | None, typer.Option("--every", metavar="N", help="Import every so many minutes.")
]
Cron = Annotated[
    str | None,
    typer.Option("--cron", metavar="EXPR", help="Import at these times: '0 7-18 * * 1-5'."),
]
Zone = Annotated[
    str | None,
    typer.Option("--zone", metavar="ZONE", help="Whose clock EXPR means; this host's by default."),
]
Enabled = Annotated[
    bool | None,
    typer.Option("--enable/--disable", help="Turn it on or off.", show_default=False),
]
OPTIONS = {"account": "NAME", "every": "--every", "cron": "--cron", "zone": "--zone"}


def app(_name: str) -> typer.Typer:
    """Return the commands."""
    noun = group("Scheduled tasks: when accounts are imported.")
    noun.command("list", help="List the schedules: times, next run, last result, alarm.")(_list)
    noun.command("set", help="Give an account a schedule, or change what is named of it.")(_set)
    noun.command("run", help="Import an account now, as its schedule would.")(_run)
    noun.command("enable", help="Turn a schedule on.")(_enable)
    noun.command("disable", help="Turn a schedule off; it keeps its times.")(_disable)
    noun.command("delete", help="Delete a schedule; account and mail stay.")(_delete)
    noun.command("history", help="List an account's imports, newest first.")(_history)
    return noun


def _list(text: Filter = "", json: Json = False) -> None:
    with opened() as services:
        lines = services.schedules.list(text)
    if json:
        write_json([_json(line) for line in lines])
        return
    titles = ("Account", "Every", "On", "Next run", "Last", "Result", "Alarm")
    empty = unless(text, "schedule", "No account has a schedule yet.")
    write_table(titles, [_row(line) for line in lines], empty)


def _set(
    name: Name,
    every: Every = None,
    cron: Cron = None,
    zone: Zone = None,
    enabled: Enabled = None,
    json: Json = False,
) -> None:
    given = {"every": every, "cron": cron, "zone": zone, "enabled": enabled}
    with opened() as services, told_by_option(OPTIONS):
        if every is not None and cron is not None:
            raise InvalidInput({"cron": "Give either --every or --cron."})
        _told(_save(services, name, given), json=json)


def _save(services: "Services", name: str, given: dict[str, Any]) -> "Schedule":
    """Save what was given over what is there."""
    try:
        old = services.schedules.get(name)
    except NotFound:
        old = None
    raw: dict[str, Any] = old.form.model_dump() if old else {"account": name}
    raw |= {field: value for field, value in given.items() if value is not None}
    if given["cron"] is not None or (given["zone"] is not None and given["every"] is None):
        raw["every"] = None
    return services.schedules.save(
        raw, old.form.account if old else None, old.version if old else None
    )


def _told(saved: "Schedule", *, json: bool) -> None:
    form = saved.form
    zone = f" ({form.zone})" if form.every is None else ""
    say(f"{form.account}: {form.words}{zone}, {'on' if form.enabled else 'off'}.")
    if json:
        write_json(form.model_dump())


def _run(name: Name, reconcile: Reconcile = False, json: Json = False) -> None:
    import_(name, False, reconcile, json)


def _enable(name: Name, json: Json = False) -> None:
    with opened() as services:
        _told(services.schedules.switch(name, on=True), json=json)


def _disable(name: Name, json: Json = False) -> None:
    with opened() as services:
        _told(services.schedules.switch(name, on=False), json=json)


def _delete(name: Name, json: Json = False) -> None:
    with opened() as services:
        services.schedules.delete(name)
    say(f"{name} is imported on no schedule any more.")
    if json:
        write_json({"deleted": name})


def _history(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 50,
    json: Json = False,
) -> None:
    with opened() as services:
        account = services.accounts.get(name)
        runs = services.schedules.history(account.id, limit=limit).rows
    if json:
        write_json([_run_json(run) for run in runs])
        return
    titles = ("Started", "By", "Result", "Mailbox", *map(str.capitalize, _PARTS), "Why")
    write_table(titles, [_run_row(run) for run in runs], f"{account.name} was not imported yet.")


_PARTS = ("before", "known", "imported", "skipped", "errors", "gone")


def _run_row(run: "RunLine") -> tuple[str, ...]:
    counts = [f"{number:,}" for number in asdict(run.counts).values()]
    return (moment(run.started_at), run.trigger, run.state, *counts, run.message)


def _run_json(run: "RunLine") -> dict[str, Any]:
    found: dict[str, Any] = asdict(run)
    counts: dict[str, Any] = found.pop("counts")
    return found | counts


def _row(line: "ScheduleLine") -> tuple[str, ...]:
    last, alarm = line.last, line.alarm
    return (
        line.account,
        line.form.words,
        yes_no(line.enabled),
        moment(line.next_run),
        moment(last.started_at) if last else "",
        _result(last) if last else "",
        f"{alarm.words} {moment(alarm.since)}".strip() if alarm else "",
    )


def _result(run: "RunLine") -> str:
    done = run.counts
    parts = f"{done.imported:,} imported, {done.skipped:,} skipped, {count(done.errors, 'error')}"
    return f"{run.state}: {run.message or parts}"


def _json(line: "ScheduleLine") -> dict[str, Any]:
    found = line.form.model_dump() | {"next_run": line.next_run}
    found["last"] = _run_json(line.last) if line.last else None
    found["alarm"] = asdict(line.alarm) if line.alarm else None
    return found
