"""Queue messages: whose they are, who may give them away, and what closes them."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from models.queue import QueueMessageRow
from services.actor import Actor
from services.bootstrap import Services
from services.codes import row_id
from services.errors import NotFound
from services.queues.service import QueueMessages, login_name
from tests.services.mail.test_mail import add
from tests.stores import Clock


@pytest.fixture(autouse=True)
def people(services: Services) -> None:
    for name in ("BEN", "CORA", "DAN"):
        services.codes.save("user", {"name": name})
    services.codes.save("queue", {"name": "Owned", "members": ["ANNA", "BEN"], "owner": "CORA"})
    services.codes.save("queue", {"name": "Free", "members": ["BEN"]})


def tell(services: Services, queue: str, number: int = 1, **mail: Any) -> list[int]:
    """Put errored mail into a queue, and return the messages' numbers."""
    ids = add(services, number, outcome="error", reason="unknown-sender", **mail)
    with services.store.write() as session:
        rows = [
            {"queue_id": row_id(session, "queue", queue), "mail_id": mail_id, "text": "It failed."}
            | {"event": "", "created_at": services.now(), "done_by": ""}
            for mail_id in ids
        ]
        statement = insert(QueueMessageRow).returning(
            QueueMessageRow.id,  # type: ignore[arg-type]
            sort_by_parameter_order=True,
        )
        return [row[0] for row in session.connection().execute(statement, rows)]


def of(services: Services, login: str, sudo: str = "") -> QueueMessages:
    return QueueMessages(services.store, Actor(login, sudo, "host"), services.now)


def mine(services: Services, login: str) -> list[int]:
    return sorted(row.id for row in of(services, login).mine().rows)


@pytest.mark.parametrize(
    ("login", "sudo", "name"),
    [
        ("anna", "", "ANNA"),
        ("Anna", "", "ANNA"),
        ("OFFICE\\anna", "", "ANNA"),
        ("anna@office.example", "", "ANNA"),
        ("root", "anna", "ANNA"),
        ("root", "", "ROOT"),
        ("ben", "anna", "BEN"),
    ],
)
def test_a_login_is_matched_whatever_its_case_and_domain(login: str, sudo: str, name: str) -> None:
    assert login_name(Actor(login, sudo)) == name


def test_members_and_owner_see_what_nobody_has_and_who_was_given_it_alone_then(
    services: Services,
) -> None:
    first, second = tell(services, "Owned", 2)
    (free,) = tell(services, "Free")
    assert mine(services, "anna") == mine(services, "cora") == [first, second]
    assert mine(services, "ben") == [first, second, free]
    assert mine(services, "dan") == mine(services, "stranger") == []
    (result,) = of(services, "cora").reassign([first], "dan")
    assert (result.done, result.words) == (True, "to DAN.")
    assert mine(services, "dan") == [first], "a user who is no member"
    assert mine(services, "anna") == [second]
    of(services, "cora").reassign([first], None)
    assert mine(services, "anna") == [first, second]


def test_only_the_owner_gives_messages_away_and_any_member_where_there_is_none(
    services: Services,
) -> None:
    (owned,), (free,) = tell(services, "Owned"), tell(services, "Free")
    for login in ("anna", "dan", "stranger"):
        results = of(services, login).reassign([owned, free], "BEN")
        assert [r.done for r in results] == [False, False]
        assert results[0].words == "Only CORA, the owner of Owned, may give it to others."
    assert [r.done for r in of(services, "ben").reassign([owned, free], "DAN")] == [False, True]
    assert of(services, "root").reassign([owned], "DAN")[0].done
    assert not of(services, "root", "anna").reassign([owned], "BEN")[0].done
    allowed = {row.id: row.may_reassign for row in of(services, "cora").list().rows}
    assert allowed == {owned: True, free: False}


def test_nobody_unknown_can_be_given_anything(services: Services) -> None:
    (which,) = tell(services, "Free")
    with pytest.raises(NotFound, match="no user ZOE"):
        of(services, "ben").reassign([which], "ZOE")


def test_done_is_kept_with_who_and_when_and_once(services: Services, clock: Clock) -> None:
    (which,) = tell(services, "Free")
    clock.forward(hours=1)
    results = of(services, "ben").done([which, 99, which])
    assert [(r.id, r.done) for r in results] == [(which, True), (99, False)]
    assert mine(services, "ben") == []
    (row,) = of(services, "ben").list(done=True).rows
    assert (row.done_by, row.done_at) == ("ben", clock())
    assert "done already, by ben" in of(services, "ben").done([which])[0].words


def test_counts_are_for_home(services: Services) -> None:
    tell(services, "Owned", 3)
    tell(services, "Free")
    counts = of(services, "anna").counts()
    assert (counts.user, counts.mine, counts.queues) == ("ANNA", 3, {"Free": 1, "Owned": 3})
    stranger = of(services, "stranger").counts()
    assert (stranger.user, stranger.mine, stranger.queues) == ("", 0, counts.queues)


def test_a_list_shows_the_mail_and_is_narrowed_and_paged(services: Services) -> None:
    tell(services, "Owned", 3, subject="Rooms", from_name="Greta")
    (offer,) = tell(services, "Free", subject="Offer")
    queues = of(services, "anna")
    (row,) = queues.list("free").rows
    assert (row.id, row.queue, row.account) == (offer, "Free", "DESK")
    assert (row.sender, row.subject, row.assigned) == ("G <guide@x.test>", "Offer", "")
    assert len(queues.list(text="greta rooms").rows) == len(queues.mine("greta").rows) == 3
    assert queues.list(text="nothing").rows == []
    first = queues.list(limit=3)
    assert [row.id for row in first.rows] == sorted((row.id for row in first.rows), reverse=True)
    assert len(queues.list(after=first.next, limit=3).rows) == 1
    with pytest.raises(NotFound):
        queues.list("Nowhere")


def test_a_user_who_leaves_gives_messages_back_to_all(services: Services) -> None:
    (which,) = tell(services, "Owned")
    of(services, "cora").reassign([which], "DAN")
    services.codes.delete("user", "DAN")
    assert mine(services, "anna") == [which]


def test_the_services_know_who_has_logged_in(services: Services) -> None:
    anna = replace(services, actor=Actor("anna"))
    assert anna.queue_messages.user() == "ANNA"
