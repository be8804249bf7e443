"""The history of Code Setup: written with every change, in words, and never a secret."""

from typing import Any

import pytest
from sqlmodel import select

from models.account import EmailAccountRow
from models.history import Act, ChangeRow
from services.bootstrap import Services
from services.changes.history import Change
from services.errors import InvalidInput, NotFound
from tests.stores import Clock, imap_raw, office365_raw, save, smtp_raw


def told(services: Services, kind: str, name: str = "") -> list[Change]:
    return services.history.list(kind, name).rows


def fields(change: Change) -> dict[str, str]:
    """Return what was changed, by title; entries of one list after each other."""
    found: dict[str, str] = {}
    for field in change.fields:
        before = f"{found[field.title]}, " if field.title in found else ""
        found[field.title] = before + field.change
    return found


def import_from(raw: dict[str, Any], **importing: Any) -> dict[str, Any]:
    return raw | {"importing": raw["importing"] | importing}


def test_an_insertion_tells_what_was_entered(services: Services, clock: Clock) -> None:
    saved = save(services, imap_raw())
    [change] = told(services, "account")
    assert (change.act, change.name, change.version) == (Act.INSERT, "RESERVATIONS", saved.version)
    assert (change.who, change.at) == (services.actor.who, clock())
    assert fields(change) == {
        "Protocol": "IMAP",
        "Name": "RESERVATIONS",
        "Description": "Replies",
        "Email Server": "mail.example.com",
        "Port Number": "993",
        "User Name": "res@example.com",
        "Security Protocol": "TLS",
        "Timeout": "1",
        "Password": "changed",
        "Import": "yes",
        "Import From": "Everything",
    }


def test_a_change_tells_old_and_new_in_words(services: Services) -> None:
    saved = save(services, imap_raw())
    raw = imap_raw(port=143, security="none")
    raw["identity"]["description"] = ""
    raw["limit"] = {"limit_to": 3}
    raw = import_from(
        raw,
        start="2026-01-01",
        error_queue="Errors",
        agent_types=["RS"],
        forward=[{"email": "anna@example.com", "name": "Anna"}],
    )
    again = save(services, raw, of=saved.id, seen_version=saved.version)
    assert again.version == saved.version + 1
    assert fields(told(services, "account")[0]) == {
        "Description": "Replies -> none",
        "Port Number": "993 -> 143",
        "Security Protocol": "TLS -> None",
        "Password": "changed",
        "Connections": "No Limit -> Limit To 3",
        "Import From": "Everything -> 2026-01-01",
        "Error Queue": "none -> Errors",
        "Agent Contacts": "added RS",
        "Forward Email": "added Anna <anna@example.com>",
    }


def test_entries_of_a_list_come_go_and_change(services: Services) -> None:
    first = [{"email": "a@example.com", "name": "A"}, {"email": "b@example.com"}]
    saved = save(services, import_from(imap_raw(), forward=first))
    then = [{"email": "A@example.com", "name": "Anna"}, {"email": "c@example.com"}]
    save(services, import_from(imap_raw(password=""), forward=then), of=saved.id)
    assert fields(told(services, "account")[0]) == {
        "Forward Email": "A <a@example.com> -> Anna <A@example.com>, added c@example.com, "
        "removed b@example.com"
    }


def test_the_order_of_a_list_is_no_change(services: Services) -> None:
    entries = [{"email": "a@example.com", "name": ""}, {"email": "b@example.com", "name": ""}]
    saved = save(services, import_from(imap_raw(), forward=entries))
    save(services, import_from(imap_raw(password=""), forward=entries[::-1]), of=saved.id)
    assert len(told(services, "account")) == 1


def test_what_is_saved_unchanged_is_neither_told_nor_a_new_version(services: Services) -> None:
    saved = save(services, imap_raw())
    again = save(services, imap_raw(password=""), of=saved.id, seen_version=saved.version)
    assert again == saved
    code = services.codes.save("contact-type", {"code": "RS", "description": "Reservations"}, "RS")
    assert code == services.codes.get("contact-type", "RS")
    agent = services.contacts.save("agent", {"code": "ACME", "name": "Acme"})
    assert services.contacts.save("agent", {"code": "ACME", "name": "Acme"}, "ACME") == agent
    task = services.schedules.save({"account": "RESERVATIONS"})
    assert services.schedules.save({"account": "RESERVATIONS"}, "RESERVATIONS") == task
    kinds = [change.kind for change in services.history.list(text=services.actor.who).rows]
    assert kinds.count("account") == kinds.count("agent") == kinds.count("schedule") == 1


