"""What was typed into forms when their line dropped: kept until it is taken up or discarded.

Secrets are never among it; the forms leave them out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from models.history import KeptDraftRow
from services.actor import Actor
from services.store.engine import Store


@dataclass(frozen=True)
class Draft:
    """One form as it stood."""

    form: str
    """Which form: its kind as commands name it."""
    record: str
    """The name of the record that was open; "" for a new one."""
    seen_version: int | None
    base: dict[str, Any]
    """What the form began from, by dotted path, so that others' changes can be told from it."""
    values: dict[str, Any]
    """What stood in it."""
    kept_at: datetime | None = None


class DraftService:
    """Keeps one draft for each person, form and record: the newest."""

    def __init__(self, store: Store, actor: Actor, now: Callable[[], datetime]) -> None:
        """Take the store, and whose drafts they are."""
        self._store, self._actor, self._now = store, actor, now

    def keep(self, drafts: Iterable[Draft]) -> None:
        """Keep what stands in some forms, in one transaction."""
        with self._store.write() as session:
            for draft in drafts:
                row = self._row(session, draft.form, draft.record) or KeptDraftRow(
                    login=self._actor.who,
                    form=draft.form,
                    record=draft.record,
                    values={},
                    kept_at=self._now(),
                )
                row.values = {"base": draft.base, "values": draft.values}
                row.seen_version, row.kept_at = draft.seen_version, self._now()
                session.add(row)

    def find(self, form: str, record: str) -> Draft | None:
        """Return what this person had typed into a form."""
        with self._store.read() as session:
            row = self._row(session, form, record)
            if row is None:
                return None
            kept = row.values
            return Draft(form, record, row.seen_version, kept["base"], kept["values"], row.kept_at)

    def drop(self, form: str, record: str) -> None:
        """Forget it, since it is saved or not wanted any more."""
        with self._store.write() as session:
            row = self._row(session, form, record)
            if row is not None:
                session.delete(row)

    def _row(self, session: Session, form: str, record: str) -> KeptDraftRow | None:
        return session.exec(
            select(KeptDraftRow).where(
                KeptDraftRow.login == self._actor.who,
                KeptDraftRow.form == form,
                KeptDraftRow.record == record,
            )
        ).first()
