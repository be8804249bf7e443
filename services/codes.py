"""The code tables: one service for all of them, driven by `models.codes.CODE_TABLES`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Table, func
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from models.base import Row
from models.codes import CODE_TABLES, CodeTable
from models.fields import References, Section, name_key
from models.history import Act
from models.tables import TABLES
from services.changes.differences import differences
from services.changes.history import History
from services.errors import InUse, InvalidInput, NotFound
from services.forms import check
from services.store.engine import Store
from services.text import count


@dataclass(frozen=True)
class Record:
    """One saved record of a code table, detached from the store."""

    key: str
    """Its name or code as it was typed."""
    values: Section
    version: int


@dataclass(frozen=True)
class Choice:
    """One entry of a drop-down or tick list."""

    value: str
    label: str


class CodeService:
    """Lists, saves and deletes the records of any code table."""

    def __init__(self, store: Store, history: History) -> None:
        """Take the store that the tables lie in, and the history of what is done to them."""
        self._store, self._history = store, history

    def list(self, table_key: str, text: str = "") -> Sequence[Record]:
        """Return the records whose fields contain the text, in the order of their keys."""
        table = code_table(table_key)
        with self._store.read() as session:
            rows = session.exec(select(table.row).order_by(_column(table, "key"))).all()
            records = [_record(table, row) for row in rows]
        wanted = name_key(text)
        return [r for r in records if wanted in name_key(" ".join(_words(r.values)))]

    def get(self, table_key: str, key: str) -> Record:
        """Return one record. Raises NotFound."""
        table = code_table(table_key)
        with self._store.read() as session:
            return _record(table, _row(session, table, key))

    def choices(self, table_key: str) -> Sequence[Choice]:
        """Return the records as a drop-down shows them: key, then what it stands for."""
        table = code_table(table_key)
        described = list(table.form.model_fields)[1]
        return [
            Choice(r.key, ": ".join(filter(None, (r.key, getattr(r.values, described)))))
            for r in self.list(table_key)
        ]

    def save(
        self,
        table_key: str,
        raw: Mapping[str, Any],
        key: str | None = None,
        seen_version: int | None = None,
    ) -> Record:
        """Save a new record, or the changes of the one named `key`.

        Raises InvalidInput with the fields at fault, NotFound, and Stale where somebody has
        changed the record since `seen_version`. What is saved unchanged stays as it was.
        """
        table = code_table(table_key)
        values = check(table.form, raw)
        with self._store.write() as session:
            if key is None:
                row, old = self._new_row(session, table, values), None
            else:
                row, old = self._to_change(session, table, key, seen_version)
                _refuse_rename(table, row, values)
            _fill(session, table, row, values)
            session.add(row)
            session.flush()
            return self._noted(session, table, row, old)

    def _to_change(
        self, session: Session, table: CodeTable, key: str, seen_version: int | None
    ) -> tuple[Any, Record]:
        """Return a record's row, locked, and what it is. Raises NotFound, Stale."""
        with self._history.telling_deletion(session, table.key, key):
            row = _row(session, table, key, lock=True)
        old = _record(table, row)
        self._history.refuse_stale(session, table.key, old.key, row.version, seen_version)
        return row, old

    def _noted(self, session: Session, table: CodeTable, row: Any, old: Record | None) -> Record:
        """Write down what a save changed, and return the record."""
        new = _record(table, row)
        changes = differences(table.form, old.values if old else None, new.values)
        if changes:
            row.version += 1
            act = Act.CHANGE if old else Act.INSERT
            self._history.note(session, act, table.key, new.key, row.version, changes)
        return replace(new, version=row.version)

    def _new_row(self, session: Session, table: CodeTable, values: Section) -> Any:
        name = str(getattr(values, table.key_field))
        taken = select(table.row).where(_column(table, "key") == name_key(name))
        if session.exec(taken).first() is not None:
            raise InvalidInput({table.key_field: f"{name} exists already."})
        version = self._history.first_version(session, table.key, name)
        return table.row(key=name_key(name), version=version)

    def delete(self, table_key: str, key: str, seen_version: int | None = None) -> None:
        """Delete a record.

        Raises NotFound, InUse naming what refers to it, and Stale where somebody has changed it
        since `seen_version`.
        """
        table = code_table(table_key)
        with self._store.write() as session:
            row, old = self._to_change(session, table, key, seen_version)
            users = used_by(session, row)
            if users:
                raise InUse(
                    f"The {table.noun} {key} is in use by {', '.join(users)}.",
                    "Change those first.",
                )
            gone = differences(table.form, old.values, None)
            self._history.note(session, Act.DELETE, table_key, old.key, row.version + 1, gone)
            session.delete(row)


