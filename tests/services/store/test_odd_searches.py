"""What is pasted into a search by mistake finds something, nothing, or is refused in words."""

from collections.abc import Callable
from typing import Any

import pytest

from services.bootstrap import Services
from services.errors import ServiceError
from services.mail.filter import MailFilter
from services.store.folding import MOST_WORDS
from tests.mails import add

ROOMS = "rooms with a view"
SEARCHES: dict[str, Callable[[Services, str], Any]] = {
    "mail": lambda services, text: services.mail.list(MailFilter(text=text)).rows,
    "errors": lambda services, text: services.mail.list(MailFilter("error", text=text)).rows,
    "outbox": lambda services, text: services.outbox.list(text).rows,
    "agents": lambda services, text: services.contacts.list("agent", text).rows,
    "people": lambda services, text: services.contacts.people(text).rows,
}


@pytest.fixture(params=SEARCHES)
def search(request: pytest.FixtureRequest, services: Services) -> Callable[[str], Any]:
    """Search among several messages and an agent that all have the same words."""
    for _ in range(4):
        add(services, subject=ROOMS, outcome="error")
    contacts = [{"name": ROOMS, "email": "anna@rooms.test", "contact_type": "RS"}]
    services.contacts.save("agent", {"code": "A1", "name": ROOMS, "contacts": contacts})
    return lambda text: SEARCHES[request.param](services, text)


@pytest.mark.parametrize("word", ["rooms", "x" * 1_000_000])
def test_a_pasted_page_is_refused_in_words(search: Callable[[str], Any], word: str) -> None:
    different = [f"{word[:60]}{number}" for number in range(MOST_WORDS)]
    search(" ".join(different))
    search(f'"{" ".join(different)}"')
    with pytest.raises(ServiceError, match="At most 200 words"):
        search(" ".join([*different, word]))
    with pytest.raises(ServiceError, match="At most 200 words"):
        search(f'"{" ".join([*different, word])}"')


def test_odd_characters_break_nothing(search: Callable[[str], Any]) -> None:
    for text in ("a\0b", "a\ud800b", "\ud800", '"', "* NEAR(a, 2)", "-a:b^"):
        search(text)
        search(f"rooms {text}")
