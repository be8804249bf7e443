"""The CSV file that contacts are loaded from in bulk: read whole, with what is wrong by line."""

import csv
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.account import ContactSide
from models.contacts import ContactForm, PartyForm
from services.errors import InvalidInput
from services.forms import check
from services.text import count

CSV_COLUMNS = ("kind", "code", "name", "contact", "email", "type")
TOLD = 20
"""Bad lines that are told one by one; who mends these finds what the others have in common."""
_WORDS = {
    "new-line character": "it holds a line end in the middle of a line, as no text does",
    "unexpected end": 'a " is opened and never closed',
    "expected after": 'text follows a closing "',
    "field limit": "a field has more than 131,072 characters",
}
"""What the module csv says, in part → the same for an admin."""
_NO_TEXT = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    """One line of the file: a contact, or an agent or supplier without any."""

    line: int
    kind: str
    party: PartyForm
    contact: ContactForm | None


@dataclass(frozen=True)
class Parsed:
    """What the file says, and what is wrong with other lines of it, by number."""

    entries: list[Entry]
    errors: dict[int, str]


def parse(lines: Iterable[str]) -> Parsed:
    """Return what the file says. Raises InvalidInput where its columns are not those of contacts.

    Bytes that are no text are expected as the lone surrogates of `surrogateescape`.
    """
    entries, errors = list[Entry](), dict[int, str]()
    reader = csv.DictReader(lines, strict=True)
    try:
        _refuse_columns(reader.fieldnames)
        for raw in reader:
            try:
                entries.append(_entry(reader.line_num, raw))
            except InvalidInput as error:
                words = "; ".join(f"{name}: {text}" for name, text in error.errors.items())
                errors[reader.line_num] = words
    except csv.Error as error:
        # The record that broke begins behind the last one that was read whole.
        errors[reader.line_num + 1] = _not_csv(str(error))
    return Parsed(entries, errors)


def _not_csv(words: str) -> str:
    """Say in our words what Python's reader of CSV says."""
    found = (ours for theirs, ours in _WORDS.items() if theirs in words)
    return f"This is not CSV: {next(found, 'it cannot be parted into columns')}."


def disagreeing(entries: Iterable[Entry]) -> dict[int, str]:
    """Return what is wrong with lines that name an agent or supplier unlike an earlier line."""
    first, errors = dict[tuple[str, str], Entry](), dict[int, str]()
    for entry in entries:
        other = first.setdefault((entry.kind, entry.party.code), entry)
        if entry.party.name != other.party.name:
            errors[entry.line] = (
                f"name: {entry.party.code} is {other.party.name} in line {other.line}."
            )
    return errors


def refuse(errors: Mapping[int, str]) -> None:
    """Raise InvalidInput with the first bad lines in order and the number of all, if any."""
    if not errors:
        return
    first = {f"line {number}": errors[number] for number in sorted(errors)[:TOLD]}
    wrong = f"{count(len(errors), 'line')} {'is' if len(errors) == 1 else 'are'} wrong"
    some = f", and {TOLD} are told" if len(errors) > TOLD else ""
    raise InvalidInput(first | {"file": f"{wrong}{some}; nothing was loaded."})


def _refuse_columns(names: Collection[str] | None) -> None:
    missing = [name for name in CSV_COLUMNS if name not in (names or ())]
    if missing:
        hint = " Part them by commas, not semicolons." if ";" in "".join(names or ()) else ""
        raise InvalidInput(
            {"line 1": f"Columns {', '.join(missing)} are missing; the first line names them: "
             f"{','.join(CSV_COLUMNS)}.{hint}"}
        )  # fmt: skip


def _entry(line: int, raw: Mapping[str | None, Any]) -> Entry:
    if None in raw or None in raw.values():
        raise InvalidInput({"columns": f"There are not exactly {len(CSV_COLUMNS)} of them."})
    for name, value in raw.items():
        if _NO_TEXT.search(value):
            raise InvalidInput({str(name): "This is not text in UTF-8."})
    kind = raw["kind"].strip().lower()
    if kind not in list(ContactSide):
        raise InvalidInput({"kind": "Choose one of agent, supplier."})
    party = check(PartyForm, {"code": raw["code"], "name": raw["name"]})
    if not any(raw[name].strip() for name in ("contact", "email", "type")):
        return Entry(line, kind, party, None)
    values = {"name": raw["contact"], "email": raw["email"], "contact_type": raw["type"]}
    try:
        return Entry(line, kind, party, check(ContactForm, values))
    except InvalidInput as error:
        columns = {"name": "contact", "contact_type": "type"}
        raise InvalidInput({columns.get(k, k): v for k, v in error.errors.items()}) from error
