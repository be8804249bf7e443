"""Mail that came in, put straight into a store."""

from datetime import timedelta

from sqlalchemy import insert
from sqlmodel import col, select

from models.mail import MailRow, RawMailRow
from services.bootstrap import Services
from services.contacts.people import settle_contacts
from services.mail.index import write_texts
from tests.stores import START

RAW = (
    b"Subject: =?utf-8?q?R=C3=A9?=\r\nFrom: G <guide@x.test>\r\nX-Odd: \x1b[31m\r\n\r\nThe body\r\n"
)


def add(
    services: Services,
    number: int = 1,
    raw: bytes = RAW,
    *,
    complete: bool = True,
    indexed: bool = True,
    **values: object,
) -> list[int]:
    """Store so many mails, each a minute older than the one before."""
    rows: list[dict[str, object]] = [
        {
            "account_name": "DESK",
            "outcome": "imported",
            "reason": "reply",
            "why": "Because.",
            "received_at": START - timedelta(minutes=place),
            "from_name": "G",
            "from_address": "guide@x.test",
            "subject": f"Mail {place}",
            "contact_id": None,
            "size": len(raw),
            "created_at": START,
        }
        | values
        for place in range(number)
    ]
    with services.store.write() as session:
        settle_contacts(session, rows)
        statement = insert(MailRow).returning(MailRow.id, sort_by_parameter_order=True)  # type: ignore[arg-type]
        ids = [row[0] for row in session.connection().execute(statement, rows)]
        raws = [{"mail_id": id_, "complete": complete, "data": raw} for id_ in ids]
        session.connection().execute(insert(RawMailRow), raws)
        if indexed:
            write_texts(
                session, session.exec(select(MailRow).where(col(MailRow.id).in_(ids))).all()
            )
    return ids
