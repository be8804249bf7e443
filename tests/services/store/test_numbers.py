"""Numbers of mail that are known before it is written."""

from sqlalchemy import delete
from sqlmodel import col

from models.mail import MailRow
from services.bootstrap import Services
from services.store.numbers import mail_numbers
from tests.mails import add


def test_go_on_where_the_store_is(services: Services) -> None:
    with services.store.write() as session:
        assert list(mail_numbers(session, 2)) == [1, 2]
    before = add(services, 2)
    with services.store.write() as session:
        numbers = list(mail_numbers(session, 3))
    assert numbers == [before[-1] + 1 + n for n in range(3)]


def test_the_store_goes_on_behind_them(services: Services) -> None:
    (first,) = add(services)
    with services.store.write() as session:
        numbers = list(mail_numbers(session, 2))
        row = session.get_one(MailRow, first).model_dump()
        rows = [row | {"id": number} for number in numbers]
        session.connection().execute(MailRow.__table__.insert(), rows)  # type: ignore[attr-defined]
    assert add(services) == [numbers[-1] + 1]


def test_never_meet_what_is_there(services: Services) -> None:
    ids = add(services, 3)
    with services.store.write() as session:
        session.connection().execute(delete(MailRow).where(col(MailRow.id) == ids[1]))
        numbers = list(mail_numbers(session, 2))
    assert min(numbers) > max(ids)
