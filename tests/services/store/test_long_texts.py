"""Records of more words than an index takes are kept all the same, and found by the first ones."""

from models.outgoing import OutgoingMail
from services.bootstrap import Services
from services.store.folding import fold
from tests.stores import save, smtp_raw

WORDS = " ".join(f"{number:012x}" for number in range(200_000))


def test_a_message_with_an_endless_subject_is_accepted_and_found(services: Services) -> None:
    save(services, smtp_raw())
    mail = OutgoingMail(to=("anna@agent.test",), subject=f"Rooms {WORDS}", text="x")
    which = services.outbox.accept(mail).id
    assert [row.id for row in services.outbox.list(f"rooms {7:012x}").rows] == [which]


def test_an_agent_with_endless_contacts_is_saved_and_found(services: Services) -> None:
    contacts = [
        {
            "name": f"{number:060x}",
            "email": f"a{number:059x}@b{number:059x}.c{number:059x}.test",
            "contact_type": "RS",
        }
        for number in range(5_000)
    ]
    services.contacts.save("agent", {"code": "A1", "name": "Walk-in", "contacts": contacts})
    assert [row.code for row in services.contacts.list("agent", "walk-in").rows] == ["A1"]


def test_no_character_is_cut_in_two() -> None:
    assert set(fold("日" * 60 + " " + "日本 " * 300_000).replace(" ", "")) == {"日", "本"}
