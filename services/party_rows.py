"""The rows of agents and suppliers with their contacts, and the detached value that faces see."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, delete, select

from models.codes import ContactTypeRow
from models.contacts import ContactForm, ContactRow, PartyForm, PartyRow
from models.fields import address_key, name_key
from models.history import Act
from services.differences import differences
from services.errors import InvalidInput, NotFound
from services.history import History


@dataclass(frozen=True)
class Party:
    """A saved agent or supplier, detached from the store."""

    kind: str
    form: PartyForm
    version: int


@dataclass(frozen=True)
class LoadResult:
    """What a bulk load did, counted in contacts."""

    added: int
    updated: int
    unchanged: int
    removed: int


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


def replace_contacts(session: Session, row: PartyRow, contacts: Collection[ContactForm]) -> None:
    """Keep the rows that stay, since mail refers to them; remove and add the others."""
    types = contact_types(session)
    wanted = {}
    for place, contact in enumerate(contacts):
        type_id = types.get(name_key(contact.contact_type))
        if type_id is None:
            path = f"contacts.{place}.contact_type"
            raise InvalidInput({path: f"There is no contact type {contact.contact_type}."})
        wanted[address_key(contact.email), type_id] = contact
    reconcile(session, row, wanted, scope=None)


def contact_types(session: Session) -> dict[str, int]:
    """Return the ids of the contact types by their keys."""
    return {key: id_ for key, id_ in session.exec(select(ContactTypeRow.key, ContactTypeRow.id))
            if id_ is not None}  # fmt: skip


def reconcile(
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


def new_party(session: Session, history: History, kind: str, form: PartyForm) -> PartyRow:
    """Return the row of a new one, not yet added. Raises InvalidInput where its code is taken."""
    if session.exec(by_code(kind, form.code)).first() is not None:
        raise InvalidInput({"code": f"{form.code} exists already."})
    version = history.first_version(session, kind, form.code)
    return PartyRow(kind=kind, code=form.code, name=form.name, version=version)


def noted(session: Session, history: History, row: PartyRow, old: Party | None) -> Party:
    """Write down what a save changed, and return what it is now."""
    new = party_of(session, row)
    changes = differences(PartyForm, old.form if old else None, new.form)
    if changes:
        row.version += 1
        act = Act.CHANGE if old else Act.INSERT
        history.note(session, act, row.kind, row.code, row.version, changes)
    return replace(new, version=row.version)
