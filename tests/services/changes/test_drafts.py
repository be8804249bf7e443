"""What was typed when a line dropped: one for each person, form and record."""

from dataclasses import replace

from services.bootstrap import Services
from services.changes.drafts import Draft, DraftService
from tests.stores import Clock

DRAFT = Draft("account", "RESERVATIONS", 3, {"a": "1"}, {"a": "2", "list": [{"email": "x@y.z"}]})


def test_what_was_kept_is_found_until_it_is_dropped(services: Services, clock: Clock) -> None:
    services.drafts.keep([DRAFT, replace(DRAFT, record="", seen_version=None)])
    assert services.drafts.find("account", "RESERVATIONS") == replace(DRAFT, kept_at=clock())
    assert services.drafts.find("account", "OTHER") is None
    assert services.drafts.find("queue", "RESERVATIONS") is None
    services.drafts.drop("account", "RESERVATIONS")
    services.drafts.drop("account", "RESERVATIONS")
    assert services.drafts.find("account", "RESERVATIONS") is None
    assert services.drafts.find("account", "") is not None


def test_the_newest_is_kept(services: Services, clock: Clock) -> None:
    services.drafts.keep([DRAFT])
    clock.forward(minutes=5)
    newer = replace(DRAFT, seen_version=4, values={"a": "3"})
    services.drafts.keep([newer])
    assert services.drafts.find("account", "RESERVATIONS") == replace(newer, kept_at=clock())


def test_nobody_is_offered_what_another_person_typed(services: Services, clock: Clock) -> None:
    services.drafts.keep([DRAFT])
    other = DraftService(services.store, replace(services.actor, sudo_user="anna"), clock)
    assert other.find("account", "RESERVATIONS") is None
