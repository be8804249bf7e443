"""`tourmail contact-type`, `queue`, `user` and every further code table: one set of commands."""

from typing import Any

import typer

from models.codes import CodeTable
from models.fields import Section
from services.codes import Record, code_table
from tui.cli.ask import agree_to_delete
from tui.cli.common import Filter, Json, Yes, group, opened
from tui.cli.fields import FieldOption, fields_of
from tui.cli.options import Given, Key, keyed, takes
from tui.cli.output import say, tell_deleted, unless, write_fields, write_json, write_table
from tui.cli.shown import as_json, as_pairs


def app(name: str) -> typer.Typer:
    """Return the commands of the code table that is named."""
    table = code_table(name)
    noun = group(f"{table.title}.")
    every = list(fields_of(table.form))
    noun.command("list", help=f"List {table.title}.")(_list(table, every))
    noun.command("show", help=f"Show one {table.noun}.")(keyed(_show(table, every), every[0]))
    noun.command("add", help=f"Add a {table.noun}.")(keyed(_add(table, every), every[0]))
    noun.command("edit", help="Change what is named, and nothing else.")(
        keyed(_edit(table, every), every[0])
    )
    noun.command("delete", help=f"Delete a {table.noun} that nothing refers to.")(
        keyed(_delete(table), every[0])
    )
    return noun


def _list(table: CodeTable, every: list[FieldOption]) -> Any:
    def run(text: Filter = "", json: Json = False) -> None:
        with opened() as services:
            records = services.codes.list(table.key, text)
        if json:
            write_json([_json(every, record) for record in records])
            return
        rows = [[words for _label, words in _pairs(every, record.values)] for record in records]
        titles = [option.info.title or option.word for option in every]
        write_table(titles, rows, unless(text, table.noun, f"There is no {table.noun} yet."))

    return run


def _show(table: CodeTable, every: list[FieldOption]) -> Any:
    def run(key: Key, json: Json = False) -> None:
        with opened() as services:
            record = services.codes.get(table.key, key)
        if json:
            write_json(_json(every, record))
        else:
            write_fields(_pairs(every, record.values))

    return run


def _add(table: CodeTable, every: list[FieldOption]) -> Any:
    @takes(every[1:], {table.key_field: table.key_field.upper()})
    def run(key: Key, given: Given, json: Json = False) -> None:
        with opened() as services:
            record = services.codes.save(table.key, given.into({table.key_field: key}))
        _tell_saved(every, record, json=json)

    return run


def _edit(table: CodeTable, every: list[FieldOption]) -> Any:
    @takes(every[1:], {table.key_field: table.key_field.upper()})
    def run(key: Key, given: Given, json: Json = False) -> None:
        with opened() as services:
            old = services.codes.get(table.key, key)
            raw = given.into(dict(old.values))
            record = services.codes.save(table.key, raw, old.key, old.version)
        _tell_saved(every, record, json=json)

    return run


def _delete(table: CodeTable) -> Any:
    def run(key: Key, yes: Yes = False, json: Json = False) -> None:
        with opened() as services:
            found = services.codes.get(table.key, key)
            agree_to_delete(f"Delete the {table.noun} {found.key}?", yes=yes)
            services.codes.delete(table.key, found.key, found.version)
        tell_deleted(found.key, json=json)

    return run


def _tell_saved(every: list[FieldOption], record: Record, *, json: bool) -> None:
    say(f"Saved {record.key}.")
    if json:
        write_json(_json(every, record))


def _json(every: list[FieldOption], record: Record) -> dict[str, Any]:
    return as_json(every, {"": record.values})


def _pairs(every: list[FieldOption], values: Section) -> list[tuple[str, str]]:
    return list(as_pairs(every, {"": values}))
