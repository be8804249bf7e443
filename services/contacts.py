"""Agents and suppliers with their contacts: by screen, by command, and in bulk from CSV."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_
from sqlmodel import Session, col, delete, select

from models.account import ContactSide
from models.codes import ContactTypeRow
from models.contacts import ContactForm, ContactRow, PartyForm, PartyRow
from models.fields import address_key, name_key
from services.codes import used_by
from services.contact_file import Entry, parse
from services.errors import InUse, InvalidInput, NotFound, Stale
from services.forms import check
from services.paging import Page
from services.store.engine import Store


@dataclass(frozen=True)
class PartyLine:
    """An agent or supplier as a list shows it."""

    code: str
    name: str
    contacts: int


@dataclass(frozen=True)
class Party:
    """A saved agent or supplier, detached from the store."""

    kind: str
    form: PartyForm
    version: int


@dataclass(frozen=True)
class KnownContact:
    """What the judge needs to know of somebody who wrote."""

    id: int
    name: str
    side: ContactSide
    contact_type_id: int
    contact_type: str
    party: str
    """Code and name, for the reason in words."""


@dataclass(frozen=True)
class LoadResult:
    """What a bulk load did, counted in contacts."""

    added: int
    updated: int
    unchanged: int
    removed: int


class ContactService:
    """Keeps agents, suppliers and their contacts. `kind` is ``agent`` or ``supplier``."""

    def __init__(self, store: Store) -> None:
        """Take the store that they lie in."""
        self._store = store

    def list(
        self, kind: str, text: str = "", after: str | None = None, limit: int = 200
    ) -> Page[PartyLine]:
        """Return a page in the order of codes; `text` is sought in codes, names and addresses."""
        number = (
            select(func.count())
            .select_from(ContactRow)
            .where(col(ContactRow.party_id) == PartyRow.id)
            .scalar_subquery()
        )
        statement = _filtered(select(PartyRow.code, PartyRow.name, number), kind, text)
        if after is not None:
            statement = statement.where(col(PartyRow.code) > after)
        with self._store.read() as session:
            found = session.exec(statement.order_by(col(PartyRow.code)).limit(limit + 1)).all()
        rows = [PartyLine(*row) for row in found[:limit]]
        return Page(rows, rows[-1].code if len(found) > limit else None)

    def count(self, kind: str, text: str = "") -> int:
        """Return how many a list with this filter has."""
        with self._store.read() as session:
            statement = _filtered(select(func.count()).select_from(PartyRow), kind, text)
            return int(session.exec(statement).one())

    def get(self, kind: str, code: str) -> Party:
        """Return one with its contacts. Raises NotFound."""
        with self._store.read() as session:
            return _party(session, _row(session, kind, code))

    def save(
        self,
        kind: str,
        raw: Mapping[str, Any],
        code: str | None = None,
        seen_version: int | None = None,
    ) -> Party:
        """Save a new one, or the changes of the one with `code`, contacts included.

        Raises InvalidInput, NotFound, Stale.
        """
        form = check(PartyForm, raw)
        with self._store.write() as session:
            row = _new_row(session, kind, form) if code is None else _row(session, kind, code)
            if code is not None and form.code != row.code:
                raise InvalidInput({"code": "Code cannot be changed once saved."})
            if seen_version is not None and row.version != seen_version:
                raise Stale(
                    f"Somebody else has changed the {kind} {row.code} since you opened it.",
                    "Open it again to see the change; nothing was saved.",
                )
            row.name, row.version = form.name, row.version + 1
            session.add(row)
            session.flush()
            _replace_contacts(session, row, form.contacts)
            return _party(session, row)

    def delete(self, kind: str, code: str) -> None:
        """Delete one with its contacts; mail that came from them stays. Raises NotFound, InUse."""
        with self._store.write() as session:
            row = _row(session, kind, code)
            users = [user for user in used_by(session, row) if "contact" not in user]
            if users:
                raise InUse(f"The {kind} {code} is in use by {', '.join(users)}.")
            session.delete(row)

    def load(self, lines: Iterable[str]) -> LoadResult:
        """Load contacts from CSV with the columns kind, code, name, contact, email, type.

        For each agent or supplier and address in the file, the file's contacts replace those that
        are stored, so that loading the same file again changes nothing. All or nothing.
        Raises InvalidInput with every bad line by number.
        """
        entries = parse(lines)
        with self._store.write() as session:
            return _upsert(session, entries)


def known_senders(
    session: Session, keys: Collection[str]
) -> dict[str, list[KnownContact]]:  # fmt: skip
    """Return the contacts behind addresses in `address_key` form; unknown ones are left out."""
    statement = (
        select(ContactRow, PartyRow, ContactTypeRow)
        .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
        .join(ContactTypeRow, col(ContactTypeRow.id) == ContactRow.contact_type_id)
        .where(col(ContactRow.email_key).in_(set(keys)))
        .order_by(col(ContactRow.id))
    )
    found: dict[str, list[KnownContact]] = {}
    for contact, party, contact_type in session.exec(statement):
        found.setdefault(contact.email_key, []).append(
            KnownContact(
                contact.id or 0,
                contact.name,
                ContactSide(party.kind),
                contact.contact_type_id,
                contact_type.code,
                f"{party.code} {party.name}",
            )
        )
    return found


def _filtered(statement: Any, kind: str, text: str) -> Any:
    statement = statement.where(col(PartyRow.kind) == kind)
    if not text:
        return statement
    by_address = select(ContactRow.party_id).where(
        col(ContactRow.email_key).contains(address_key(text), autoescape=True)
    )
    return statement.where(
        or_(
            col(PartyRow.code).icontains(text, autoescape=True),
            col(PartyRow.name).icontains(text, autoescape=True),
            col(PartyRow.id).in_(by_address),
        )
    )


def _row(session: Session, kind: str, code: str) -> PartyRow:
    row: PartyRow | None = session.exec(_by_code(kind, code)).first()
    if row is None:
        raise NotFound(f"There is no {kind} {code}.")
    return row


def _by_code(kind: str, code: str) -> Any:
    return select(PartyRow).where(PartyRow.kind == kind, PartyRow.code == code.strip().upper())


def _new_row(session: Session, kind: str, form: PartyForm) -> PartyRow:
    if session.exec(_by_code(kind, form.code)).first() is not None:
        raise InvalidInput({"code": f"{form.code} exists already."})
    return PartyRow(kind=kind, code=form.code, name=form.name, version=0)


def _party(session: Session, row: PartyRow) -> Party:
    statement = (
        select(ContactRow, ContactTypeRow.code)
        .join(ContactTypeRow, col(ContactTypeRow.id) == ContactRow.contact_type_id)
        .where(ContactRow.party_id == row.id)
        .order_by(col(ContactRow.id))
    )
    contacts = tuple(
        ContactForm.model_construct(name=contact.name, email=contact.email, contact_type=code)
        for contact, code in session.exec(statement)
    )
    form = PartyForm.model_construct(code=row.code, name=row.name, contacts=contacts)
    return Party(row.kind, form, row.version)


def _replace_contacts(session: Session, row: PartyRow, contacts: Collection[ContactForm]) -> None:
    """Keep the rows that stay, since mail refers to them; remove and add the others."""
    types = _types(session)
    wanted = {}
    for place, contact in enumerate(contacts):
        type_id = types.get(name_key(contact.contact_type))
        if type_id is None:
            path = f"contacts.{place}.contact_type"
            raise InvalidInput({path: f"There is no contact type {contact.contact_type}."})
        wanted[address_key(contact.email), type_id] = contact
    _reconcile(session, row, wanted, scope=None)


def _types(session: Session) -> dict[str, int]:
    return {key: id_ for key, id_ in session.exec(select(ContactTypeRow.key, ContactTypeRow.id))
            if id_ is not None}  # fmt: skip


def _reconcile(
    session: Session,
    party: PartyRow,
    wanted: Mapping[tuple[str, int], ContactForm],
    scope: Collection[str] | None,
) -> LoadResult:
    """Make a party's contacts the wanted ones, within the addresses of `scope` (None: all)."""
    there = {
        (row.email_key, row.contact_type_id): row
        for row in session.exec(select(ContactRow).where(ContactRow.party_id == party.id))
        if scope is None or row.email_key in scope
    }
    surplus = [row.id for key, row in there.items() if key not in wanted]
    session.exec(delete(ContactRow).where(col(ContactRow.id).in_(surplus)))
    added = updated = 0
    for key, contact in wanted.items():
        row = there.get(key) or ContactRow(
            party_id=party.id or 0, email=contact.email, email_key=key[0], contact_type_id=key[1]
        )
        added += key not in there
        updated += key in there and (row.name, row.email) != (contact.name, contact.email)
        row.name, row.email = contact.name, contact.email
        session.add(row)
    session.flush()
    return LoadResult(added, updated, len(wanted) - added - updated, len(surplus))


