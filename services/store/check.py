"""Looking a store over: is the file whole, do all references hold, does every secret decrypt."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlmodel import Session, select

from models.account import EmailAccountRow, SecretRow
from services.accounts.rows import settings_of
from services.errors import ServiceError
from services.secrets.vault import Vault
from services.store.engine import Store
from services.store.migrations import HEAD
from services.store.schema import tables
from services.text import count
from services.text_index import count_missing

if TYPE_CHECKING:
    from services.worker.engine import Engine


@dataclass(frozen=True)
class Finding:
    """What one look found."""

    check: str
    ok: bool
    detail: str


def look_over(store: Store, vault: Vault) -> Iterator[Finding]:
    """Yield what is found. That the store opened proves its version and the key already."""
    with store.read() as session:
        yield _tables(session)
        yield Finding("key", True, "It belongs to this store.")
        if session.get_bind().dialect.name == "sqlite":
            yield _rights(session)
            yield _whole(session)
            yield _references(session)
        yield _searchable(session)
        yield from secrets(session, vault)


def workers(engine: "Engine") -> Finding:
    """Say whether anybody works; that nobody does is no fault of the store's."""
    try:
        return Finding("workers", True, engine.health().words)
    except ServiceError as error:
        return Finding("workers", False, str(error))


def _tables(session: Session) -> Finding:
    missing = sorted(tables().tables.keys() - set(inspect(session.connection()).get_table_names()))
    words = f"{HEAD}, but without {', '.join(missing)}." if missing else f"{HEAD}, the current one"
    return Finding("schema", not missing, words)


def _rights(session: Session) -> Finding:
    """See that only those whom the file is for may read it; a copy made by hand is anybody's."""
    path = Path(session.connection().engine.url.database or "")
    mode = path.stat().st_mode & 0o777
    words = f"Everybody on this host may read the store ({mode:04o}): chmod o-rwx {path}"
    return Finding("rights", not mode & 0o007, words if mode & 0o007 else f"{mode:04o}")


def _whole(session: Session) -> Finding:
    """Read every page and index (SQLite's PRAGMA integrity_check)."""
    found = [str(row[0]) for row in session.connection().execute(text("PRAGMA integrity_check"))]
    ok = found == ["ok"]
    return Finding("file", ok, "It is whole." if ok else "; ".join(found[:5]))


def _references(session: Session) -> Finding:
    found = session.connection().execute(text("PRAGMA foreign_key_check")).all()
    tables = ", ".join(sorted({str(row[0]) for row in found}))
    words = f"{count(len(found), 'row')} without what they refer to, in {tables}."
    return Finding("references", not found, words if found else "Every one holds.")


def _searchable(session: Session) -> Finding:
    missing = count_missing(session)
    words = f"{count(missing, 'record')} cannot be found by text: run `tourmail db upgrade`."
    return Finding("search", not missing, words if missing else "Everything is indexed.")


def secrets(session: Session, vault: Vault) -> Iterator[Finding]:
    """Decrypt every secret, and yield those that do not, or one finding that all do."""
    rows = session.exec(
        select(SecretRow, EmailAccountRow).where(SecretRow.owner == EmailAccountRow.id)
    ).all()
    broken = 0
    for secret, account in rows:
        try:
            endpoint = settings_of(account).endpoint()
            vault.get(session, secret.owner, secret.kind, endpoint)
        except ServiceError as error:
            broken += 1
            yield Finding("secrets", False, f"{account.name}, {secret.kind}: {error.message}")
    if not broken:
        yield Finding("secrets", True, f"{count(len(rows), 'secret')} decrypted.")
