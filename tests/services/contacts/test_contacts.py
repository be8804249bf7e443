"""Agents, suppliers and their contacts, one by one and in bulk."""

from typing import Any

import pytest

from models.account import ContactSide
from models.contacts import PartyRow
from services.bootstrap import Services
from services.contacts.known import known_senders
from services.contacts.rows import LoadResult
from services.errors import InvalidInput, NotFound, Stale

HEADER = "kind,code,name,contact,email,type"
LODGE = {
    "code": "lodge1",
    "name": "Safari Lodge",
    "contacts": [
        {"name": "Walter", "email": "Walter@Lodge.example", "contact_type": "rs"},
        {"name": "Accounts desk", "email": "walter@lodge.example", "contact_type": "AC"},
    ],
}


def load(services: Services, *lines: str) -> LoadResult:
    return services.contacts.load([HEADER, *lines])


def test_a_party_is_saved_with_its_contacts(services: Services) -> None:
    saved = services.contacts.save("supplier", LODGE)
    assert services.contacts.get("supplier", "LODGE1") == saved
    assert [(c.email, c.contact_type) for c in saved.form.contacts] == [
        ("Walter@lodge.example", "RS"),
        ("walter@lodge.example", "AC"),
    ]
    assert services.contacts.count("supplier") == 1
    assert services.contacts.count("agent") == 0


