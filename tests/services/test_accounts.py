"""Accounts: what may be saved, what must be asked for, what is refused at which field."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from models.account import EmailAccountRow
from models.mail import LedgerRow, MailboxMarkRow, OutboxRow
from models.work import ImportRunRow
from services.accounts import TYPE_AGAIN
from services.bootstrap import Services
from services.errors import InUse, InvalidInput, NeedsConsent, NotFound, ServiceError, Stale
from tests.stores import START, Clock, imap_raw, office365_raw, save, smtp_raw


def errors(services: Services, raw: dict[str, Any], **more: Any) -> dict[str, str]:
    """Return the errors of saving, having made sure that nothing was saved."""
    before = services.accounts.list()
    with pytest.raises(InvalidInput) as caught:
        save(services, raw, **more)
    assert services.accounts.list() == before
    return caught.value.errors


def waiting_message(services: Services, account_id: uuid.UUID, message_id: str = "<1@t>") -> None:
    with services.store.write() as session:
        session.add(
            OutboxRow(
                account_id=account_id,
                account_name="SEND",
                message_id=message_id,
                envelope_from="a@b.test",
                header_from="a@b.test",
                subject="x",
                created_at=START,
                created_by="anna",
                give_up_at=START,
            )
        )


def mark(services: Services, account_id: uuid.UUID) -> None:
    """Pretend that a first import has run."""
    with services.store.write() as session:
        session.add(MailboxMarkRow(account_id=account_id, scope="1", cursor="7"))


@pytest.mark.parametrize("raw", [imap_raw(), smtp_raw(), office365_raw()])
def test_what_is_saved_is_what_was_typed(services: Services, raw: dict[str, Any]) -> None:
    saved = save(services, raw)
    again = services.accounts.get(saved.name.lower())
    assert again == saved
    assert again.identity.name == raw["identity"]["name"]
    for name, value in raw["settings"].items():
        if name in again.settings.secret_fields():
            assert name in again.stored_secrets
            assert getattr(services.accounts.filled(again), name).get_secret_value() == value
        else:
            assert getattr(again.settings, name) == value


def test_import_tab_round_trip(services: Services) -> None:
    raw = imap_raw()
    raw["importing"] = {
        "enabled": True,
        "start": "2026-01-31",
        "error_queue": "errors",
        "agent_types": ["RS", "AC"],
        "supplier_types": ["rs"],
        "forward": [{"email": "ops@example.com", "name": "Ops"}, {"email": "b@example.com"}],
    }
    importing = save(services, raw).importing
    assert importing is not None
    assert importing.start == date(2026, 1, 31)
    assert importing.error_queue == "Errors"
    assert importing.agent_types == ("AC", "RS")
    assert importing.supplier_types == ("RS",)
    assert [f.email for f in importing.forward] == ["ops@example.com", "b@example.com"]


WRONG = [
    ({"identity": {"name": ""}}, "identity.name"),
    ({"identity": {"name": "   "}}, "identity.name"),
    ({"identity": {"name": "x" * 31}}, "identity.name"),
    ({"identity": {"name": "a\x1b[2Jb"}}, "identity.name"),
    ({"identity": {"name": "a\nb"}}, "identity.name"),
    ({"identity": {"name": "a\u202eb"}}, "identity.name"),
    ({"identity": {"name": "X", "description": "x" * 61}}, "identity.description"),
    ({"identity": {"name": "X", "is_system": True}}, "identity.is_system"),
    ({"settings": {"server": ""}}, "settings.server"),
    ({"settings": {"server": "https://mail.example.com"}}, "settings.server"),
    ({"settings": {"server": "mail example.com"}}, "settings.server"),
    ({"settings": {"server": "mail.example.com:993"}}, "settings.server"),
    ({"settings": {"server": "a..b"}}, "settings.server"),
    ({"settings": {"server": "-a.example"}}, "settings.server"),
    ({"settings": {"server": "1.2.3"}}, "settings.server"),
    ({"settings": {"port": "0"}}, "settings.port"),
    ({"settings": {"port": "65536"}}, "settings.port"),
    ({"settings": {"port": "imap"}}, "settings.port"),
    ({"settings": {"port": "99.5"}}, "settings.port"),
    ({"settings": {"port": "9" * 5000}}, "settings.port"),
    ({"settings": {"port": ""}}, "settings.port"),
    ({"settings": {"user": " "}}, "settings.user"),
    ({"settings": {"password": ""}}, "settings.password"),
    ({"settings": {"password": "two\nlines"}}, "settings.password"),
    ({"settings": {"security": "ssl"}}, "settings.security"),
    ({"settings": {"timeout": "0"}}, "settings.timeout"),
    ({"settings": {"timeout": "61"}}, "settings.timeout"),
    ({"settings": {"colour": "red"}}, "settings.colour"),
    ({"limit": {"limit_to": "0"}}, "limit.limit_to"),
    ({"limit": {"limit_to": "many"}}, "limit.limit_to"),
    ({"importing": {"start": "yesterday"}}, "importing.start"),
    ({"importing": {"start": "2026-02-30"}}, "importing.start"),
    ({"importing": {"error_queue": "Nobody"}}, "importing.error_queue"),
    ({"importing": {"agent_types": ["ZZ"]}}, "importing.agent_types"),
    ({"importing": {"forward": [{"email": "nobody"}]}}, "importing.forward.0.email"),
    ({"importing": {"forward": [{"email": "a@b.co"}, {"email": "A@B.CO"}]}}, "importing.forward"),
    ({"email": {"default_email": "a@b.co"}}, "email"),
    ({"protocol": "pop3"}, "protocol"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=lambda v: str(v)[:50])
def test_wrong_values_are_refused_at_their_field(
    services: Services, change: dict[str, Any], field: str
) -> None:
    raw = imap_raw()
    for section, values in change.items():
        raw[section] = {**raw.get(section, {}), **values} if isinstance(values, dict) else values
    assert list(errors(services, raw)) == [field]


def test_all_errors_come_at_once(services: Services) -> None:
    raw = imap_raw(server="", port="x")
    raw["identity"] = {"name": ""}
    assert list(errors(services, raw)) == ["identity.name", "settings.server", "settings.port"]


def test_no_error_repeats_a_secret(services: Services) -> None:
    found = errors(services, imap_raw(password="hidden\x00word"))
    assert "hidden" not in str(found)


@pytest.mark.parametrize("name", ["reservations", "RESERVATIONS", "Reservations"])
def test_names_are_unique_in_any_case(services: Services, name: str) -> None:
    save(services, imap_raw())
    assert list(errors(services, imap_raw(name))) == ["identity.name"]


def test_names_are_unique_in_any_alphabet(services: Services) -> None:
    save(services, imap_raw("ÄRGER"))
    assert list(errors(services, imap_raw("ärger"))) == ["identity.name"]


def test_the_name_is_fixed_once_saved(services: Services) -> None:
    saved = save(services, imap_raw())
    found = errors(services, imap_raw("RENAMED"), of=saved.id)
    assert list(found) == ["identity.name"]


# ------------------------------------------------------------------------------- secrets


def test_a_blank_password_keeps_the_stored_one(services: Services) -> None:
    saved = save(services, imap_raw())
    again = save(services, imap_raw(password="", port=143), of=saved.id)
    assert services.accounts.filled(again).password.get_secret_value() == "hunter2 secret"  # type: ignore[attr-defined]


def test_a_cleared_secret_is_gone(services: Services) -> None:
    saved = save(services, smtp_raw(user="anna", password="hush"))
    raw = smtp_raw(user="") | {"clear_secrets": ["password"]}
    assert save(services, raw, of=saved.id).stored_secrets == frozenset()


@pytest.mark.parametrize(
    "change",
    [
        {"server": "evil.example"},
        {"user": "other@example.com"},
        {"security": "none"},
    ],
)
def test_a_stored_secret_serves_no_other_endpoint(
    services: Services, change: dict[str, Any]
) -> None:
    saved = save(services, imap_raw())
    raw = imap_raw(**{"password": "", **change})
    assert errors(services, raw, of=saved.id) == {"settings.password": TYPE_AGAIN}
    with pytest.raises(InvalidInput):
        services.accounts.filled_draft(services.accounts.draft(raw), saved.id)
    save(services, imap_raw(**change), of=saved.id)  # typed again, it is all right


def test_a_more_secure_connection_keeps_the_secret(services: Services) -> None:
    saved = save(services, imap_raw(security="none"))
    save(services, imap_raw(password="", security="tls"), of=saved.id)


@pytest.mark.parametrize("field", ["tenant_id", "client_id", "user_object_id", "cloud"])
def test_a_client_secret_serves_no_other_app_or_cloud(services: Services, field: str) -> None:
    saved = save(services, office365_raw())
    other = "usgov" if field == "cloud" else "6f1c1b1e-0000-4000-8000-00000000000f"
    raw = office365_raw(client_secret="", **{field: other})
    assert errors(services, raw, of=saved.id) == {"settings.client_secret": TYPE_AGAIN}


def test_the_test_uses_the_stored_secret_of_the_same_endpoint(services: Services) -> None:
    saved = save(services, imap_raw())
    draft = services.accounts.draft(imap_raw(password="", timeout=3))
    settings = services.accounts.filled_draft(draft, saved.id)
    assert settings.password.get_secret_value() == "hunter2 secret"  # type: ignore[attr-defined]


def test_a_secret_id_is_not_the_secret(services: Services) -> None:
    raw = office365_raw(client_secret="6f1c1b1e-0000-4000-8000-00000000000c")
    assert "its Value" in errors(services, raw)["settings.client_secret"]


@pytest.mark.parametrize(
    ("user", "password", "field"),
    [("anna", "", "settings.password"), ("", "hush", "settings.user")],
)
def test_smtp_takes_user_and_password_together(
    services: Services, user: str, password: str, field: str
) -> None:
    assert list(errors(services, smtp_raw(user=user, password=password))) == [field]


def test_an_account_without_its_secret_says_so_when_it_connects(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        services.vault.remove(session, saved.id)
    with pytest.raises(ServiceError, match="RESERVATIONS has no Password"):
        services.accounts.filled(saved)


# ------------------------------------------------------------------------------- consent


def test_another_protocol_must_be_agreed_to(services: Services) -> None:
    saved = save(services, imap_raw("SEND"))
    mark(services, saved.id)
    with pytest.raises(NeedsConsent, match="secrets are discarded") as caught:
        save(services, smtp_raw(system=False), of=saved.id)
    changed = save(services, smtp_raw(system=False), of=saved.id, consent=[caught.value.consent])
    assert changed.protocol == "smtp"
    assert changed.stored_secrets == frozenset()
    assert not changed.import_started


def test_the_system_account_is_handed_over_in_one_go(services: Services) -> None:
    first = save(services, smtp_raw("FIRST"))
    waiting_message(services, first.id)
    with pytest.raises(NeedsConsent, match="1 message still waits there") as caught:
        save(services, smtp_raw("SECOND"))
    assert [a.name for a in services.accounts.list() if a.is_system] == ["FIRST"]
    save(services, smtp_raw("SECOND"), consent=[caught.value.consent])
    assert [a.name for a in services.accounts.list() if a.is_system] == ["SECOND"]
    system = services.accounts.system()
    assert system is not None
    assert system.name == "SECOND"


def test_a_hand_over_makes_an_open_form_of_the_old_account_stale(services: Services) -> None:
    first = save(services, smtp_raw("FIRST"))
    save(services, smtp_raw("SECOND"), consent=["hand-over"])
    with pytest.raises(Stale):
        save(services, smtp_raw("FIRST"), of=first.id, seen_version=first.version)


def test_starting_over_must_be_agreed_to(services: Services) -> None:
    saved = save(services, imap_raw())
    mark(services, saved.id)
    raw = imap_raw()
    raw["importing"]["start"] = "now"
    with pytest.raises(NeedsConsent) as caught:
        save(services, raw, of=saved.id)
    assert caught.value.consent == "start-over"
    again = save(services, raw, of=saved.id, consent=["start-over"])
    assert not again.import_started
    assert again.import_from == START


def test_another_mailbox_is_looked_at_from_its_start(services: Services) -> None:
    saved = save(services, imap_raw())
    mark(services, saved.id)
    assert not save(services, imap_raw(server="other.example"), of=saved.id).import_started


def test_items_of_another_mailbox_are_not_taken_for_old_ones(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        run = ImportRunRow(account_name="X", trigger="t", holder="h", lease_until=START,
                           started_at=START, started_by="anna")  # fmt: skip
        session.add(run)
        session.flush()
        session.add(LedgerRow(account_id=saved.id, scope="17", item="1", run_id=run.id or 0,
                              outcome="imported", reason="reply"))  # fmt: skip
    scopes = []
    for server in ("mail.example.com", "other.example", "third.example"):
        save(services, imap_raw(server=server), of=saved.id)
        with services.store.read() as session:
            scopes.append(session.exec(select(LedgerRow.scope)).one())
    assert scopes[0] == "17"
    assert scopes[1] == scopes[2] == "before 2: 17"


def test_saving_twice_keeps_the_moment_of_now(services: Services, clock: Clock) -> None:
    raw = imap_raw()
    raw["importing"]["start"] = "now"
    saved = save(services, raw)
    clock.forward(hours=5)
    assert save(services, raw, of=saved.id).import_from == START


def test_now_is_the_save_that_ticks_import(services: Services, clock: Clock) -> None:
    raw = imap_raw()
    raw["importing"] = {"enabled": False, "start": "now"}
    saved = save(services, raw)
    clock.forward(hours=5)
    raw["importing"]["enabled"] = True
    assert save(services, raw, of=saved.id).import_from == datetime(2026, 3, 2, 14, tzinfo=UTC)


def test_everything_has_no_start(services: Services) -> None:
    assert save(services, imap_raw()).import_from is None


# ------------------------------------------------------------------------------- together


def test_a_stale_save_is_refused_with_who(services: Services) -> None:
    saved = save(services, imap_raw())
    save(services, imap_raw(port=143), of=saved.id, seen_version=saved.version)
    with pytest.raises(Stale, match=services.actor.who):
        save(services, imap_raw(port=1430), of=saved.id, seen_version=saved.version)
    assert services.accounts.get(saved.id).settings.port == 143  # type: ignore[attr-defined]


def test_a_deleted_account_cannot_be_saved(services: Services) -> None:
    saved = save(services, imap_raw())
    services.accounts.delete(saved.id)
    with pytest.raises(NotFound):
        save(services, imap_raw(), of=saved.id)
    with pytest.raises(NotFound):
        services.accounts.get("RESERVATIONS")


def test_the_system_account_cannot_be_deleted(services: Services) -> None:
    saved = save(services, smtp_raw())
    for attempt in (services.accounts.deletion, services.accounts.delete):
        with pytest.raises(InUse, match="System Email Account"):
            attempt(saved.id)


def test_an_account_that_mail_waits_for_cannot_be_deleted(services: Services) -> None:
    saved = save(services, smtp_raw(system=False))
    waiting_message(services, saved.id)
    with pytest.raises(InUse, match="1 message in the Outbox"):
        services.accounts.delete("SEND")


def test_a_deleted_account_takes_its_secrets_along(services: Services) -> None:
    saved = save(services, imap_raw())
    assert "RESERVATIONS" in services.accounts.deletion(saved.id)
    services.accounts.delete(saved.id)
    with services.store.read() as session:
        assert services.vault.kinds(session, saved.id) == frozenset()


def test_the_list_is_filtered_in_any_case(services: Services) -> None:
    save(services, imap_raw())
    save(services, smtp_raw())
    assert [line.name for line in services.accounts.list()] == ["RESERVATIONS", "SEND"]
    assert [line.name for line in services.accounts.list("repl")] == ["RESERVATIONS"]
    assert [line.name for line in services.accounts.list("send")] == ["SEND"]


def test_a_type_that_is_ticked_cannot_be_deleted(services: Services) -> None:
    raw = imap_raw()
    raw["importing"] |= {"agent_types": ["RS"], "supplier_types": ["RS"]}
    save(services, raw)
    with pytest.raises(InUse, match="1 email account"):
        services.codes.delete("contact-type", "RS")


ADVICE = [
    (imap_raw(port=587), ["port"]),
    (imap_raw(port=993, security="starttls"), ["port"]),
    (imap_raw(security="none", port=143), ["security"]),
    (imap_raw(server="outlook.office365.com"), ["server"]),
    (imap_raw(), []),
    (smtp_raw(server="smtp.office365.com", user="a", password="b"), ["server"]),
    (smtp_raw(port=993), ["port"]),
    (smtp_raw(secure=False, user="a", password="b"), ["secure"]),
    (smtp_raw(secure=False), []),
]


@pytest.mark.parametrize(("raw", "fields"), ADVICE)
def test_suspicious_set_ups_are_warned_about_not_refused(
    services: Services, raw: dict[str, Any], fields: list[str]
) -> None:
    draft = services.accounts.draft(raw)
    assert [advice.field for advice in draft.settings.advice()] == fields
    services.accounts.save(draft)


@pytest.mark.parametrize(
    ("expires", "warning"),
    [
        ("2026-03-31", ""),
        ("2026-03-30", "its secret expires in 28 days, on 2026-03-30"),
        ("2026-03-03", "its secret expires in 1 day, on 2026-03-03"),
        ("2026-03-02", "its secret expires today, on 2026-03-02"),
        ("2026-03-01", "its secret expired on 2026-03-01"),
    ],
)
def test_a_secret_that_ends_soon_is_warned_about(
    services: Services, expires: str, warning: str
) -> None:
    save(services, office365_raw(secret_expires=expires))
    [line] = services.accounts.list()
    assert (line.warning, str(line.expires)) == (warning, expires)


def test_mail_that_was_tried_in_vain_is_told_with_its_account(services: Services) -> None:
    saved = save(services, smtp_raw())
    waiting_message(services, saved.id)
    [line] = services.accounts.list()
    assert (line.last, line.warning) == ("1 waiting", "")
    with services.store.write() as session:
        row = session.exec(select(OutboxRow)).one()
        row.attempts, row.last_error = 1, "mail.test refuses connections on port 25."
        session.add(row)
    [line] = services.accounts.list()
    assert line.warning == "1 waiting: mail.test refuses connections on port 25."


def test_mail_that_waited_for_the_account_is_tried_at_once_after_a_save(
    services: Services, clock: Clock
) -> None:
    saved = save(services, smtp_raw())
    waiting_message(services, saved.id)
    with services.store.write() as session:
        row = session.exec(select(OutboxRow)).one()
        row.next_attempt_at = START + timedelta(hours=1)
        session.add(row)
    clock.forward(minutes=5)
    save(services, smtp_raw(port=25), of=saved.id)
    with services.store.read() as session:
        assert session.exec(select(OutboxRow.next_attempt_at)).one() == clock()


@pytest.mark.parametrize("start", ["0", "86400", "9999-12-31", "0001-01-01", "2026-02-30", "soon"])
def test_import_from_is_a_date_that_a_moment_can_stand_for(services: Services, start: str) -> None:
    raw = imap_raw()
    raw["importing"]["start"] = start
    with pytest.raises(InvalidInput) as refused:
        save(services, raw)
    assert list(refused.value.errors) == ["importing.start"]


def test_a_name_that_grows_when_composed_is_refused_at_its_field(services: Services) -> None:
    with pytest.raises(InvalidInput) as refused:
        save(services, imap_raw("\u0958" * 30))
    assert refused.value.errors == {"identity.name": "At most 30 characters."}


def test_a_stored_value_that_a_later_rule_forbids_is_told_in_words(services: Services) -> None:
    saved = save(services, imap_raw())
    with services.store.write() as session:
        row = session.get_one(EmailAccountRow, saved.id)
        row.description = "rang\x07"
        session.add(row)
    with pytest.raises(ServiceError, match="no longer allowed: description"):
        services.accounts.get("RESERVATIONS")