def code_table(key: str) -> CodeTable:
    """Return a code table by its key. Raises NotFound."""
    if key not in CODE_TABLES:
        raise NotFound(f"There is no code table {key}.")
    return CODE_TABLES[key]


def row_id(session: Session, table_key: str, key: str) -> int:
    """Return the id of the record that a field refers to. Raises NotFound."""
    found: int = getattr(_row(session, code_table(table_key), key), "id")  # noqa: B009
    return found


_NOUNS = {
    "account_contact_type": ("email account", None),
    "contact": ("contact", None),
    "email_account": ("email account", None),
    "mail": ("message", None),
    "queue_destination": ("queue destination", None),
    "queue_member": ("queue membership", None),
}
"""How messages call the rows of a table that refers to a record."""


def used_by(session: Session, row: Row) -> list[str]:
    """Return who refers to a row, found through the schema's foreign keys: "3 contacts".

    References that go with the row, or forget it, do not count.
    """
    table: Table = type(row).__table__  # type: ignore[attr-defined]
    found = []
    for other in TABLES.sorted_tables:
        for constraint in other.foreign_key_constraints:
            if constraint.referred_table is table and constraint.ondelete is None:
                number = _references(session, other, constraint, row)
                if number:
                    found.append(count(number, *_NOUNS.get(other.name, (other.name, None))))
    return found


def _references(session: Session, other: Table, constraint: ForeignKeyConstraint, row: Row) -> int:
    column = constraint.columns[0]
    statement = sa_select(func.count()).select_from(other)
    if other.name == "account_contact_type":  # one account may tick a type on both sides
        statement = sa_select(func.count(other.c.account_id.distinct()))
    own_id = getattr(row, "id")  # noqa: B009 - every table that is referred to has one
    return int(session.execute(statement.where(column == own_id)).scalar_one())


def _column(table: CodeTable, name: str) -> Any:
    return col(getattr(table.row, name))


def _row(session: Session, table: CodeTable, key: str, *, lock: bool = False) -> Any:
    """Return a record's row; what is to be changed is locked, so that versions hold."""
    statement = select(table.row).where(_column(table, "key") == name_key(key))
    row = session.exec(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound(f"There is no {table.noun} {key}.")
    return row


def _refuse_rename(table: CodeTable, row: Any, values: Section) -> None:
    if getattr(values, table.key_field) != getattr(row, table.key_field):
        title = table.form.model_fields[table.key_field].title
        raise InvalidInput({table.key_field: f"{title} cannot be changed once saved."})


def _fill(session: Session, table: CodeTable, row: Any, values: Section) -> None:
    for name in table.form.model_fields:
        value = getattr(values, name)
        referred = _reference(table, name)
        setattr(row, name, _resolve(session, referred, value, name) if referred else value)


def _reference(table: CodeTable, name: str) -> str | None:
    for metadata in table.form.model_fields[name].metadata:
        if isinstance(metadata, References):
            return metadata.table
    return None


def _resolve(session: Session, table_key: str, value: Any, field: str) -> Any:
    """Turn the keys that a field holds into rows of the table that it refers to."""
    table = code_table(table_key)
    try:
        if isinstance(value, tuple):
            return [_row(session, table, key) for key in dict.fromkeys(value)]
        return None if value is None else _row(session, table, value)
    except NotFound as error:
        raise InvalidInput({field: error.message}) from error


def _record(table: CodeTable, row: Any) -> Record:
    values = {name: _shown(getattr(row, name)) for name in table.form.model_fields}
    # What is stored was valid when it was saved; a later, stricter rule must not hide it.
    section = table.form.model_construct(**values)
    return Record(str(values[table.key_field]), section, row.version)


def _shown(value: Any) -> Any:
    """Turn rows that a field refers to back into their keys."""
    if isinstance(value, list):
        return tuple(sorted(_shown(row) for row in value))
    return _named(value) if isinstance(value, Row) else value


def _named(row: Row) -> str:
    """Return the text of a row's key field, as it was typed."""
    table = next(table for table in CODE_TABLES.values() if isinstance(row, table.row))
    return str(getattr(row, table.key_field))


def _words(values: Section) -> list[str]:
    return [str(value) for value in dict(values).values() if value is not None]
