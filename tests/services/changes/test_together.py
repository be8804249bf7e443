"""Administrators who save at the very same moment, on either kind of store."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from services.bootstrap import Services
from services.errors import InvalidInput, NeedsConsent, ServiceError, Stale
from tests.stores import imap_raw, save, smtp_raw

AT_ONCE = 6


def at_once(*jobs: Callable[[], Any]) -> list[Exception | None]:
    """Begin all jobs together; return what each of them raised."""
    raised: list[Exception | None] = [None] * len(jobs)
    ready = threading.Barrier(len(jobs))

    def run(place: int, job: Callable[[], Any]) -> None:
        ready.wait(20)
        try:
            job()
        except Exception as error:
            raised[place] = error

    threads = [threading.Thread(target=run, args=both) for both in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def edit(services: Services, kind: str, number: int) -> Callable[[], Any]:
    """Return an edit of the record that `prepared` made, whose version everybody has seen."""
    if kind == "account":
        seen = services.accounts.get("RES")
        raw = imap_raw("RES", password="", timeout=number + 2)
        return lambda: save(services, raw, of=seen.id, seen_version=seen.version)
    if kind == "agent":
        party = {"code": "ACME", "name": f"Acme {number}"}
        version = services.contacts.get("agent", "ACME").version
        return lambda: services.contacts.save("agent", party, "ACME", version)
    if kind == "schedule":
        task = {"account": "RES", "every": number + 20}
        version = services.schedules.get("RES").version
        return lambda: services.schedules.save(task, "RES", version)
    record = services.codes.get("contact-type", "RS")
    code = {"code": "RS", "description": f"Reservations {number}"}
    return lambda: services.codes.save("contact-type", code, "RS", record.version)


def insert(services: Services, kind: str) -> Callable[[], Any]:
    """Return an insertion of a record that everybody inserts."""
    if kind == "account":
        return lambda: save(services, imap_raw("NEW"))
    if kind == "agent":
        return lambda: services.contacts.save("agent", {"code": "NEW", "name": "New"})
    if kind == "schedule":
        return lambda: services.schedules.save({"account": "OTHER"})
    return lambda: services.codes.save("contact-type", {"code": "NW", "description": "New"})


KINDS = ("account", "agent", "contact-type", "schedule")


@pytest.fixture
def prepared(services: Services) -> Services:
    """Services with one record of each kind."""
    save(services, imap_raw("RES"))
    save(services, imap_raw("OTHER"))
    services.contacts.save("agent", {"code": "ACME", "name": "Acme"})
    services.schedules.save({"account": "RES", "every": 10})
    return services


@pytest.mark.parametrize("kind", KINDS)
def test_of_those_who_saw_the_same_version_one_saves(prepared: Services, kind: str) -> None:
    raised = at_once(*(edit(prepared, kind, number) for number in range(AT_ONCE)))
    assert [type(error) for error in raised if error] == [Stale] * (AT_ONCE - 1)
    history = prepared.history.list(kind).rows
    assert [change.version for change in history if change.act == "change"] == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_of_those_who_insert_the_same_one_does(prepared: Services, kind: str) -> None:
    raised = at_once(*(insert(prepared, kind) for _number in range(AT_ONCE)))
    assert [type(error) for error in raised if error] == [InvalidInput] * (AT_ONCE - 1)


def test_the_system_account_is_handed_over_by_several_at_once(prepared: Services) -> None:
    save(prepared, smtp_raw("FIRST"))
    others = [save(prepared, smtp_raw(f"SEND{n}", system=False)) for n in range(4)]

    def take_over(number: int) -> Callable[[], Any]:
        raw, of = smtp_raw(f"SEND{number}"), others[number].id
        return lambda: save(prepared, raw, of=of, consent={"hand-over"})

    raised = at_once(*(take_over(number) for number in range(4)))
    assert not [error for error in raised if not isinstance(error, ServiceError | None)]
    assert not [error for error in raised if isinstance(error, NeedsConsent)]
    system = prepared.accounts.system()
    assert system is not None
    assert system.name != "FIRST"
