"""Scheduled Tasks: when accounts are imported, how that goes, and whether somebody should look."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from models.fields import Section
from models.schedule import ScheduleForm
from models.work import RunState
from services.paging import Page as Rows
from services.schedules.rows import KIND
from services.schedules.service import RunLine, ScheduleLine
from services.text import count
from tui.screens.run_history import RunHistory
from tui.widgets.chrome import MessageLine, Notice
from tui.widgets.field_spec import Choices
from tui.widgets.glyphs import glyphs
from tui.widgets.list_page import ListPage
from tui.widgets.record_list import Column, RecordList, whole
from tui.widgets.record_page import RecordPage, Stored
from tui.widgets.settings_form import SettingsForm
from tui.widgets.times import ahead, alarm_words, short_clock

if TYPE_CHECKING:
    from services.bootstrap import Services

LOOK_SECONDS = 20.0
"""Between two looks at what the workers have done meanwhile."""


class Schedules(ListPage):
    """The schedule of every account that has one."""

    HELP = """A worker imports each account's mail at the times given here (tourmail worker). The
    alarm says since when imports fail, or that none has ended for too long: then no worker runs,
    or the mailbox never has a free connection. e turns a task off and on, r imports now, l shows
    what each import did, and h who changed the task."""
    NOUN: ClassVar[tuple[str, str]] = ("task", "tasks")
    EMPTY: ClassVar[str] = "No account is imported on a schedule yet: press n to insert one."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "Run"),
        Binding("e", "switch(False)", "Off"),
        Binding("e", "switch(True)", "On"),
        Binding("l", "log", "Log"),
    ]

    def on_mount(self) -> None:
        """Look again from time to time."""
        super().on_mount()
        self.set_interval(LOOK_SECONDS, self.action_reload)

    # ------------------------------------------------------------------ the list

    @property
    def kind(self) -> str:
        """Schedules."""
        return KIND

    def columns(self) -> Sequence[Column]:
        """Return when each account is imported, and how that went."""
        return [
            Column("Account", 0, lambda row: row.account, sort=lambda row: row.account.casefold()),
            Column("Every", 11, lambda row: row.form.words),
            Column("On", 2, lambda row: glyphs().yes if row.enabled else ""),
            Column("Next run", 12, lambda row: ahead(row.next_run, self._now), sort=_next),
            Column("Last", 12, self._last),
            Column("Alarm", 19, self._alarm, sort=lambda row: row.alarm is None),
        ]

    @property
    def _now(self) -> datetime:
        return self.console.services.now()

    def _last(self, row: ScheduleLine) -> tuple[str, str]:
        run = row.last
        if run is None:
            return "", ""
        when = short_clock(run.finished_at or run.started_at, self._now)
        return f"{when} {_result(run)}", "bad" if run.state is RunState.FAILED else ""

    def _alarm(self, row: ScheduleLine) -> tuple[str, str]:
        return alarm_words(row.alarm, self._now), "bad"

    def fetch(self, services: "Services", text: str, after: str | None, limit: int) -> Rows[Any]:
        """Return the schedules of the accounts that contain the text."""
        return whole(services.schedules.list(text))

    def key(self, row: ScheduleLine) -> Hashable:
        """Tell schedules apart by their account."""
        return row.account

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """Say how the last import went, and what is wrong."""
        self.refresh_bindings()
        self.describe(self.focused)

    def describe(self, widget: Widget | None) -> None:
        """Say it of the schedule under the cursor, whatever has the focus."""
        row, line = self.list.current, self.query_one(MessageLine)
        if row is None or line.flashing:
            super().describe(widget)
        else:
            line.show(Notice("warning" if row.alarm else "help", self._about(row)))

    def _about(self, row: ScheduleLine) -> str:
        parts = [alarm_words(row.alarm, self._now)]
        if row.last is not None:
            parts.append(row.last.message or told(row.last))
        elif row.alarm is None:
            parts.append("not imported yet")
        if row.form.every is None:
            parts.append(f"{row.form.cron} in {row.form.zone}")
        return f"{row.account}: {'; '.join(part for part in parts if part)}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is a schedule for."""
        if action in ("run", "switch", "log") and self.is_mounted:
            row: ScheduleLine | None = self.list.current
            return row is not None and (action != "switch" or parameters[0] is not row.enabled)
        return super().check_action(action, parameters)

    # ------------------------------------------------------------------ actions

    def form(self, row: ScheduleLine | None) -> "SchedulePage":
        """Return the form of a schedule."""
        return SchedulePage((*self.path, row.account if row else "Insert"), row)

    def question(self, services: "Services", row: ScheduleLine) -> str:
        """Say what stays."""
        return f"Stop importing {row.account} on a schedule? The account and its mail stay."

    def delete(self, services: "Services", row: ScheduleLine) -> None:
        """Delete the schedule."""
        services.schedules.delete(row.account, row.version)

    def words(self, row: ScheduleLine) -> str:
        """Return the schedule's name."""
        return f"The schedule of {row.account}"

    def action_run(self) -> None:
        """Import the account under the cursor now."""
        row = self.list.current
        if row is not None:
            self.start(self._run(row.account), group="run")

    async def _run(self, account: str) -> None:
        from tui.screens.import_run import import_now

        await import_now(self, account)
        self.list.reload()

    def action_switch(self, on: bool) -> None:
        """Turn the schedule under the cursor on or off."""
        row = self.list.current
        if row is not None:
            self.start(self._switch(row.account, on), group="switch", opens=True)

    async def _switch(self, account: str, on: bool) -> None:
        services = await self.services()
        await self.ask(lambda: services.schedules.switch(account, on=on))
        self.say("done", f"The schedule of {account} is {'on' if on else 'off'}.")
        self.list.reload()

    def action_log(self) -> None:
        """Show the imports of the account under the cursor."""
        row = self.list.current
        if row is not None:
            path = (*self.path, row.account, "Log")
            self.console.push_screen(RunHistory(path, row.account_id))


