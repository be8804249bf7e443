"""`tourmail history`: who changed what in Code Setup, when, from what to what."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.errors import InvalidInput, NotFound
from tui.cli.common import Filter, Json, opened, single
from tui.cli.listing import Limit, Rows
from tui.cli.output import unless, write_json_rows, write_table
from tui.cli.shown import moment

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.changes.history import Change

Kind = Annotated[str, typer.Argument(metavar="KIND", help="Of which kind of records.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of which one; a deleted one too.")]
TITLES = ("When", "Who", "Did", "Kind", "Name", "Field", "Old -> new")


def app(_name: str) -> typer.Typer:
    """Return the command."""
    return single(history)


def history(
    kind: Kind = "",
    name: Name = "",
    text: Filter = "",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Tell who changed a record, when and how, newest first; of secrets only that they changed.

    KIND is account, agent, supplier, queue, contact-type, user or schedule. Without KIND or NAME
    the changes of all of them are told.
    """
    from services.changes.history import NOUNS

    if kind and kind not in NOUNS:
        raise InvalidInput({"KIND": f"There is no {kind}; choose one of {', '.join(NOUNS)}."})
    with opened() as services:
        if name:
            _refuse_unheard_of(services, kind, name)
        changes = Rows(
            lambda after: services.history.list(kind, name, text, after), limit, json=json
        )
        if json:
            write_json_rows(_json(change) for change in changes)
        else:
            change = f"change of the {NOUNS[kind]} {name}" if name else "change"
            write_table(TITLES, _rows(changes), unless(text, change, f"No {change} is known."))


def _refuse_unheard_of(services: "Services", kind: str, name: str) -> None:
    """Raise NotFound for a record that neither is there nor ever was, so far as is known."""
    if services.history.list(kind, name, limit=1).rows:
        return
    others = {"account": services.accounts.get, "schedule": services.schedules.get}
    try:
        if kind in ("agent", "supplier"):
            services.contacts.get(kind, name)
        elif get := others.get(kind):
            get(name)
        else:
            services.codes.get(kind, name)
    except NotFound as error:
        words = "None of that name was ever changed or deleted either."
        raise NotFound(error.message, words) from error


def _rows(changes: "Iterable[Change]") -> Iterator[tuple[str, ...]]:
    """Yield a line for each field; what the line above says too is left out."""
    for change in changes:
        head = (moment(change.at), change.who, change.act, change.kind, change.name)
        for field in change.fields:
            yield (*head, field.title, field.change)
            head = ("", "", "", "", "")  # type: ignore[assignment]


def _json(change: "Change") -> dict[str, Any]:
    return asdict(change)