def test_of_secrets_only_that_they_changed_is_told(services: Services) -> None:
    saved = save(services, smtp_raw(user="office@example.com", password="hunter2 secret"))
    save(services, smtp_raw(user="office@example.com", password="other 4711"), of=saved.id)
    assert fields(told(services, "account")[0]) == {"Password": "changed"}
    save(services, smtp_raw(user="") | {"clear_secrets": ["password"]}, of=saved.id)
    assert fields(told(services, "account")[0]) == {
        "User Name": "office@example.com -> none",
        "Password": "cleared",
    }
    with services.store.read() as session:
        kept = str([row.fields for row in session.exec(select(ChangeRow))])
    assert "hunter2" not in kept
    assert "4711" not in kept


def test_another_protocol_tells_what_both_have_as_changed(services: Services) -> None:
    saved = save(services, imap_raw())
    save(services, office365_raw("RESERVATIONS"), of=saved.id, consent={"protocol"})
    found = fields(told(services, "account")[0])
    assert found["Protocol"] == "IMAP -> Office 365 Modern Authentication"
    assert found["Tenant ID"] == "none -> contoso.onmicrosoft.com"
    assert found["Email Server"] == "mail.example.com -> none"
    assert found["Default Email"] == "office@contoso.com"
    assert (found["Client Secret"], found["Password"]) == ("changed", "cleared")


def test_a_hand_over_is_told_of_both_accounts(services: Services) -> None:
    save(services, smtp_raw("OLD"))
    new = save(services, smtp_raw("NEW", system=False))
    save(services, smtp_raw("NEW"), of=new.id, consent={"hand-over"})
    for name, words in (("OLD", "yes -> no"), ("NEW", "no -> yes")):
        [change, _inserted] = told(services, "account", name)
        assert fields(change) == {"System Email Account": words}
        assert change.version == services.accounts.get(name).version


def test_a_refused_change_is_not_told(services: Services) -> None:
    before = services.history.list().rows
    with pytest.raises(InvalidInput):
        save(services, import_from(imap_raw(), agent_types=["ZZ"]))
    with pytest.raises(InvalidInput):
        services.codes.save("queue", {"name": "Night", "members": ["NOBODY"]})
    assert services.history.list().rows == before


def test_queues_tell_their_members(services: Services) -> None:
    services.codes.save("user", {"name": "BEN"})
    services.codes.save(
        "queue", {"name": "Errors", "members": ["BEN"], "owner": "BEN", "system_event": True},
        "Errors",
    )  # fmt: skip
    assert fields(told(services, "queue", "errors")[0]) == {
        "System Event Queue": "no -> yes",
        "Owner": "none -> BEN",
        "Queue Members": "added BEN, removed ANNA",
    }


def test_a_load_is_told_of_each_agent_and_supplier_that_it_changed(services: Services) -> None:
    header = "kind,code,name,contact,email,type"
    lodge = "supplier,LODGE,Safari Lodge,Walter,walter@lodge.example,RS"
    acme = "agent,ACME,Acme,Joe,joe@acme.example,RS"
    services.contacts.load([header, lodge, acme])
    services.contacts.load([header, lodge.replace("Walter", "Walter N"), acme])
    assert [change.act for change in told(services, "agent")] == [Act.INSERT]
    changed, inserted = told(services, "supplier", "lodge")
    walter = "<walter@lodge.example> RS"
    assert fields(inserted)["Contacts"] == f"Walter {walter}"
    assert fields(changed) == {"Contacts": f"Walter {walter} -> Walter N {walter}"}
    assert services.contacts.get("supplier", "LODGE").version == changed.version == 2


def test_schedules_tell_their_times(services: Services) -> None:
    save(services, imap_raw())
    services.schedules.save({"account": "RESERVATIONS", "every": 10})
    services.schedules.save(
        {"account": "RESERVATIONS", "every": None, "cron": "0 7 * * *", "zone": "Europe/Berlin"},
        "RESERVATIONS",
    )
    services.schedules.switch("RESERVATIONS", on=False)
    off, cron, _inserted = told(services, "schedule", "reservations")
    assert fields(off) == {"On": "yes -> no"}
    assert fields(cron) == {
        "Times": "Every 10 minutes -> By cron",
        "Cron Expression": "none -> 0 7 * * *",
        "Time Zone": "none -> Europe/Berlin",
    }


