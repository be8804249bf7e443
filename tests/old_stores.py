"""Stores as earlier versions of tourmail left them, with a row in every table they had."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from alembic import command
from sqlalchemy import Connection, Engine, MetaData, Table, func, select

from services.store.engine import make_engine, sqlite_path
from services.store.schema import alembic_config

KEY = "deadbeef AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
"""The key file that the samples' secret was encrypted with."""
PASSWORD = "the old password"

_ACCOUNT = UUID("11111111-2222-4333-8444-555555555555")
_THEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_DIGEST = "ab" * 32
Rows = Mapping[str, Sequence[Mapping[str, Any]]]

_FIRST: Rows = {
    "app_user": [{"id": 1, "key": "ANNA", "name": "ANNA", "full_name": "Anna Berg", "version": 1}],
    "contact_type": [{"id": 1, "key": "RS", "code": "RS", "description": "Rooms", "version": 2}],
    "party": [
        {"id": 1, "kind": "supplier", "code": "LODGE", "name": "Safari Lodge", "version": 1},
    ],
    "vault_key": [
        {
            "key_id": "deadbeef",
            "check": bytes.fromhex(
                "375b4d3ab6169599076fdcb6f1aac4574bd32d0779c36b6e7e421180ce55aa19"
            ),
        }
    ],
    "worker": [
        {"holder": "host:1:ab", "version": "0.1.0", "started_at": _THEN, "seen_at": _THEN}
        | {"doing": ""}
    ],
    "connection_slot": [
        {"mailbox": "mail.example.com|res@example.com", "slot": 0, "holder": "host:1:ab"}
        | {"purpose": "import", "account_name": "RES", "token": "t", "expires_at": _THEN}
    ],
    "contact": [
        {"id": 1, "party_id": 1, "name": "Walter", "email": "Walter@lodge.example"}
        | {"email_key": "walter@lodge.example", "contact_type_id": 1}
    ],
    "queue_destination": [
        {"id": 1, "key": "errors", "name": "Errors", "description": "", "system_event": True}
        | {"owner_id": 1, "version": 1}
    ],
    "queue_member": [{"queue_id": 1, "user_id": 1}],
    "email_account": [
        {"id": _ACCOUNT, "name": "RES", "name_key": "res", "description": "Replies"}
        | {"protocol": "imap", "mailbox": "mail.example.com|res@example.com"}
        | {"settings": {"server": "mail.example.com", "port": 993, "user": "res@example.com"}}
        | {"is_system": False, "send_from_match": False, "allow_cc": True, "allow_bcc": True}
        | {"allow_docx": False, "connection_limit": 2, "import_enabled": True}
        | {"import_start": "all", "error_queue_id": 1, "created_at": _THEN, "updated_at": _THEN}
        | {"updated_by": "anna", "version": 3}
    ],
    "account_contact_type": [{"account_id": _ACCOUNT, "side": "supplier", "contact_type_id": 1}],
    "forward_address": [
        {"id": 1, "account_id": _ACCOUNT, "position": 0, "email": "Boss@example.com"}
        | {"email_key": "boss@example.com", "name": "The boss"}
    ],
    "import_run": [
        {"id": 1, "account_id": _ACCOUNT, "account_name": "RES", "state": "done", "claim": 1}
        | {"trigger": "schedule", "holder": "host:1:ab", "lease_until": _THEN, "message": ""}
        | {"started_at": _THEN, "started_by": "anna", "finished_at": _THEN, "server_count": 2}
        | {"before_start": 0, "known": 0, "imported": 1, "skipped": 0, "errors": 1, "gone": 0}
    ],
    "mailbox_mark": [
        {"account_id": _ACCOUNT, "scope": "7", "cursor": "2", "before_start": 0}
        | {"reconciled_at": _THEN}
    ],
    "outbox": [
        {"id": 1, "account_name": "SEND", "message_id": "<ours@example.com>", "token": "bcdfghjk"}
        | {"booking": "KT1001", "contact_id": 1, "envelope_from": "office@example.com"}
        | {"header_from": "office@example.com", "subject": "Rooms", "state": "queued"}
        | {"attempts": 1, "next_attempt_at": _THEN, "last_error": "451 later", "claim": 1}
        | {"holder": "", "created_at": _THEN, "created_by": "anna", "give_up_at": _THEN}
        | {"data": b"Subject: Rooms\r\n\r\nFour?\r\n"}
    ],
    "outbox_recipient": [
        {"id": 1, "outbox_id": 1, "address": "walter@lodge.example", "kind": "to"}
        | {"address_key": "walter@lodge.example", "state": "due", "reply": ""}
    ],
    "schedule": [
        {"id": 1, "account_id": _ACCOUNT, "enabled": True, "every_minutes": 5, "cron": ""}
        | {"zone": "Europe/Berlin", "updated_at": _THEN, "updated_by": "anna", "version": 1}
    ],
    "secret": [
        {"owner": _ACCOUNT, "kind": "password", "key_id": "deadbeef"}
        | {"nonce": bytes(range(100, 112))}
        | {
            "ciphertext": bytes.fromhex(
                "3c73bb46168532be4e032c9bad0a18992add190f818c88885d28aed852ef4097"
            )
        }
    ],
    "mail": [
        {"id": number, "account_id": _ACCOUNT, "account_name": "RES", "outcome": outcome}
        | {"reason": reason, "why": "Because.", "received_at": _THEN, "from_name": "Walter"}
        | {"from_address": "Walter@lodge.example", "from_key": "walter@lodge.example"}
        | {"recipients": "res@example.com", "subject": "Re: Rooms", "booking": "KT1001"}
        | {"message_id": f"<{number}@lodge.example>", "contact_id": 1, "queue_id": queue}
        | {"answers_id": 1, "automatic": False, "unverified": False, "size": 40}
        | {"attachments": 0, "created_at": _THEN}
        for number, outcome, reason, queue in (
            (1, "imported", "reply", None),
            (2, "error", "sender-unknown", 1),
        )
    ],
    "ledger": [
        {"id": number, "account_id": _ACCOUNT, "scope": "7", "item": str(number), "run_id": 1}
        | {"outcome": outcome, "reason": "reply", "identity_digest": _DIGEST, "size": 40}
        | {"header_digest": _DIGEST, "content_digest": _DIGEST, "mail_id": number}
        for number, outcome in ((1, "imported"), (2, "error"))
    ],
    "raw_mail": [
        {"mail_id": number, "complete": True, "data": b"Subject: Re: Rooms\r\n\r\nYes \xe9\r\n"}
        for number in (1, 2)
    ],
}

