"""Agents and suppliers with their contacts: by screen, by command, and in bulk from CSV."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from models.contacts import ContactRow, PartyForm, PartyRow
from models.history import Act
from services.changes.differences import differences
from services.changes.history import History
from services.codes import used_by
from services.contacts import people
from services.contacts.file import parse
from services.contacts.load import load_contacts
from services.contacts.people import Person
from services.contacts.rows import (
    LoadResult,
    Party,
    new_party,
    noted,
    party_of,
    party_row,
    replace_contacts,
)
from services.errors import InUse, InvalidInput
from services.forms import check
from services.paging import Page, cut, direction
from services.store.counting import counted
from services.store.engine import Store
from services.store.search import PARTIES, matching


@dataclass(frozen=True)
class PartyLine:
    """An agent or supplier as a list shows it."""

    code: str
    name: str
    version: int
    contacts: int


class ContactService:
    """Keeps agents, suppliers and their contacts. `kind` is ``agent`` or ``supplier``."""

    def __init__(self, store: Store, history: History) -> None:
        """Take the store that they lie in, and the history of what is done to them."""
        self._store, self._history = store, history

    def list(
        self, kind: str, text: str = "", after: str | None = None, limit: int = 200
    ) -> Page[PartyLine]:
        """Return a page in the order of codes; `text` is sought in codes, names and addresses.

        `after` is as `services.paging` says.
        """
        backwards, place = direction(after)
        number = (
            select(func.count())
            .select_from(ContactRow)
            .where(col(ContactRow.party_id) == PartyRow.id)
            .scalar_subquery()
        )
        code = col(PartyRow.code)
        statement = select(PartyRow.code, PartyRow.name, PartyRow.version, number)
        if place is not None:
            statement = statement.where(code < place if backwards else code > place)
        statement = statement.order_by(code.desc() if backwards else code).limit(limit + 1)
        with self._store.read() as session:
            found = session.exec(_filtered(session, statement, kind, text)).all()
        return cut([PartyLine(*row) for row in found], limit, backwards, lambda row: row.code)

    def count(self, kind: str, text: str = "") -> int:
        """Return how many a list with this filter has; above `COUNTED`, one more than that."""
        with self._store.read() as session:
            return counted(session, _filtered(session, select(PartyRow.id), kind, text))

    def people(self, text: str = "", after: str | None = None, limit: int = 200) -> Page[Person]:
        """Return contacts of all agents and suppliers, to choose whom to write to."""
        with self._store.read() as session:
            return people.page(session, text, after, limit)

    def get(self, kind: str, code: str) -> Party:
        """Return one with its contacts. Raises NotFound."""
        with self._store.read() as session:
            return party_of(session, party_row(session, kind, code))

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
            if code is None:
                row, old = new_party(session, self._history, kind, form), None
            else:
                row, old = self._to_change(session, kind, code, seen_version)
                if form.code != row.code:
                    raise InvalidInput({"code": "Code cannot be changed once saved."})
            row.name = form.name
            session.add(row)
            session.flush()
            replace_contacts(session, row, form.contacts)
            return noted(session, self._history, row, old, party_of(session, row))

    def delete(self, kind: str, code: str, seen_version: int | None = None) -> None:
        """Delete one with its contacts; mail that came from them stays.

        Raises NotFound, InUse, and Stale where somebody has changed it since `seen_version`.
        """
        with self._store.write() as session:
            row, old = self._to_change(session, kind, code, seen_version)
            users = [user for user in used_by(session, row) if "contact" not in user]
            if users:
                raise InUse(f"The {kind} {code} is in use by {', '.join(users)}.")
            gone = differences(PartyForm, old.form, None)
            self._history.note(session, Act.DELETE, kind, row.code, row.version + 1, gone)
            session.delete(row)

    def load(self, lines: Iterable[str]) -> LoadResult:
        """Load contacts from CSV with the columns kind, code, name, contact, email, type.

        For each agent or supplier and address in the file, the file's contacts replace those that
        are stored, so that loading the same file again changes nothing. All or nothing.
        Raises InvalidInput with the bad lines by number, `TOLD` at most, and how many there are.
        """
        parsed = parse(lines)
        with self._store.write() as session:
            return load_contacts(session, self._history, parsed)

    # ------------------------------------------------------------------ parts

    def _to_change(
        self, session: Session, kind: str, code: str, seen_version: int | None
    ) -> tuple[PartyRow, Party]:
        """Return one's row, locked, and what it is. Raises NotFound, Stale."""
        with self._history.telling_deletion(session, kind, code):
            row = party_row(session, kind, code, lock=True)
        self._history.refuse_stale(session, kind, row.code, row.version, seen_version)
        return row, party_of(session, row)


def _filtered(session: Session, statement: Any, kind: str, text: str) -> Any:
    sought = matching(session, PARTIES, text)
    column: Any = col(PartyRow.kind)
    if sought.indexed:
        # An expression, or SQLite goes through all of the kind rather than through the hits.
        column = column + ""
    return statement.where(column == kind, *sought.conditions)
