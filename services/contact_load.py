"""Contacts in bulk: what a file says of each agent and supplier replaces what is stored of it."""

from collections.abc import Collection, Mapping

from sqlmodel import Session

from models.fields import address_key, name_key
from services.contact_file import Entry
from services.errors import InvalidInput
from services.history import History
from services.party_rows import (
    LoadResult,
    by_code,
    contact_types,
    new_party,
    noted,
    party_of,
    reconcile,
)


def load_contacts(session: Session, history: History, entries: Collection[Entry]) -> LoadResult:
    """Make what is stored agree with the entries. Raises InvalidInput at the lines at fault."""
    types = contact_types(session)
    _refuse_types(entries, types)
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.kind, entry.party.code), []).append(entry)
    results = [_load_party(session, history, group, types) for group in groups.values()]
    return LoadResult(
        sum(r.added for r in results),
        sum(r.updated for r in results),
        sum(r.unchanged for r in results),
        sum(r.removed for r in results),
    )


def _load_party(
    session: Session, history: History, entries: list[Entry], types: Mapping[str, int]
) -> LoadResult:
    kind, party = entries[-1].kind, entries[-1].party
    row = session.exec(by_code(kind, party.code).with_for_update()).first()
    old = party_of(session, row) if row else None
    row = row or new_party(session, history, kind, party)
    row.name = party.name
    session.add(row)
    session.flush()
    wanted = {
        (address_key(entry.contact.email), types[name_key(entry.contact.contact_type)]):
        entry.contact
        for entry in entries
        if entry.contact
    }  # fmt: skip
    result = reconcile(session, row, wanted, scope={key for key, _type in wanted})
    noted(session, history, row, old)
    return result


def _refuse_types(entries: Collection[Entry], types: Mapping[str, int]) -> None:
    errors = {
        f"line {entry.line}": f"type: There is no contact type {entry.contact.contact_type}."
        for entry in entries
        if entry.contact and name_key(entry.contact.contact_type) not in types
    }
    if errors:
        raise InvalidInput(errors)