_BACK_OFFICE: Rows = {
    **_FIRST,
    "change": [
        {"id": 1, "at": _THEN, "who": "anna", "kind": "account", "name": "RES", "version": 3}
        | {"name_key": "res", "act": "change", "fields": [{"field": "port", "new": "993"}]}
    ],
    "kept_draft": [
        {"id": 1, "login": "anna", "form": "account", "record": "", "values": {"name": "NEW"}}
        | {"kept_at": _THEN}
    ],
    "mail_action": [
        {"id": 1, "mail_id": 2, "at": _THEN, "who": "anna", "action": "assign", "detail": ""}
        | {"outbox_id": 1}
    ],
    "mail_text": [{"place": 7, "mail_id": 1, "text": "re: rooms walter"}],
    "queue_message": [
        {"id": 1, "queue_id": 1, "mail_id": 2, "event": "", "text": "Unknown.", "user_id": 1}
        | {"created_at": _THEN, "done_by": ""}
    ],
}

_TEXTS: Rows = {
    **_BACK_OFFICE,
    "outbox_text": [{"outbox_id": 1, "text": "rooms walter"}],
    "party_text": [{"party_id": 1, "text": "safari lodge"}],
}

_RAW_OUTBOX: Rows = {
    **_TEXTS,
    "outbox": [
        {name: value for name, value in row.items() if name != "data"} for row in _FIRST["outbox"]
    ],
    "raw_outbox": [{"outbox_id": 1, "data": _FIRST["outbox"][0]["data"]}],
}

SAMPLES: Mapping[str, Rows] = {
    "0001": _FIRST,
    "0002": _BACK_OFFICE,
    "0004": _TEXTS,
    "0006": _RAW_OUTBOX,
}
"""Revision → a row in every table of it. One that adds no table is served by the one before it."""


def sample(revision: str) -> Rows:
    """Return rows that fit a revision."""
    return SAMPLES[max(known for known in SAMPLES if known <= revision)]


def make_old_store(url: str, revision: str) -> None:
    """Make a store of an earlier revision, with data."""
    engine = make_engine(url)
    with engine.connect() as connection, connection.begin():
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for table in _tables(connection):
            for row in sample(revision).get(table.name, ()):
                connection.execute(table.insert(), _fitting(engine, row))
            _count_on(connection, table)
    engine.dispose()
    if path := sqlite_path(url):
        path.chmod(0o600)


def _count_on(connection: Connection, table: Table) -> None:
    """Have PostgreSQL number the next row after those that came with their numbers."""
    if connection.dialect.name == "postgresql" and "id" in table.c and table.c.id.server_default:
        highest = select(func.coalesce(func.max(table.c.id), 1)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(table.name, "id")
        connection.execute(select(func.setval(sequence, highest)))


def rows_of(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return everything that a store holds, by table, as its own driver gives it."""
    engine = make_engine(url)
    with engine.execution_options(write=False).connect() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings().all()]
            for table in _tables(connection)
        }
    engine.dispose()
    return found


def _tables(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [
        table
        for table in found.sorted_tables
        if table.name != "alembic_version" and "_fts" not in table.name
    ]


def _fitting(engine: Engine, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give SQLite, which knows neither, its form of UUIDs and of moments."""
    if engine.dialect.name != "sqlite":
        return dict(row)
    forms = {UUID: lambda value: value.hex, datetime: lambda value: value.replace(tzinfo=None)}
    return {name: forms.get(type(value), lambda it: it)(value) for name, value in row.items()}


def put_key(path: Path) -> None:
    """Write the samples' key file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(KEY)
    path.chmod(0o600)
