"""Accounts as text: what is written, planned and applied, and that nothing happens by halves."""

import string
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlmodel import select

from models.account import SecretRow
from services.accounts.as_text import Action, Plan, SecretPlan
from services.accounts.toml import read_toml, write_toml
from services.bootstrap import Services
from services.errors import InvalidInput, NeedsConsent, NotFound, ServiceError, Stale
from tests.accounts import mark, waiting_message
from tests.stores import imap_raw, office365_raw, save, smtp_raw

IMAP = """
[[account]]
name = "RESERVATIONS"
protocol = "imap"
server = "mail.example.com"
port = 993
user = "res@example.com"
"""


@pytest.fixture
def filled(services: Services) -> Services:
    raw = imap_raw()
    raw["importing"] |= {
        "start": "2026-01-31",
        "error_queue": "Errors",
        "agent_types": ["RS", "AC"],
        "forward": [{"email": "ops@example.com", "name": 'Ops "East"'}, {"email": "b@e.com"}],
    }
    raw["limit"] = {"limit_to": 3}
    save(services, raw)
    save(services, smtp_raw(user="office", password="other secret"))
    save(services, office365_raw(secret_expires="2027-01-31"))
    return services


def plan(services: Services, text: str) -> Plan:
    return services.account_text.plan(text)


def wrong(services: Services, text: str) -> dict[str, str]:
    before = services.account_list.lines()
    with pytest.raises(InvalidInput) as caught:
        plan(services, text)
    assert services.account_list.lines() == before
    return caught.value.errors


def rows(services: Services) -> list[tuple[str, bytes]]:
    with services.store.read() as session:
        return [(row.kind, row.ciphertext) for row in session.exec(select(SecretRow))]


# ------------------------------------------------------------------------------ exporting


def test_what_is_exported_holds_every_field_and_no_secret(filled: Services) -> None:
    text = filled.account_text.export()
    for secret in ("hunter2", "other secret", "value~of", "password", "client_secret"):
        assert secret not in text
    drafts = {draft.identity.name: draft for draft in read_toml(text).drafts}
    for name, draft in drafts.items():
        account = filled.accounts.get(name)
        for section in ("protocol", "identity", "settings", "email", "limit", "importing"):
            assert getattr(draft, section) == getattr(account, section)
    assert list(drafts) == ["OFFICE", "RESERVATIONS", "SEND"]
    importing = drafts["RESERVATIONS"].importing
    assert importing is not None
    assert importing.start == date(2026, 1, 31)


def test_named_accounts_alone_are_exported_once(filled: Services) -> None:
    text = filled.account_text.export(["send", "send"])
    assert [draft.identity.name for draft in read_toml(text).drafts] == ["SEND"]
    with pytest.raises(NotFound):
        filled.account_text.export(["NOBODY"])


def test_what_was_exported_is_no_change(filled: Services) -> None:
    planned = plan(filled, filled.account_text.export())
    assert {one.action for one in planned.accounts} == {Action.UNCHANGED}
    assert not planned.drift
    before, stored = filled.accounts.get("SEND"), rows(filled)
    filled.account_text.apply(planned)
    assert filled.accounts.get("SEND") == before
    assert rows(filled) == stored


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=40)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(description=LINE, user=st.text(string.printable[:95], min_size=1, max_size=20))
def test_any_text_survives_the_way_out_and_in(
    services: Services, description: str, user: str
) -> None:
    raw = imap_raw(user=f"u{user}")
    raw["identity"]["description"] = description
    draft = services.accounts.draft(raw)
    [again] = read_toml(write_toml([draft])).drafts
    assert (again.identity, again.importing) == (draft.identity, draft.importing)
    assert again.settings.mailbox() == draft.settings.mailbox()


def test_nothing_to_export_is_a_file_all_the_same(services: Services) -> None:
    assert wrong(services, services.account_text.export()) == {
        "the file": "There is no [[account]] in it."
    }


# ------------------------------------------------------------------------------ planning


def test_a_plan_tells_field_by_field_and_changes_nothing(filled: Services) -> None:
    text = filled.account_text.export().replace("port = 993", "port = 1993")
    text = text.replace("limit = 3\n", "").replace('agent_type = ["AC", "RS"]', "")
    before = filled.accounts.get("RESERVATIONS")
    [_office, planned, _send] = plan(filled, text).accounts
    assert planned.action is Action.CHANGE
    assert {c.field: (c.old, c.new) for c in planned.changes} == {
        "port": (993, 1993),
        "limit": (3, None),
        "agent_type": (["AC", "RS"], []),
    }
    assert planned.secrets == {"password": SecretPlan.KEPT}
    assert filled.accounts.get("RESERVATIONS") == before


