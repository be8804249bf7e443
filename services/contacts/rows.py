"""The rows of agents and suppliers with their contacts, and the detached value that faces see."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, delete, select

from models.codes import ContactTypeRow
from models.contacts import ContactForm, ContactRow, PartyForm, PartyRow, PartyTextRow
from models.fields import address_key, name_key
from models.history import Act
from services.changes.differences import differences
from services.changes.history import History
from services.chunks import chunks
from services.errors import InvalidInput, NotFound
from services.store.folding import party_text


@dataclass(frozen=True)
class Party:
    """A saved agent or supplier, detached from the store."""

    kind: str
    form: PartyForm
    version: int


@dataclass(frozen=True)
class LoadResult:
    """What a bulk load did, counted in contacts; and how many parties got another name."""

    added: int
    updated: int
    unchanged: int
    removed: int
    renamed: int = 0


def party_row(session: Session, kind: str, code: str, *, lock: bool = False) -> PartyRow:
    """Return one's row; what is to be changed is locked, so that versions hold."""
    statement = by_code(kind, code)
    row: PartyRow | None = session.exec(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound(f"There is no {kind} {code}.")
    return row


def by_code(kind: str, code: str) -> Any:
    """Return the statement that finds one."""
    return select(PartyRow).where(PartyRow.kind == kind, PartyRow.code == code.strip().upper())


def party_of(session: Session, row: PartyRow) -> Party:
    """Return one with its contacts, detached."""
    return party_value(row, contacts_of(session, [row])[row.id or 0], ContactTypes(session))


def contacts_of(session: Session, rows: Iterable[PartyRow]) -> dict[int, list[ContactRow]]:
    """Return the contacts of some agents and suppliers by the id of whose they are."""
    found: dict[int, list[ContactRow]] = {row.id: [] for row in rows if row.id is not None}
    statement = select(ContactRow).where(col(ContactRow.party_id).in_(found))
    for contact in session.exec(statement.order_by(col(ContactRow.id))):
        found[contact.party_id].append(contact)
    return found


class ContactTypes:
    """The contact types by both of their names: the id, and the code."""

    def __init__(self, session: Session) -> None:
        """Read all of them; they are few."""
        types = session.exec(select(ContactTypeRow)).all()
        self.ids = {row.key: row.id for row in types if row.id is not None}
        self.codes = {row.id: row.code for row in types}


def party_value(row: PartyRow, contacts: Iterable[ContactRow], types: ContactTypes) -> Party:
    """Return one detached, with these contacts."""
    forms = tuple(
        ContactForm.model_construct(
            name=one.name, email=one.email, contact_type=types.codes[one.contact_type_id]
        )
        for one in contacts
    )
    form = PartyForm.model_construct(code=row.code, name=row.name, contacts=forms)
    return Party(row.kind, form, row.version)


def replace_contacts(session: Session, row: PartyRow, contacts: Collection[ContactForm]) -> None:
    """Keep the rows that stay, since mail refers to them; remove and add the others."""
    types = ContactTypes(session)
    wanted = {}
    for place, contact in enumerate(contacts):
        type_id = types.ids.get(name_key(contact.contact_type))
        if type_id is None:
            path = f"contacts.{place}.contact_type"
            raise InvalidInput({path: f"There is no contact type {contact.contact_type}."})
        wanted[address_key(contact.email), type_id] = contact
    reconcile(session, row, contacts_of(session, [row])[row.id or 0], wanted)
    session.flush()


def reconcile(
    session: Session,
    party: PartyRow,
    there: Iterable[ContactRow],
    wanted: Mapping[tuple[str, int], ContactForm],
) -> tuple[LoadResult, list[ContactRow]]:
    """Make the contacts that are there the wanted ones: by address and type, and what they are.

    Return what that did, and the contacts in their place. Nothing is flushed.
    """
    old = {(row.email_key, row.contact_type_id): row for row in there}
    surplus = [row.id for key, row in old.items() if key not in wanted]
    for some in chunks(surplus):
        session.exec(delete(ContactRow).where(col(ContactRow.id).in_(some)))
    updated = 0
    rows = {key: row for key, row in old.items() if key in wanted}
    for key, contact in wanted.items():
        row = old.get(key) or ContactRow(
            party_id=party.id or 0, email=contact.email, email_key=key[0], contact_type_id=key[1]
        )
        updated += key in old and (row.name, row.email) != (contact.name, contact.email)
        row.name, row.email = contact.name, contact.email
        session.add(row)
        rows[key] = row
    added = len(wanted.keys() - old.keys())
    result = LoadResult(added, updated, len(wanted) - added - updated, len(surplus))
    return result, list(rows.values())


def new_party(session: Session, history: History, kind: str, form: PartyForm) -> PartyRow:
    """Return the row of a new one, not yet added. Raises InvalidInput where its code is taken."""
    if session.exec(by_code(kind, form.code)).first() is not None:
        raise InvalidInput({"code": f"{form.code} exists already."})
    version = history.first_version(session, kind, form.code)
    return PartyRow(kind=kind, code=form.code, name=form.name, version=version)


def noted(
    session: Session, history: History, row: PartyRow, old: Party | None, new: Party
) -> Party:
    """Write down what a save made of one, and what it is found by; return it as it is now."""
    session.merge(PartyTextRow(party_id=row.id or 0, text=party_text(new.form)))
    changes = differences(PartyForm, old.form if old else None, new.form)
    if changes:
        row.version += 1
        act = Act.CHANGE if old else Act.INSERT
        history.note(session, act, row.kind, row.code, row.version, changes)
    return replace(new, version=row.version)
