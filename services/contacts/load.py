"""Contacts in bulk: what a file says of each agent and supplier replaces what is stored of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from sqlmodel import Session, col, select

from models.contacts import ContactForm, ContactRow, PartyForm, PartyRow
from models.fields import address_key, name_key
from services.changes.history import History
from services.chunks import chunks
from services.contacts.file import Entry, Parsed, disagreeing, refuse
from services.contacts.rows import (
    ContactTypes,
    LoadResult,
    contacts_of,
    noted,
    party_value,
    reconcile,
)

BATCH = 500
"""Agents and suppliers that are read and written together."""

Groups = Mapping[str, list[Entry]]
"""What the file says, by code; of one kind."""


def load_contacts(session: Session, history: History, parsed: Parsed) -> LoadResult:
    """Make what is stored agree with a file. Raises InvalidInput at the lines at fault."""
    types = ContactTypes(session)
    unknown = _unknown_types(parsed.entries, types)
    refuse(disagreeing(parsed.entries) | parsed.errors | unknown)
    kinds: dict[str, dict[str, list[Entry]]] = {}
    for entry in parsed.entries:
        kinds.setdefault(entry.kind, {}).setdefault(entry.party.code, []).append(entry)
    loads = [
        _Load(session, history, types, kind, {code: every[code] for code in codes})
        for kind, every in kinds.items()
        for codes in chunks(every, BATCH)
    ]
    results = [result for load in loads for result in load.run()]
    return LoadResult(
        sum(r.added for r in results),
        sum(r.updated for r in results),
        sum(r.unchanged for r in results),
        sum(r.removed for r in results),
        sum(r.renamed for r in results),
    )


class _Load:
    """One batch: read in three queries, compared in memory, written at once."""

    def __init__(
        self, session: Session, history: History, types: ContactTypes, kind: str, groups: Groups
    ) -> None:
        self._session, self._history, self._types = session, history, types
        self._kind, self._groups = kind, groups

    def run(self) -> Iterator[LoadResult]:
        stored = self._stored()
        new = self._new(self._groups.keys() - stored.keys())
        contacts = contacts_of(self._session, stored.values())
        for code, entries in self._groups.items():
            row = stored.get(code) or new[code]
            yield self._party(row, contacts.get(row.id or 0, []), entries, known=code in stored)
        self._session.flush()

    def _stored(self) -> dict[str, PartyRow]:
        statement = select(PartyRow).where(
            PartyRow.kind == self._kind, col(PartyRow.code).in_(self._groups)
        )
        return {row.code: row for row in self._session.exec(statement.with_for_update())}

    def _new(self, codes: Iterable[str]) -> dict[str, PartyRow]:
        wanted = sorted(codes)
        versions = self._history.first_versions(self._session, self._kind, wanted)
        rows = {
            code: PartyRow(kind=self._kind, code=code, name=party.name, version=versions[code])
            for code in wanted
            for party in (self._form(code),)
        }
        self._session.add_all(rows.values())
        self._session.flush()
        return rows

    def _form(self, code: str) -> PartyForm:
        """Return what the file says of one itself, the same on each of its lines."""
        return self._groups[code][0].party

    def _party(
        self, row: PartyRow, there: list[ContactRow], entries: list[Entry], *, known: bool
    ) -> LoadResult:
        old = party_value(row, there, self._types) if known else None
        row.name = self._form(row.code).name
        wanted = dict(self._keyed(entries))
        addresses = {address for address, _type in wanted}
        named = [contact for contact in there if contact.email_key in addresses]
        result, now = reconcile(self._session, row, named, wanted)
        others = [contact for contact in there if contact.email_key not in addresses]
        new = party_value(row, [*others, *now], self._types)
        noted(self._session, self._history, row, old, new)
        return replace(result, renamed=int(old is not None and old.form.name != row.name))

    def _keyed(self, entries: Iterable[Entry]) -> Iterator[tuple[tuple[str, int], ContactForm]]:
        for contact in (entry.contact for entry in entries):
            if contact:
                type_id = self._types.ids[name_key(contact.contact_type)]
                yield (address_key(contact.email), type_id), contact


def _unknown_types(entries: Collection[Entry], types: ContactTypes) -> dict[int, str]:
    return {
        entry.line: f"type: There is no contact type {entry.contact.contact_type}."
        for entry in entries
        if entry.contact and name_key(entry.contact.contact_type) not in types.ids
    }