def test_codes_in_another_case_or_order_are_no_change(filled: Services) -> None:
    text = filled.account_text.export(["RESERVATIONS"])
    text = text.replace('["AC", "RS"]', '["rs", "ac"]').replace('"Errors"', '"errors"')
    assert not plan(filled, text.replace('"RESERVATIONS"', '"Reservations"')).drift


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "line 1"),
        ("[[account]]\nname = 'A'\nname = 'B'", "line 3"),
        ("[[account]", "line 1"),
        ("port = 1", "port"),
        ("account = 3", "account"),
        ("[account]", "account"),
        ("", "the file"),
        (IMAP + "port = 3", "line 8"),
        (IMAP.replace("993", "0"), "line 6, RESERVATIONS, port"),
        (IMAP.replace("993", '"x"'), "line 6, RESERVATIONS, port"),
        (IMAP.replace("993", "nan"), "line 6, RESERVATIONS, port"),
        (IMAP.replace('server = "mail.example.com"', ""), "line 2, RESERVATIONS, server"),
        (IMAP.replace('"imap"', '"pop3"'), "line 4, RESERVATIONS, protocol"),
        (IMAP.replace('"imap"', "3"), "line 4, RESERVATIONS, protocol"),
        (IMAP.replace('protocol = "imap"', ""), "line 2, RESERVATIONS, protocol"),
        (IMAP.replace('"RESERVATIONS"', '""'), "line 3, account 1, name"),
        (IMAP + 'password = "geheim"', "line 8, RESERVATIONS, password"),
        (IMAP + "colour = 1", "line 8, RESERVATIONS, colour"),
        (IMAP + "system = true", "line 8, RESERVATIONS, system"),
        (IMAP + 'default_email = "a@b.co"', "line 8, RESERVATIONS, default_email"),
        (IMAP + 'error_queue = "Nobody"', "line 8, RESERVATIONS, error_queue"),
        (IMAP + 'agent_type = ["ZZ"]', "line 8, RESERVATIONS, agent_type"),
        (IMAP + 'forward = [{email = "x"}]', "line 8, RESERVATIONS, forward"),
        (IMAP + '[[account.forward]]\nemail = "x"', "line 8, RESERVATIONS, forward"),
        (IMAP + IMAP.replace("RESERV", "Reserv"), "line 10, ReservATIONS, name"),
    ],
)
def test_what_is_wrong_is_told_by_line_account_and_word(
    services: Services, text: str, expected: str
) -> None:
    found = wrong(services, text)
    assert list(found) == [expected]
    assert "geheim" not in str(found)


def test_all_errors_of_all_accounts_come_at_once(services: Services) -> None:
    other = IMAP.replace("RESERVATIONS", "B").replace('"mail.example.com"', '"a b"')
    text = IMAP.replace("993", "0") + "colour = 3\n" + other
    assert list(wrong(services, text)) == [
        "line 8, RESERVATIONS, colour",
        "line 6, RESERVATIONS, port",
        "line 13, B, server",
    ]


def test_a_header_within_a_string_misleads_nobody(services: Services) -> None:
    text = "[[account]]\nname = '''\n[[account]]\nport = 3'''\n" + IMAP.replace("993", "0")
    assert not [key for key in wrong(services, text) if key.startswith("line 4")]


def test_two_system_email_accounts_in_a_file_are_refused(services: Services) -> None:
    table = '[[account]]\nname="{}"\nprotocol="smtp"\nserver="a.b"\ndefault_email="a@b.co"\n'
    table += "system=true\n"
    assert list(wrong(services, table.format("A") + table.format("B"))) == ["line 12, B, system"]


# ------------------------------------------------------------------------------ applying


def test_a_new_account_has_no_secret_yet_and_is_saved_without_only_when_asked(
    services: Services,
) -> None:
    planned = plan(services, IMAP)
    [one] = planned.accounts
    assert (one.action, one.to_be_typed) == (Action.CREATE, ("password",))
    assert one.secrets == {"password": SecretPlan.TO_BE_TYPED}
    with pytest.raises(InvalidInput) as caught:
        services.account_text.apply(planned)
    assert list(caught.value.errors) == ["line 2, RESERVATIONS, password"]
    assert services.account_list.lines() == []
    services.account_text.apply(planned, without_secrets=True)
    with pytest.raises(ServiceError, match="No Password is stored"):
        services.accounts.filled(services.accounts.get("RESERVATIONS"))
    assert not plan(services, IMAP).drift


