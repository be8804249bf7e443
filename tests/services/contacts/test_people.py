"""Contacts to choose from, and the contact that a message is for."""

import pytest

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.contacts import people
from tests.stores import save, smtp_raw


@pytest.fixture
def filled(services: Services) -> Services:
    for kind, code, party in (("agent", "AG1", "Agency One"), ("supplier", "LODGE", "Lake Lodge")):
        contacts = [
            {"name": f"{name} {code}", "email": f"{name.lower()}@{code.lower()}.test", **RS}
            for name in ("Anna", "Walter", "Zoë")
        ]
        services.contacts.save(kind, {"code": code, "name": party, "contacts": contacts})
    return services


RS = {"contact_type": "RS"}


@pytest.mark.parametrize(
    ("text", "emails"),
    [
        ("walter", ["walter@ag1.test", "walter@lodge.test"]),
        ("LAKE", ["anna@lodge.test", "walter@lodge.test", "zoë@lodge.test"]),
        ("ag1", ["anna@ag1.test", "walter@ag1.test", "zoë@ag1.test"]),
        ("anna@lodge", ["anna@lodge.test"]),
        ("lak wal", ["walter@lodge.test"]),
        ("alter", ["walter@ag1.test", "walter@lodge.test"]),
        ("on", ["anna@ag1.test", "walter@ag1.test", "zoë@ag1.test"]),
        ("100%", []),
    ],
)
def test_contacts_are_found_by_all_that_names_them(
    filled: Services, text: str, emails: list[str]
) -> None:
    found = [person.email for person in filled.contacts.people(text).rows]
    assert [email for email in found if "zo" not in email] == [e for e in emails if "zo" not in e]
    assert len(found) == len(emails)


def test_pages_follow_each_other(filled: Services) -> None:
    found, after = [], None
    while True:
        page = filled.contacts.people("", after, 4)
        found += page.rows
        if (after := page.next) is None:
            break
    assert len(found) == len({person.id for person in found}) == 6


def test_contacts_are_looked_up_rather_than_looked_through(filled: Services) -> None:
    with filled.store.read() as session:
        statement, place = people._fitting(session, "walter@lodge.test")
        asked = str(statement.order_by(*place))
    assert "MATCH" in asked or "to_tsquery" in asked
    assert "email_key ||" in asked


def test_a_name_is_quoted_as_a_recipient(filled: Services) -> None:
    (person,) = filled.contacts.people("walter@lodge").rows
    assert person.mailbox == '"Walter LODGE" <walter@lodge.test>'


def test_a_message_knows_the_contact_it_is_for(filled: Services) -> None:
    save(filled, smtp_raw())
    to = ("nobody@x.test", "Anna@LODGE.test", "walter@ag1.test")
    sent = filled.outbox.accept(OutgoingMail(to=to, text="Hi"))
    assert sent.contact == "Anna LODGE, Lake Lodge"
    (chosen,) = filled.contacts.people("walter@ag1").rows
    asked = filled.outbox.accept(OutgoingMail(to=to, text="Hi", contact_id=chosen.id))
    assert asked.contact == "Walter AG1, Agency One"
    assert filled.outbox.accept(OutgoingMail(to=("nobody@x.test",), text="Hi")).contact == ""
