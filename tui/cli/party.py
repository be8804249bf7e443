"""`tourmail agent` and `tourmail supplier`: one set of commands for both."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from models.contacts import ContactForm, PartyForm
from services.text import count
from tui.cli.ask import agree_to_delete
from tui.cli.common import Filter, Json, Yes, group, opened
from tui.cli.fields import fields_of
from tui.cli.options import Given, Key, keyed, takes
from tui.cli.output import say, tell_deleted, unless, write_json, write_table
from tui.cli.shown import as_json

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.contacts.rows import Party
    from services.contacts.service import PartyLine

CODE, *OTHERS = fields_of(PartyForm, skip=["contacts"])
CONTACT = list(fields_of(ContactForm))


def app(name: str) -> typer.Typer:
    """Return the commands of ``agent`` or ``supplier``."""
    noun = group(f"{name.capitalize()}s, whose contacts' mail is imported.")
    noun.command("list", help=f"List the {name}s.")(_list(name))
    noun.command("show", help=f"Show one {name} and its contacts.")(keyed(_show(name), CODE))
    a_name = f"{'an' if name == 'agent' else 'a'} {name}"
    noun.command("add", help=f"Add {a_name}.")(keyed(_add(name), CODE))
    noun.command("edit", help=f"Rename {a_name}.")(keyed(_edit(name), CODE))
    noun.command("delete", help=f"Delete {a_name} and its contacts.")(keyed(_delete(name), CODE))
    return noun


def _list(kind: str) -> Any:
    def run(text: Filter = "", json: Json = False) -> None:
        with opened() as services:
            lines = list(_lines(services, kind, text))
        if json:
            write_json(
                [
                    {"code": line.code, "name": line.name, "contacts": line.contacts}
                    for line in lines
                ]
            )
            return
        rows = [(line.code, line.name, str(line.contacts)) for line in lines]
        empty = unless(text, kind, f"There is no {kind} yet.")
        write_table(("Code", "Name", "Contacts"), rows, empty)

    return run


def _lines(services: "Services", kind: str, text: str) -> "Iterator[PartyLine]":
    after = None
    while True:
        page = services.contacts.list(kind, text, after)
        yield from page.rows
        if page.next is None:
            return
        after = page.next


def _show(kind: str) -> Any:
    def run(key: Key, json: Json = False) -> None:
        with opened() as services:
            party = services.contacts.get(kind, key)
        if json:
            write_json(party_json(party))
            return
        say(f"{party.form.code} {party.form.name}")
        rows = [(c.name, c.email, c.contact_type) for c in party.form.contacts]
        write_table(("Contact", "Email", "Type"), rows, "It has no contacts yet.")

    return run


def _add(kind: str) -> Any:
    @takes(OTHERS, {"code": "CODE"})
    def run(key: Key, given: Given, json: Json = False) -> None:
        with opened() as services:
            party = services.contacts.save(kind, given.into({"code": key}))
        tell_saved(party, json=json)

    return run


def _edit(kind: str) -> Any:
    @takes(OTHERS, {"code": "CODE"})
    def run(key: Key, given: Given, json: Json = False) -> None:
        with opened() as services:
            old = services.contacts.get(kind, key)
            raw = given.into(old.form.model_dump())
            party = services.contacts.save(kind, raw, old.form.code, old.version)
        tell_saved(party, json=json)

    return run


def _delete(kind: str) -> Any:
    def run(key: Key, yes: Yes = False, json: Json = False) -> None:
        with opened() as services:
            found = services.contacts.get(kind, key)
            form = found.form
            goes = count(len(form.contacts), "contact")
            agree_to_delete(f"Delete the {kind} {form.code} {form.name} with {goes}?", yes=yes)
            services.contacts.delete(kind, form.code, found.version)
        tell_deleted(form.code, json=json)

    return run


def tell_saved(party: "Party", *, json: bool) -> None:
    """Say what was saved."""
    say(f"Saved {party.form.code}.")
    if json:
        write_json(party_json(party))


def party_json(party: "Party") -> dict[str, Any]:
    """Return an agent or supplier as programs read it."""
    contacts = [as_json(CONTACT, {"": contact}) for contact in party.form.contacts]
    return {"code": party.form.code, "name": party.form.name, "contacts": contacts}
