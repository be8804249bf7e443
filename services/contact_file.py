"""The CSV file that contacts are loaded from in bulk: read whole, or refused line by line."""

import csv
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.account import ContactSide
from models.contacts import ContactForm, PartyForm
from services.errors import InvalidInput
from services.forms import check

CSV_COLUMNS = ("kind", "code", "name", "contact", "email", "type")


@dataclass(frozen=True)
class Entry:
    """One line of the file: a contact, or an agent or supplier without any."""

    line: int
    kind: str
    party: PartyForm
    contact: ContactForm | None


def parse(lines: Iterable[str]) -> list[Entry]:
    """Return the file's entries. Raises InvalidInput with every bad line by number."""
    entries, errors = [], {}
    reader = csv.DictReader(lines, strict=True)
    try:
        _refuse_columns(reader.fieldnames)
        for raw in reader:
            try:
                entries.append(_entry(reader.line_num, raw))
            except InvalidInput as error:
                words = "; ".join(f"{name}: {text}" for name, text in error.errors.items())
                errors[f"line {reader.line_num}"] = words
    except csv.Error as error:
        # The record that broke begins behind the last one that was read whole.
        errors[f"line {reader.line_num + 1}"] = f"This is not CSV: {error}."
    if errors:
        raise InvalidInput(errors)
    return entries


def _refuse_columns(names: Collection[str] | None) -> None:
    missing = [name for name in CSV_COLUMNS if name not in (names or ())]
    if missing:
        raise InvalidInput(
            {"line 1": f"Columns {', '.join(missing)} are missing; the first line names them: "
             f"{','.join(CSV_COLUMNS)}."}
        )  # fmt: skip


def _entry(line: int, raw: Mapping[str | None, Any]) -> Entry:
    if None in raw or None in raw.values():
        raise InvalidInput({"columns": f"There are not exactly {len(CSV_COLUMNS)} of them."})
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