class SchedulePage(RecordPage):
    """One schedule."""

    HELP = "Ctrl+S saves. A new interval begins with an import at once."

    def __init__(self, path: tuple[str, ...], line: ScheduleLine | None) -> None:
        """Take the schedule as it was listed, None for a new one."""
        super().__init__(path, "", new=line is None)
        self.account = line.account if line else None

    @property
    def kind(self) -> str:
        """A schedule."""
        return KIND

    @property
    def record_name(self) -> str:
        """The account's name."""
        return self.account or ""

    @property
    def section(self) -> type[Section]:
        """What a schedule is."""
        return ScheduleForm

    @property
    def key_field(self) -> str:
        """The account."""
        return "account"

    def offered(self, services: "Services") -> Choices:
        """Offer the accounts that import and have no schedule yet."""
        names = [self.account] if self.account else services.schedules.candidates()
        return lambda _table: [(name, name) for name in names]

    def fetch(self, services: "Services") -> Stored:
        """Return the schedule as it is stored now."""
        schedule = services.schedules.get(self.record_name)
        return schedule.form, schedule.version

    def put(self, services: "Services", raw: Mapping[str, Any], seen: int | None) -> str:
        """Save the schedule."""
        return services.schedules.save(raw, self.account, seen).form.account

    def on_settings_form_changed(self, event: SettingsForm.Changed) -> None:
        """Lead past the cron expression where the minutes count."""
        follow(event.form)
        super().on_settings_form_changed(event)

    def begin(self, *args: Any, **more: Any) -> None:
        """Begin with the fields that count."""
        follow(self.forms()[0])
        super().begin(*args, **more)


def follow(form: SettingsForm) -> None:
    """Let the fields of cron be filled in only where cron counts."""
    for name in ("cron", "zone"):
        if form.raw()["every"] is None:
            form.free(name)
        else:
            form.fix(name)


def told(run: RunLine) -> str:
    """Return what an import did, in a clause."""
    done = run.counts
    parts = f"{done.imported:,} imported, {done.skipped:,} skipped, {count(done.errors, 'error')}"
    return f"{parts}, {done.known:,} known"


def _result(run: RunLine) -> str:
    if run.state is not RunState.DONE:
        return run.state.value
    return f"{run.counts.imported:,} new" if run.counts.imported else "ok"


def _next(row: ScheduleLine) -> str:
    return str(row.next_run or "~")
