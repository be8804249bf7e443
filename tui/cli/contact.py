"""`tourmail contact`: the people at agents and suppliers, one by one or from a CSV file."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from models.contacts import ContactForm
from models.fields import address_key
from services.errors import InvalidInput, NotFound
from services.text import count
from tui.cli.ask import agree_to_delete
from tui.cli.common import Filter, Json, Yes, group, opened
from tui.cli.fields import fields_of
from tui.cli.options import Given, takes, told_by_option
from tui.cli.output import tell_deleted, unless, write, write_json, write_table
from tui.cli.party import tell_saved

if TYPE_CHECKING:
    from services.bootstrap import Services
    from services.contacts.lines import ContactLine
    from services.contacts.rows import Party

FIELDS = list(fields_of(ContactForm))

Kind = Annotated[Literal["agent", "supplier"], typer.Argument(help="Whose contact it is.")]
Code = Annotated[str, typer.Argument(metavar="CODE", help="The agent's or supplier's code.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The contact's present address.")]
OfType = Annotated[
    str | None,
    typer.Option("--of-type", metavar="TYPE", help="Which, where one address has several types."),
]
File = Annotated[str, typer.Argument(metavar="FILE.csv|-", help="The file; - for standard input.")]


def app(_name: str) -> typer.Typer:
    """Return the noun's commands."""
    noun = group("Contacts of agents and suppliers.")
    noun.command("list")(list_)
    noun.command("show")(show)
    noun.command("add")(add)
    noun.command("edit")(edit)
    noun.command("delete")(delete)
    noun.command("load")(load)
    return noun


def list_(text: Filter = "", json: Json = False) -> None:
    """List the contacts of all agents and suppliers."""
    from services.contacts.lines import contact_lines

    with opened() as services:
        lines = contact_lines(services.store, text)
    _tell(lines, unless(text, "contact", "There is no contact yet."), json=json)


def show(email: Email, json: Json = False) -> None:
    """Show whose contact an address is, and of which types."""
    from services.contacts.lines import contacts_at

    with opened() as services:
        lines = contacts_at(services.store, email)
    if not lines:
        raise NotFound(f"There is no contact {email}.")
    _tell(lines, "", json=json)


@takes(FIELDS)
def add(kind: Kind, code: Code, given: Given, json: Json = False) -> None:
    """Add a contact to an agent or supplier."""
    with opened() as services:
        party = services.contacts.get(kind, code)
        contacts = [*_raw(party), given.into({})]
        saved = _save(services, party, contacts, len(contacts) - 1)
    tell_saved(saved, json=json)


@takes(FIELDS)
def edit(
    kind: Kind,
    code: Code,
    email: Email,
    given: Given,
    of_type: OfType = None,
    json: Json = False,
) -> None:
    """Change what is named of a contact, and nothing else."""
    with opened() as services:
        party = services.contacts.get(kind, code)
        contacts, place = _raw(party), _place(party, email, of_type)
        given.into(contacts[place])
        saved = _save(services, party, contacts, place)
    tell_saved(saved, json=json)


def delete(
    kind: Kind,
    code: Code,
    email: Email,
    of_type: OfType = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete a contact; mail that came from it stays."""
    with opened() as services:
        party = services.contacts.get(kind, code)
        contacts, place = _raw(party), _place(party, email, of_type)
        agree_to_delete(f"Delete the contact {email} of {party.form.name}?", yes=yes)
        del contacts[place]
        _save(services, party, contacts, None)
    tell_deleted(email, json=json)


def load(file: File, json: Json = False) -> None:
    """Load contacts from CSV: kind (agent|supplier), code, name, contact, email, type.

    All or nothing; loading the same file again changes nothing.
    """
    with opened() as services, _lines_of(file) as lines, told_by_option({"file": "FILE.csv"}):
        result = services.contacts.load(lines)
    if json:
        write_json(asdict(result))
        return
    numbers = asdict(result)
    renamed = numbers.pop("renamed")
    told = ", ".join(f"{number} {what}" for what, number in numbers.items())
    also = count(renamed, "agent or supplier", "agents or suppliers")
    write([f"{told}. {also} renamed." if renamed else f"{told}."])


@contextmanager
def _lines_of(file: str) -> Iterator[Iterator[str]]:
    """Open a file as numbered lines. Raises InvalidInput where it cannot be read."""
    with ExitStack() as stack:
        if file == "-":
            yield _decoded(sys.stdin.buffer)
            return
        try:
            source = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise InvalidInput({"FILE.csv": f"{file} cannot be read: {error.strerror}."}) from error
        yield _decoded(source)


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines as text; what is none in lone surrogates, for the reader to refuse."""
    for number, line in enumerate(lines, 1):
        yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def _raw(party: "Party") -> list[dict[str, Any]]:
    return [contact.model_dump() for contact in party.form.contacts]


def _place(party: "Party", email: str, of_type: str | None) -> int:
    """Return which of a party's contacts is meant. Raises NotFound, InvalidInput."""
    found = {
        place: contact.contact_type
        for place, contact in enumerate(party.form.contacts)
        if address_key(contact.email) == address_key(email)
        and of_type in (None, contact.contact_type)
    }
    if not found:
        raise NotFound(f"{party.form.code} has no contact {email}.")
    if len(found) > 1:
        types = ", ".join(found.values())
        raise InvalidInput({"--of-type": f"Name one of the types that {email} has: {types}."})
    return next(iter(found))


def _save(
    services: "Services", party: "Party", contacts: list[dict[str, Any]], place: int | None
) -> "Party":
    raw = {"code": party.form.code, "name": party.form.name, "contacts": contacts}
    words = {f"contacts.{place}.{name}": name for name in ContactForm.model_fields}
    with told_by_option(words | {"contacts": "email"}):
        return services.contacts.save(party.kind, raw, party.form.code, party.version)


def _tell(lines: "list[ContactLine]", empty: str, *, json: bool) -> None:
    if json:
        write_json([asdict(line) for line in lines])
        return
    titles = ("Kind", "Code", "Name", "Contact", "Email", "Type")
    write_table(titles, [tuple(asdict(line).values()) for line in lines], empty)
