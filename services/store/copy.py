"""Moving a store from one kind of database to the other: everything, proved, or nothing.

The old store is locked against writers meanwhile, and the new one gets all of it in a single
transaction, in which it is counted and every secret decrypted before it is committed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text
from sqlmodel import Session, col
from sqlmodel import select as rows_of

from models.work import ConnectionSlotRow, WorkerRow
from services.errors import ServiceError
from services.secrets.vault import Vault
from services.store.check import secrets
from services.store.engine import Store
from services.store.schema import tables
from services.text import count

Tell = Callable[[int, int | None], None]

_ALIVE_WITHIN = timedelta(minutes=1)
_LEFT_OUT = {WorkerRow.__tablename__, ConnectionSlotRow.__tablename__}
"""Who is at work just now is nothing to move."""
_ROWS, _ROWS_WITH_BYTES = 500, 4
"""Rows in one step: of those with whole messages few, which may have 25 MB each."""


@dataclass(frozen=True)
class Copied:
    """What was moved, each table's rows and the secrets that decrypted in the new store."""

    rows: Mapping[str, int]
    secrets: int


def copy_store(
    source: Store, target: Store, vault: Vault, now: datetime, tell: Tell = lambda _done, _all: None
) -> Copied:
    """Copy all rows into an empty store, and prove that they arrived.

    Raises ServiceError where a worker is at work, where the new store is not empty, and where
    something did not arrive; the new store stays empty then. The old one is never changed.
    """
    with source.write() as old, target.write() as new:
        _refuse_workers(old, now)
        _refuse_filled(new.connection())
        for session in (old, new):
            _unhurried(session.connection())
        _copy(old.connection(), new.connection(), tell)
        return Copied(_counted(old.connection(), new.connection()), _decrypted(old, new, vault))


def _wanted() -> list[Table]:
    return [table for table in tables().sorted_tables if table.name not in _LEFT_OUT]


def _refuse_workers(old: Session, now: datetime) -> None:
    seen = rows_of(WorkerRow).where(col(WorkerRow.seen_at) > now - _ALIVE_WITHIN)
    if worker := old.exec(seen).first():
        host = worker.holder.partition(":")[0]
        raise ServiceError(
            f"A worker is at work on {host}.", "Stop every worker; then copy a minute later."
        )


def _refuse_filled(new: Connection) -> None:
    filled = [table.name for table in _wanted() if _number(new, table)]
    if filled:
        raise ServiceError(
            f"The new store is not empty: it has rows in {', '.join(filled)}.",
            "Name an empty database.",
        )


def _unhurried(connection: Connection) -> None:
    """Let each of the two take its time: the old one is idle while the new one commits it all."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _copy(old: Connection, new: Connection, tell: Tell) -> None:
    total, done = sum(_number(old, table) for table in _wanted()), 0
    for table in _wanted():
        for batch in _batches(old, table):
            new.execute(insert(table), batch)
            done += len(batch)
            tell(done, total)
        _count_on(new, table)


def _batches(old: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    step = _ROWS
    if any(isinstance(column.type, LargeBinary) for column in table.columns):
        step = _ROWS_WITH_BYTES
    found = old.execute(select(table).execution_options(yield_per=step))
    rows: Iterable[Any] = iter(found.mappings())
    while batch := [_fit(row) for row in islice(rows, step)]:
        yield batch


def _fit(row: Mapping[str, Any]) -> dict[str, Any]:
    """PostgreSQL's text takes no NUL, which SQLite's does."""
    return {
        name: value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for name, value in row.items()
    }


def _count_on(new: Connection, table: Table) -> None:
    """Let a sequence go on after the numbers that were copied."""
    key = table.primary_key.columns.values()
    if new.dialect.name != "postgresql" or len(key) != 1 or key[0].type.python_type is not int:
        return
    sequence = func.pg_get_serial_sequence(table.name, key[0].name)
    if new.execute(select(sequence)).scalar() is not None:
        highest = select(func.max(key[0])).scalar_subquery()
        new.execute(select(func.setval(sequence, func.coalesce(highest, 0) + 1, False)))


def _number(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _counted(old: Connection, new: Connection) -> dict[str, int]:
    numbers = {table.name: (_number(old, table), _number(new, table)) for table in _wanted()}
    wrong = [f"{name} ({b} of {a})" for name, (a, b) in numbers.items() if a != b]
    if wrong:
        raise ServiceError(f"Rows did not arrive: {', '.join(wrong)}.", "Nothing was kept.")
    return {name: arrived for name, (_sent, arrived) in numbers.items()}


def _decrypted(old: Session, new: Session, vault: Vault) -> int:
    """Prove every secret in the new store that the old one could decrypt."""
    new.expire_all()
    broken = {words.detail for words in secrets(new, vault) if not words.ok}
    if broken := broken - {words.detail for words in secrets(old, vault)}:
        raise ServiceError(
            f"{count(len(broken), 'secret')} cannot be decrypted in the new store: "
            f"{' '.join(sorted(broken))}",
            "Nothing was kept.",
        )
    return _number(new.connection(), tables().tables["secret"])
