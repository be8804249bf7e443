"""Mail that came in: listed, explained, read and saved to files (Email Management's reading side).

Everything here is foreign text: faces neutralise it before they show it.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlmodel import Session

from models.mail import MailRow, RawMailRow
from services.errors import NotFound
from services.files import file_name, save_new, split_name
from services.importing.headers import HeaderFacts, header_part
from services.importing.parse import attached, preview
from services.mail.causes import CauseLine, advice, open_causes
from services.mail.filter import MailFilter, place_of, selection
from services.mail.views import MailLine, MailView, actions, answered, mail_lines
from services.paging import Page, cut, direction
from services.store.counting import counted
from services.store.engine import Store
from services.text import COUNTED


class MailService:
    """Reads what imports have stored."""

    def __init__(self, store: Store) -> None:
        """Take the store that the mail lies in."""
        self._store = store

    def list(
        self, wanted: MailFilter | None = None, after: str | None = None, limit: int = 200
    ) -> Page[MailLine]:
        """Return a page, newest first; `after` is as `services.paging` says.

        Raises NotFound where the filter names a queue or contact type that does not exist.
        """
        backwards, place = direction(after)
        with self._store.read() as session:
            found = selection(session, wanted or MailFilter())
            statement = found.statement(session, backwards=backwards, after=place)
            rows = session.exec(statement.limit(limit + 1)).all()
            page = cut(rows, limit, backwards, place_of)
            return Page(mail_lines(session, page.rows), page.next, page.previous)

    def count(self, wanted: MailFilter | None = None, most: int = COUNTED) -> int:
        """Return how many messages a list with this filter has; above `most`, one more than that.

        Raises NotFound as `list` does.
        """
        with self._store.read() as session:
            found = selection(session, wanted or MailFilter(), MailRow.id)
            return counted(session, found.statement(session, backwards=False, after=None), most)

    def causes(self) -> Sequence[CauseLine]:
        """Return the causes of open errors, the most frequent first."""
        with self._store.read() as session:
            return open_causes(session)

    def get(self, mail_id: int) -> MailView:
        """Return a message with its headers, reason and text. Raises NotFound."""
        with self._store.read() as session:
            row, raw = _row(session, mail_id), _raw(session, mail_id)
            (line,) = mail_lines(session, [row])
            answers, done = answered(session, row.answers_id), actions(session, mail_id)
        shown = preview(raw.data)
        return MailView(
            line=line,
            why=row.why,
            advice="" if row.dismissed_at else advice(row.reason, row.from_address),
            recipients=row.recipients,
            date=shown.date,
            size=row.size,
            complete=raw.complete,
            headers=HeaderFacts(header_part(raw.data)).all(),
            answers=answers,
            text=shown.text if raw.complete else "",
            attachments=shown.attachments if raw.complete else (),
            actions=done,
        )

    def raw(self, mail_id: int) -> bytes:
        """Return a message's bytes exactly as the server gave them. Raises NotFound.

        Of skipped mail, and of mail above the size limit, these are its headers.
        """
        with self._store.read() as session:
            return _raw(session, mail_id).data

    def save(self, mail_id: int, folder: Path) -> Path:
        """Save a message as an .eml file of its own in a folder, and return where.

        No file is ever overwritten, and none is made outside the folder; it is readable for its
        owner alone. Raises NotFound; InvalidInput where there is no such folder; ServiceError
        where it cannot be written.
        """
        with self._store.read() as session:
            row, data = _row(session, mail_id), _raw(session, mail_id).data
        name = file_name(f"{row.received_at:%Y-%m-%d} {row.subject}", f"mail {mail_id}")
        return save_new(folder, name, ".eml", data)

    def save_attachment(self, mail_id: int, number: int, folder: Path) -> Path:
        """Save a message's attachment, counted from 1, as `save` does, and return where.

        Raises NotFound where it has none of that number, and what `save` raises.
        """
        found = attached(self.raw(mail_id), number)
        if found is None:
            raise NotFound(f"Mail {mail_id} has no attachment {number}.")
        name, suffix = split_name(found.name)
        return save_new(folder, file_name(name, f"attachment {number}"), suffix, found.data)


def _row(session: Session, mail_id: int) -> MailRow:
    row = session.get(MailRow, mail_id)
    if row is None:
        raise NotFound(f"There is no mail {mail_id}.")
    return row


def _raw(session: Session, mail_id: int) -> RawMailRow:
    raw = session.get(RawMailRow, mail_id)
    if raw is None:
        raise NotFound(f"There is no mail {mail_id}.")
    return raw