def test_a_typed_secret_is_saved_with_the_account(services: Services) -> None:
    secrets = {"RESERVATIONS": {"password": SecretStr("typed now")}}
    services.account_text.apply(plan(services, IMAP), secrets=secrets)
    found: Any = services.accounts.filled(services.accounts.get("RESERVATIONS"))
    assert found.password.get_secret_value() == "typed now"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mail.example.com", "evil.example.com"),
        ('user = "res@example.com"', 'user = "x"'),
        ('security = "tls"', 'security = "none"'),
    ],
)
def test_a_stored_secret_never_serves_another_or_less_secure_endpoint(
    filled: Services, old: str, new: str
) -> None:
    planned = plan(filled, filled.account_text.export(["RESERVATIONS"]).replace(old, new))
    assert planned.accounts[0].secrets == {"password": SecretPlan.TO_BE_TYPED}
    with pytest.raises(InvalidInput):
        filled.account_text.apply(planned)
    filled.account_text.apply(planned, without_secrets=True)
    assert filled.accounts.get("RESERVATIONS").stored_secrets == frozenset()


def test_a_password_that_a_relay_does_not_need_is_discarded(filled: Services) -> None:
    text = filled.account_text.export(["SEND"]).replace('user = "office"', 'user = ""')
    planned = plan(filled, text)
    assert planned.accounts[0].secrets == {"password": SecretPlan.DISCARDED}
    filled.account_text.apply(planned)
    assert filled.accounts.get("SEND").stored_secrets == frozenset()


def test_one_that_fails_leaves_all_as_they_were(filled: Services) -> None:
    text = filled.account_text.export(["RESERVATIONS"]).replace("port = 993", "port = 143")
    planned = plan(filled, text + IMAP.replace("RESERVATIONS", "NEW"))
    with pytest.raises(InvalidInput):  # NEW's password is missing
        filled.account_text.apply(planned)
    assert getattr(filled.accounts.get("RESERVATIONS").settings, "port", 0) == 993


def test_accounts_that_the_file_leaves_out_stay(filled: Services) -> None:
    text = filled.account_text.export(["SEND"]).replace("port = 587", "port = 25")
    filled.account_text.apply(plan(filled, text))
    assert len(filled.account_list.lines()) == 3


def test_the_system_email_account_changes_hands_only_by_consent(filled: Services) -> None:
    waiting_message(filled, filled.accounts.get("SEND").id)
    text = filled.account_text.export(["SEND", "OFFICE"])
    text = text.replace("system = false", "system = X").replace("system = true", "system = false")
    planned = plan(filled, text.replace("system = X", "system = true"))
    assert [list(one.questions) for one in planned.accounts] == [[], ["hand-over"]]
    with pytest.raises(NeedsConsent, match="1 message still wait"):
        filled.account_text.apply(planned)
    filled.account_text.apply(planned, consent={"hand-over"})
    assert [line.name for line in filled.account_list.lines() if line.is_system] == ["OFFICE"]
    assert not filled.account_text.plan(filled.account_text.export()).drift


def test_another_protocol_and_a_fresh_start_are_asked_for(filled: Services) -> None:
    mark(filled, filled.accounts.get("RESERVATIONS").id)
    text = filled.account_text.export(["RESERVATIONS"])
    text = text.replace("2026-01-31", '"all"').replace('name = "Ops', 'name = "Op')
    assert list(plan(filled, text).accounts[0].questions) == ["start-over"]
    text = '[[account]]\nname="RESERVATIONS"\nprotocol="smtp"\nserver="a"\ndefault_email="a@b.co"'
    planned = plan(filled, text)
    assert list(planned.accounts[0].questions) == ["protocol"]
    filled.account_text.apply(planned, consent={"protocol"})
    assert filled.accounts.get("RESERVATIONS").stored_secrets == frozenset()


def test_what_somebody_saved_meanwhile_is_not_overwritten(filled: Services) -> None:
    text = filled.account_text.export(["SEND"]).replace("port = 587", "port = 25")
    planned = plan(filled, text)
    filled.account_text.apply(planned)
    with pytest.raises(Stale, match="has saved SEND"):
        filled.account_text.apply(planned)


def test_a_secret_that_may_wait_is_one_that_is_not_there(filled: Services) -> None:
    account = filled.accounts.get("RESERVATIONS")
    draft = filled.accounts.draft(imap_raw(security="none", password=""))
    with (
        pytest.raises(InvalidInput, match="Type it again"),
        filled.store.write() as session,
    ):
        filled.accounts.save_in(session, draft, of=account.id, lacking=True)
    assert filled.accounts.get("RESERVATIONS") == account