def test_an_agent_may_have_a_suppliers_code(services: Services) -> None:
    services.contacts.save("supplier", LODGE)
    services.contacts.save("agent", LODGE)
    with pytest.raises(InvalidInput, match="exists already"):
        services.contacts.save("agent", LODGE)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": ""}, "code"),
        ({"code": "TOOLONG"}, "code"),
        ({"code": "A-1"}, "code"),
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\x07b"}, "name"),
        ({"contacts": [{"email": "x", "contact_type": "RS"}]}, "contacts.0.email"),
        ({"contacts": [{"email": "a@b.co", "contact_type": "ZZ"}]}, "contacts.0.contact_type"),
        ({"contacts": [{"email": "a@b.co", "contact_type": "RS"}] * 2}, "contacts"),
    ],
)
def test_wrong_values_are_refused_at_their_field(
    services: Services, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.contacts.save("agent", LODGE | change)
    assert list(caught.value.errors) == [field]
    assert services.contacts.count("agent") == 0


def test_a_change_keeps_the_rows_that_stay(services: Services) -> None:
    services.contacts.save("supplier", LODGE)
    with services.store.read() as session:
        before = known_senders(session, ["walter@lodge.example"])["walter@lodge.example"]
    changed = LODGE | {"contacts": LODGE["contacts"][:1]}  # type: ignore[index]
    services.contacts.save("supplier", changed, "LODGE1")
    with services.store.read() as session:
        after = known_senders(session, ["walter@lodge.example"])["walter@lodge.example"]
    assert [c.id for c in after] == [before[0].id]


def test_a_stale_save_is_refused(services: Services) -> None:
    saved = services.contacts.save("supplier", LODGE)
    services.contacts.save("supplier", LODGE | {"contacts": []}, "LODGE1", saved.version)
    with pytest.raises(Stale, match=services.actor.who):
        services.contacts.save("supplier", LODGE, "LODGE1", saved.version)
    with pytest.raises(Stale):
        services.contacts.delete("supplier", "LODGE1", saved.version)


def test_a_load_makes_an_open_form_stale(services: Services) -> None:
    saved = services.contacts.save("supplier", LODGE)
    load(services, "supplier,LODGE1,Safari Lodge,Walter N,walter@lodge.example,RS")
    with pytest.raises(Stale):
        services.contacts.save("supplier", LODGE, "LODGE1", saved.version)


def test_deleting_takes_the_contacts_along(services: Services) -> None:
    services.contacts.save("supplier", LODGE)
    services.contacts.delete("supplier", "lodge1")
    with pytest.raises(NotFound):
        services.contacts.get("supplier", "LODGE1")
    services.codes.delete("contact-type", "RS")


def test_known_senders_tell_side_and_type(services: Services) -> None:
    services.contacts.save("supplier", LODGE)
    services.contacts.save("agent", LODGE | {"contacts": LODGE["contacts"][:1]})  # type: ignore[index]
    with services.store.read() as session:
        found = known_senders(session, ["walter@lodge.example", "nobody@lodge.example"])
    assert list(found) == ["walter@lodge.example"]
    assert [(c.side, c.contact_type) for c in found["walter@lodge.example"]] == [
        (ContactSide.SUPPLIER, "RS"),
        (ContactSide.SUPPLIER, "AC"),
        (ContactSide.AGENT, "RS"),
    ]


def test_pages_follow_each_other(services: Services) -> None:
    with services.store.write() as session:
        session.add_all(PartyRow(kind="agent", code=f"A{n:04}", name=f"N{n}") for n in range(25))
    seen, after = [], None
    while True:
        page = services.contacts.list("agent", after=after, limit=10)
        seen += [line.code for line in page.rows]
        if page.next is None:
            break
        after = page.next
    assert seen == [f"A{n:04}" for n in range(25)]


@pytest.mark.parametrize("text", ["safari", "LODGE1", "walter@"])
def test_the_list_is_filtered_by_code_name_and_address(services: Services, text: str) -> None:
    services.contacts.save("supplier", LODGE)
    services.contacts.save("supplier", {"code": "X", "name": "100% other"})
    assert [line.code for line in services.contacts.list("supplier", text).rows] == ["LODGE1"]
    assert services.contacts.count("supplier", "100%") == 1
    services.contacts.save("supplier", {**LODGE, "name": "Else", "contacts": []}, "LODGE1")
    assert services.contacts.count("supplier", text) == int(text == "LODGE1")


# ------------------------------------------------------------------------------- in bulk

LINES = (
    "supplier,LODGE,Safari Lodge,Walter,walter@lodge.example,RS",
    "supplier,LODGE,Safari Lodge,Petra,petra@lodge.example,AC",
    "Agent,ACME,Acme Tours,Joe,joe@acme.example,RS",
    "agent,LONE,No Contacts,,,",
)


def test_loading_twice_changes_nothing(services: Services) -> None:
    assert load(services, *LINES) == LoadResult(3, 0, 0, 0)
    assert load(services, *LINES) == LoadResult(0, 0, 3, 0)
    assert services.contacts.count("agent") == 2


def test_a_changed_type_or_name_is_updated(services: Services) -> None:
    load(services, *LINES)
    assert load(services, LINES[0].replace("RS", "AC")) == LoadResult(1, 0, 0, 1)
    assert load(services, LINES[1].replace("Petra", "Petra Fuchs")) == LoadResult(0, 1, 0, 0)
    form = services.contacts.get("supplier", "LODGE").form
    assert {(c.name, c.contact_type) for c in form.contacts} == {
        ("Walter", "AC"),
        ("Petra Fuchs", "AC"),
    }


def test_another_name_of_an_agent_or_supplier_is_counted(services: Services) -> None:
    load(services, *LINES)
    renamed = [line.replace("Safari", "Lion").replace("No Contacts", "None") for line in LINES]
    assert load(services, *renamed) == LoadResult(0, 0, 3, 0, renamed=2)
    assert services.contacts.get("supplier", "LODGE").form.name == "Lion Lodge"


def test_bad_lines_are_named_by_number_and_nothing_is_loaded(services: Services) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(services, LINES[0], "supplier,X,Name,Joe,nobody,RS", "client,X,N,J,a@b.co,RS", "a,b")
    assert list(caught.value.errors) == ["line 3", "line 4", "line 5", "file"]
    assert services.contacts.count("supplier") == 0


def test_an_unknown_type_is_named_by_line(services: Services) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(services, LINES[0], LINES[1].replace("AC", "QQ"))
    assert list(caught.value.errors) == ["line 3", "file"]
    assert services.contacts.count("supplier") == 0


@pytest.mark.parametrize("lines", [[], ["code,name"], ["\ufeff"], ['kind,"code']])
def test_a_file_without_the_columns_is_refused(services: Services, lines: list[str]) -> None:
    with pytest.raises(InvalidInput):
        services.contacts.load(lines)