def test_a_deleted_record_tells_what_it_was_and_what_went_with_it(services: Services) -> None:
    save(services, import_from(imap_raw(), forward=[{"email": "anna@example.com"}]))
    services.schedules.save({"account": "RESERVATIONS", "every": 10})
    services.accounts.delete("RESERVATIONS")
    gone, schedule = services.history.list().rows[:2]
    assert (schedule.kind, schedule.act) == ("schedule", Act.DELETE)
    assert (gone.kind, gone.act) == ("account", Act.DELETE)
    assert fields(gone)["Email Server"] == "mail.example.com"
    assert fields(gone)["Forward Email"] == "anna@example.com"


def test_what_no_rule_allows_any_more_can_still_be_deleted(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        session.get_one(EmailAccountRow, saved.id).description = "rang\x07"
    services.accounts.delete(saved.id)
    assert told(services, "account")[0].fields == ()


def test_whoever_saves_what_was_deleted_is_told_by_whom(services: Services) -> None:
    saved = save(services, imap_raw())
    seen = services.schedules.save({"account": "RESERVATIONS"})
    services.schedules.delete("RESERVATIONS")
    told_who = f"{services.actor.who} deleted the "
    with pytest.raises(NotFound, match=f"{told_who}schedule of RESERVATIONS today"):
        services.schedules.save({"account": "RESERVATIONS"}, "RESERVATIONS", seen.version)
    services.accounts.delete(saved.id)
    with pytest.raises(NotFound, match=f"{told_who}email account RESERVATIONS today"):
        save(services, imap_raw(), of=saved.id, seen_version=saved.version)
    services.codes.delete("contact-type", "AC")
    with pytest.raises(NotFound, match=f"{told_who}contact type AC today"):
        services.codes.delete("contact-type", "AC")
    with pytest.raises(NotFound, match="There is no agent ACME"):
        services.contacts.delete("agent", "ACME")


def test_applying_a_file_is_told_and_planning_it_is_not(services: Services) -> None:
    save(services, imap_raw())
    text = services.account_text.export()
    plan = services.account_text.plan(text.replace("993", "1993"))
    assert len(told(services, "account")) == 1
    services.account_text.apply(plan, without_secrets=True)
    assert fields(told(services, "account")[0]) == {"Port Number": "993 -> 1993"}


@pytest.mark.parametrize("kind", ["account", "agent", "contact-type", "schedule"])
def test_the_versions_of_a_name_never_repeat(services: Services, kind: str) -> None:
    save(services, imap_raw("BASE"))
    seen = [make(services, kind) for _again in range(2)]
    assert seen[1] > seen[0]


def make(services: Services, kind: str) -> int:
    """Save a record of a kind, delete it, and return the version that it had."""
    if kind == "account":
        account = save(services, imap_raw())
        services.accounts.delete(account.id)
        return account.version
    if kind == "agent":
        agent = services.contacts.save(kind, {"code": "ACME", "name": "Acme"})
        services.contacts.delete(kind, "ACME")
        return agent.version
    if kind == "schedule":
        schedule = services.schedules.save({"account": "BASE"})
        services.schedules.delete("BASE")
        return schedule.version
    record = services.codes.save(kind, {"code": "ZZ", "description": "Last"})
    services.codes.delete(kind, "ZZ")
    return record.version


def test_it_is_read_page_by_page_newest_first_and_filtered(services: Services) -> None:
    for number in range(25):
        raw = {"code": "AC", "description": f"Accounts {number}"}
        services.codes.save("contact-type", raw, "AC")
    first = services.history.list("contact-type", "ac", limit=10)
    second = services.history.list("contact-type", "ac", after=first.next, limit=10)
    third = services.history.list("contact-type", "ac", after=second.next, limit=10)
    numbers = [change.id for page in (first, second, third) for change in page.rows]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 26
    assert third.next is None
    found = services.history.list(text="accounts 7", limit=10).rows
    assert [fields(change)["Description"] for change in found] == [
        "Accounts 7 -> Accounts 8",
        "Accounts 6 -> Accounts 7",
    ]


def test_what_somebody_has_not_seen_is_found_by_version(services: Services) -> None:
    seen = services.codes.get("contact-type", "AC").version
    services.codes.save("contact-type", {"code": "AC", "description": "Money"}, "AC")
    services.codes.save("contact-type", {"code": "AC", "description": "Cash"}, "AC")
    missed = services.history.since("contact-type", "AC", seen)
    assert [field.change for change in missed for field in change.fields] == [
        "Money -> Cash",
        "Accounts -> Money",
    ]
    assert services.history.since("contact-type", "AC", seen + 2) == []
