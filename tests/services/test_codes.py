"""Code tables: one service, whatever the table."""

from typing import Any

import pytest
from sqlmodel import select

from models.codes import CODE_TABLES, QueueDestinationRow
from models.fields import References
from models.mail import MailRow
from services.bootstrap import Services
from services.codes import Choice
from services.errors import InUse, InvalidInput, NotFound, Stale
from tests.stores import START

NEW: dict[str, dict[str, Any]] = {
    "contact-type": {"code": "sa", "description": "Sales"},
    "queue": {"name": "Night", "description": "Night shift", "owner": "anna", "members": ["ANNA"]},
    "user": {"name": "bob", "full_name": "Bob Stone", "email": "bob@example.com"},
}


@pytest.mark.parametrize("table", CODE_TABLES)
def test_a_record_is_saved_listed_changed_and_deleted(services: Services, table: str) -> None:
    saved = services.codes.save(table, NEW[table])
    assert services.codes.get(table, saved.key.lower()) == saved
    assert saved in services.codes.list(table)
    described = list(CODE_TABLES[table].form.model_fields)[1]
    changed = services.codes.save(
        table, {**NEW[table], described: "Other"}, saved.key, saved.version
    )
    assert getattr(changed.values, described) == "Other"
    services.codes.delete(table, saved.key)
    with pytest.raises(NotFound):
        services.codes.get(table, saved.key)


@pytest.mark.parametrize("table", CODE_TABLES)
def test_a_key_is_unique_in_any_case(services: Services, table: str) -> None:
    field = CODE_TABLES[table].key_field
    services.codes.save(table, NEW[table])
    with pytest.raises(InvalidInput) as caught:
        services.codes.save(table, {**NEW[table], field: NEW[table][field].swapcase()})
    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize("table", CODE_TABLES)
@pytest.mark.parametrize("wrong", ["", "  ", "x" * 101, "a\x1bb", "a\nb"])
def test_a_wrong_key_is_refused_at_its_field(services: Services, table: str, wrong: str) -> None:
    field = CODE_TABLES[table].key_field
    before = services.codes.list(table)
    with pytest.raises(InvalidInput) as caught:
        services.codes.save(table, {**NEW[table], field: wrong})
    assert list(caught.value.errors) == [field]
    assert services.codes.list(table) == before


@pytest.mark.parametrize("table", CODE_TABLES)
def test_the_key_is_fixed_once_saved(services: Services, table: str) -> None:
    saved = services.codes.save(table, NEW[table])
    field = CODE_TABLES[table].key_field
    with pytest.raises(InvalidInput, match="cannot be changed once saved"):
        services.codes.save(table, {**NEW[table], field: "ZZ"}, saved.key)


@pytest.mark.parametrize("table", CODE_TABLES)
def test_a_stale_save_is_refused(services: Services, table: str) -> None:
    saved = services.codes.save(table, NEW[table])
    described = list(CODE_TABLES[table].form.model_fields)[1]
    other = {**NEW[table], described: "Other"}
    services.codes.save(table, other, saved.key, saved.version)
    with pytest.raises(Stale, match=services.actor.who):
        services.codes.save(table, NEW[table], saved.key, saved.version)
    with pytest.raises(Stale, match="today"):
        services.codes.delete(table, saved.key, saved.version)


@pytest.mark.parametrize("table", CODE_TABLES)
def test_every_reference_names_a_code_table(table: str) -> None:
    for info in CODE_TABLES[table].form.model_fields.values():
        for metadata in info.metadata:
            if isinstance(metadata, References):
                assert metadata.table in CODE_TABLES


def test_a_reference_to_nobody_is_refused_at_its_field(services: Services) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.codes.save("queue", {**NEW["queue"], "members": ["NOBODY"]})
    assert list(caught.value.errors) == ["members"]


def test_a_user_in_a_queue_cannot_be_deleted(services: Services) -> None:
    with pytest.raises(InUse, match="queue membership"):
        services.codes.delete("user", "ANNA")


def test_members_can_be_taken_out(services: Services) -> None:
    services.codes.save("queue", {"name": "Errors", "members": []}, "Errors")
    services.codes.delete("user", "ANNA")
    assert services.codes.list("user") == []


def test_choices_show_key_and_meaning(services: Services) -> None:
    assert list(services.codes.choices("contact-type")) == [
        Choice("AC", "AC: Accounts"),
        Choice("RS", "RS: Reservations"),
    ]


def test_the_list_is_filtered(services: Services) -> None:
    assert [r.key for r in services.codes.list("contact-type", "account")] == ["AC"]


def test_a_queue_that_mail_waits_in_cannot_be_deleted(services: Services) -> None:
    with services.store.write() as session:
        queue = session.exec(select(QueueDestinationRow.id)).one()
        session.add(
            MailRow(
                account_name="X",
                outcome="error",
                reason="unreadable",
                why="",
                size=1,
                received_at=START,
                created_at=START,
                queue_id=queue,
            )
        )
    with pytest.raises(InUse, match="1 message"):
        services.codes.delete("queue", "Errors")
