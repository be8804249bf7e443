"""The history of Code Setup: who changed what, when and how, kept with the change itself.

A service that saves a record calls `note` within the same transaction, so that no change goes
untold and none is told that was undone. A record's versions never repeat, even where one of the
same name was deleted and made anew; so an editor knows by its version alone what it has not seen.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from models.codes import CODE_TABLES
from models.fields import name_key
from models.history import Act, ChangeRow
from services.actor import Actor
from services.changes.differences import FieldChange
from services.errors import NotFound, Stale
from services.paging import Page
from services.store.engine import Store
from services.text import clock

NOUNS = {
    "account": "email account",
    "agent": "agent",
    "supplier": "supplier",
    "schedule": "schedule of",
    **{table.key: table.noun for table in CODE_TABLES.values()},
}
"""The kinds of records that have a history, as messages call one of them."""


@dataclass(frozen=True)
class Change:
    """One save or deletion of a record, detached from the store."""

    id: int
    at: datetime
    who: str
    kind: str
    name: str
    version: int
    act: Act
    fields: tuple[FieldChange, ...]

    @property
    def summary(self) -> str:
        """What was changed, in one line."""
        return "; ".join(f"{field.title}: {field.change}" for field in self.fields)


class History:
    """Writes and reads the history."""

    def __init__(self, store: Store, actor: Actor, now: Callable[[], datetime]) -> None:
        """Take the store, and who is at work."""
        self._store, self._actor, self._now = store, actor, now

    # ------------------------------------------------------------------ writing

    def note(
        self,
        session: Session,
        act: Act,
        kind: str,
        name: str,
        version: int,
        fields: Sequence[FieldChange],
    ) -> None:
        """Write a change down within the transaction that makes it."""
        session.add(
            ChangeRow(
                at=self._now(),
                who=self._actor.who,
                kind=kind,
                name=name,
                name_key=name_key(name),
                version=version,
                act=act,
                fields=[asdict(field) for field in fields],
            )
        )

    def first_version(self, session: Session, kind: str, name: str) -> int:
        """Return the version before the first one of a new record: that of its namesake's end."""
        return self.first_versions(session, kind, [name])[name]

    def first_versions(self, session: Session, kind: str, names: Collection[str]) -> dict[str, int]:
        """Return that of each of several."""
        statement = (
            select(ChangeRow.name_key, func.max(ChangeRow.version))
            .where(ChangeRow.kind == kind, col(ChangeRow.name_key).in_(set(map(name_key, names))))
            .group_by(col(ChangeRow.name_key))
        )
        found = dict(session.exec(statement).all())
        return {name: found.get(name_key(name), 0) for name in names}

    def refuse_stale(
        self, session: Session, kind: str, name: str, version: int, seen: int | None
    ) -> None:
        """Raise Stale, with who and when, where a record is not what somebody has seen (if any)."""
        if seen is None or seen == version:
            return
        last = session.exec(_of(kind, name).limit(1)).first()
        who = last.who if last else "Somebody else"
        when = f" {clock(last.at, self._now().astimezone())}" if last else ""
        raise Stale(
            f"{who} changed the {NOUNS[kind]} {name}{when}, since you opened it.",
            "Open it again to see the change; nothing was saved.",
            by=who,
        )

    @contextmanager
    def telling_deletion(self, session: Session, kind: str, name: str) -> Iterator[None]:
        """Say who deleted a record, and when, where it is not found any more. Raises NotFound."""
        try:
            yield
        except NotFound:
            last = session.exec(_of(kind, name).limit(1)).first()
            if last is None or last.act != Act.DELETE:
                raise
            when = clock(last.at, self._now().astimezone())
            raise NotFound(
                f"{last.who} deleted the {NOUNS[kind]} {name} {when}.", "Nothing was changed."
            ) from None

    # ------------------------------------------------------------------ reading

    def list(
        self,
        kind: str = "",
        name: str = "",
        text: str = "",
        after: str | None = None,
        limit: int = 200,
    ) -> Page[Change]:
        """Return a page of the changes of a kind of records, or of one, newest first.

        `text` is sought in names, people and what was changed. Deleted records keep their history.
        """
        found: list[Change] = []
        while len(found) < limit:
            changes = self._read(kind, name, after, limit)
            found += [change for change in changes if _contains(change, text)]
            if len(changes) < limit:
                return Page(found, None)
            after = str(changes[-1].id)
        return Page(found, after)

    def since(self, kind: str, name: str, version: int | None) -> Sequence[Change]:
        """Return what became of a record since a version, newest first."""
        with self._store.read() as session:
            newer = _of(kind, name).where(col(ChangeRow.version) > (version or 0))
            return [_change(row) for row in session.exec(newer)]

    def _read(self, kind: str, name: str, after: str | None, limit: int) -> Sequence[Change]:
        statement = _of(kind, name).limit(limit)
        if after is not None:
            statement = statement.where(col(ChangeRow.id) < int(after))
        with self._store.read() as session:
            return [_change(row) for row in session.exec(statement)]


def _of(kind: str, name: str) -> Any:
    statement = select(ChangeRow).order_by(col(ChangeRow.id).desc())
    if kind:
        statement = statement.where(ChangeRow.kind == kind)
    return statement.where(ChangeRow.name_key == name_key(name)) if name else statement


def _change(row: ChangeRow) -> Change:
    fields = tuple(FieldChange(**field) for field in row.fields)
    return Change(
        row.id or 0, row.at, row.who, row.kind, row.name, row.version, Act(row.act), fields
    )


def _contains(change: Change, text: str) -> bool:
    return name_key(text) in name_key(f"{change.name} {change.who} {change.summary}")