def _upsert(session: Session, entries: Collection[Entry]) -> LoadResult:
    types = _types(session)
    errors = {
        f"line {entry.line}": f"type: There is no contact type {entry.contact.contact_type}."
        for entry in entries
        if entry.contact and name_key(entry.contact.contact_type) not in types
    }
    if errors:
        raise InvalidInput(errors)
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.kind, entry.party.code), []).append(entry)
    results = [_upsert_party(session, group, types) for group in groups.values()]
    return LoadResult(
        sum(r.added for r in results),
        sum(r.updated for r in results),
        sum(r.unchanged for r in results),
        sum(r.removed for r in results),
    )


def _upsert_party(session: Session, entries: list[Entry], types: Mapping[str, int]) -> LoadResult:
    kind, party = entries[-1].kind, entries[-1].party
    row = session.exec(_by_code(kind, party.code)).first()
    row = row or PartyRow(kind=kind, code=party.code, name=party.name, version=0)
    if row.version == 0 or row.name != party.name:
        row.name, row.version = party.name, row.version + 1
    session.add(row)
    session.flush()
    wanted = {
        (address_key(entry.contact.email), types[name_key(entry.contact.contact_type)]):
        entry.contact
        for entry in entries
        if entry.contact
    }  # fmt: skip
    return _reconcile(session, row, wanted, scope={key for key, _type in wanted})
