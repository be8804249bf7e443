"""`tourmail db`: a store that is whole, one that is not, one that is older or newer."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.changes.drafts import Draft
from tests.mails import add
from tests.stores import services_in
from tests.tui.cli.conftest import CommandLine

MEGABYTES = "but has to be a whole number of megabytes from 1 to 1024."
URL = "but has to be an address that begins with https://, without a user or password."


@pytest.fixture
def store(tourmail: CommandLine) -> Path:
    """A store with one account and its password; returns its file."""
    tourmail.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", "mail.example.com"),
        *("--user", "res@example.com", "--password-file", "-"),
        stdin="geheim",
    )
    return tourmail.folder / "store" / "tourmail.sqlite"


def change(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(statement)
        connection.commit()


def checks(tourmail: CommandLine) -> dict[str, bool]:
    found = tourmail("db", "check", "--json").json
    return {one["check"]: one["ok"] for one in found["checks"]}


def test_a_sound_store_passes_every_check(tourmail: CommandLine, store: Path) -> None:
    found = tourmail.done("db", "check", "--json").json
    assert found["ok"] is True
    assert checks(tourmail) == dict.fromkeys(
        ("schema", "key", "rights", "file", "references", "search", "secrets", "workers"), True
    )
    assert "1 secret decrypted." in tourmail.done("db", "check").out


def test_a_store_that_everybody_may_read_is_found(tourmail: CommandLine, store: Path) -> None:
    store.chmod(0o644)
    ended = tourmail("db", "check")
    assert ended.code == 1
    assert f"chmod o-rwx {store}" in ended.out
    store.chmod(0o660)
    assert checks(tourmail)["rights"] is True


def test_a_secret_that_does_not_decrypt_is_found(tourmail: CommandLine, store: Path) -> None:
    change(store, "UPDATE secret SET ciphertext = x'00112233445566778899aabbccddeeff00'")
    ended = tourmail("db", "check")
    assert ended.code == 1
    assert "RES, password" in ended.out
    assert checks(tourmail)["secrets"] is False


def test_a_row_without_its_parent_is_found(tourmail: CommandLine, store: Path) -> None:
    change(store, "UPDATE email_account SET error_queue_id = 77")
    assert tourmail("db", "check").code == 1
    assert checks(tourmail)["references"] is False


def test_an_index_that_disagrees_with_its_table_is_found(
    tourmail: CommandLine, store: Path
) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'default_email', 'description')"
            " WHERE name = 'ix_mail_outcome_received'"
        )
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX ix_email_account_mailbox"
            " ON email_account (name)' WHERE name = 'ix_email_account_mailbox'"
        )
        connection.commit()
    assert checks(tourmail)["file"] is False


def test_a_wrong_key_is_told_in_one_sentence(tourmail: CommandLine, store: Path) -> None:
    key = tourmail.folder / "key" / "tourmail.key"
    key.write_text("deadbeef AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
    ended = tourmail("db", "check")
    assert (ended.code, ended.out) == (1, "")
    assert "does not belong to this store" in ended.err


def test_an_older_store_is_upgraded_on_request_only(tourmail: CommandLine, store: Path) -> None:
    change(store, "UPDATE alembic_version SET version_num = '0000'")
    ended = tourmail("account", "list")
    assert ended.code == 1
    assert "tourmail db upgrade" in ended.err


def test_a_newer_store_is_refused_and_left_alone(tourmail: CommandLine, store: Path) -> None:
    change(store, "UPDATE alembic_version SET version_num = '9999'")
    for words in (("account", "list"), ("db", "upgrade"), ("db", "check")):
        ended = tourmail(*words)
        assert ended.code == 1
        assert "newer schema" in ended.err


def test_a_current_store_needs_no_upgrade(tourmail: CommandLine, store: Path) -> None:
    assert "already" in tourmail.done("db", "upgrade").out
    assert tourmail.done("db", "upgrade", "--json").json["ok"] is True


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DATABASE_URL", "nonsense", "TOURMAIL_DATABASE_URL is not the URL"),
        ("DATABASE_URL", "oracle9://a:geheim@h/x", "no driver"),
        ("DATABASE_URL", "sqlite:////proc/none/x.sqlite", "There is no folder /proc/none"),
        ("DATABASE_URL", "sqlite:////tmp/x.sqlite?mode=ro", "has options, which an SQLite store"),
        ("DATABASE_URL", "postgresql+psycopg://a:geheim@127.0.0.1:1/x?y=geheim", "has an option"),
        ("DATABASE_URL", "postgresql+psycopg://a:geheim@127.0.0.1:1/x", "does not answer"),
        ("DATABASE_URL", "postgresql+psycopg://a:geheim@h:port/x", "is not the URL"),
        ("MAX_MESSAGE_MB", "abc", f"TOURMAIL_MAX_MESSAGE_MB is “abc”, {MEGABYTES}"),
        ("MAX_MESSAGE_MB", "0", f"TOURMAIL_MAX_MESSAGE_MB is “0”, {MEGABYTES}"),
        ("MAX_MESSAGE_MB", "2.5", f"TOURMAIL_MAX_MESSAGE_MB is “2.5”, {MEGABYTES}"),
        ("GRAPH_URL", "http://a.test\x1b[2J", f"TOURMAIL_GRAPH_URL is “http://a.test�[2J”, {URL}"),
        ("GRAPH_URL", "http://me:geheim@a.test", f"GRAPH_URL is “http://…@a.test”, {URL}"),
        ("GRAPH_URL", "https://me:geheim@a.test", f"GRAPH_URL is “https://…@a.test”, {URL}"),
        ("O365_LOGIN_URL", "me:geheim" * 9 + "@a.test", f"O365_LOGIN_URL is “…@a.test”, {URL}"),
        ("O365_LOGIN_URL", "a.test", f"TOURMAIL_O365_LOGIN_URL is “a.test”, {URL}"),
    ],
)
def test_a_wrong_setting_is_told_by_its_variable(
    tourmail: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"TOURMAIL_{name}", value)
    ended = tourmail("account", "list")
    assert ended.code == 1
    assert told in ended.err
    assert "geheim" not in ended.err
    assert "\x1b" not in ended.err


def test_every_wrong_setting_is_told(
    tourmail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURMAIL_MAX_MESSAGE_MB", "abc")
    monkeypatch.setenv("TOURMAIL_GRAPH_URL", "x")
    url, size = (
        f"TOURMAIL_GRAPH_URL is “x”, {URL}",
        f"TOURMAIL_MAX_MESSAGE_MB is “abc”, {MEGABYTES}",
    )
    assert tourmail("account", "list").err == f"{url} {size}\n"


def test_mail_that_cannot_be_searched_is_found_and_indexed(
    tourmail: CommandLine, store: Path
) -> None:
    change(
        store,
        "INSERT INTO mail (account_name, outcome, reason, why, received_at, from_name,"
        " from_address, from_key, recipients, subject, message_id, automatic, unverified, size,"
        " attachments, created_at) VALUES ('RES', 'imported', 'reply', '', '2026-01-02', '', '',"
        " '', '', 'Rooms', '', 0, 0, 1, 0, '2026-01-02')",
    )
    ended = tourmail("db", "check")
    assert ended.code == 1
    assert "1 record cannot be found by text: run `tourmail db upgrade`." in ended.out
    assert "1 record can now be searched." in tourmail.done("db", "upgrade").out
    assert checks(tourmail)["search"] is True
    assert (
        tourmail.done("mail", "list", "--filter", "rooms", "--json").json[0]["subject"] == "Rooms"
    )


def test_old_mail_is_cleared_out_on_request(tourmail: CommandLine, store: Path) -> None:
    services = services_in(tourmail.folder)
    add(services, 3)
    add(services, 2, outcome="skipped")
    services.close()
    dry = tourmail.done("db", "prune", "--mail", "1", "--ledger", "1", "--dry-run", "--json").json
    assert dry == {"dry_run": True, "mail": 3, "ledger": 2, "runs": 0, "history": 0, "drafts": 0}
    ended = tourmail.done("db", "prune", "--mail", "1", "--dry-run")
    assert ended.out == (
        "3 messages, 0 skipped messages, 0 runs, 0 changes, 0 drafts would be cleared out.\n"
    )
    assert tourmail.done("db", "prune", "--mail", "1", "--json").json["mail"] == 3
    assert len(tourmail.done("mail", "list", "--json").json) == 2


def test_history_and_drafts_are_cleared_out_on_request(tourmail: CommandLine, store: Path) -> None:
    tourmail.done("account", "edit", "RES", "--description", "Replies")
    services = services_in(tourmail.folder)
    services.drafts.keep([Draft("account", "RES", 1, {}, {})])
    services.close()
    for table, column in (("change", "at"), ("kept_draft", "kept_at")):
        change(store, f"UPDATE {table} SET {column} = '2020-01-01 00:00:00'")
    ended = tourmail.done("db", "prune", "--history", "30", "--drafts", "30")
    assert ended.out.endswith(" 1 change, 1 draft were cleared out.\n")
    assert [one["act"] for one in tourmail.done("history", "--json").json] == ["change"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--mail: Say what to clear out"),
        (("--ledger", "0"), "--ledger: Keep 1 to"),
        (("--runs", "x"), "--runs"),
        (("--history", "0"), "--history: Keep 1 to"),
        (("--drafts", "36501"), "--drafts: Keep 1 to"),
    ],
)
def test_pruning_needs_an_age(
    tourmail: CommandLine, store: Path, options: tuple[str, ...], said: str
) -> None:
    ended = tourmail("db", "prune", *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_backup_is_written_once_and_opens(tourmail: CommandLine, store: Path) -> None:
    file = tourmail.folder / "backup.sqlite"
    assert "tourmail.key is not" in tourmail.done("db", "backup", str(file)).out
    ended = tourmail("db", "backup", str(file))
    assert ended.code == 1
    assert "File exists" in ended.err
    store.write_bytes(file.read_bytes())
    assert tourmail.done("account", "list", "--json").json[0]["name"] == "RES"


def test_a_store_is_copied_into_another_one(tourmail: CommandLine, store: Path) -> None:
    there = f"sqlite:///{tourmail.folder}/there/tourmail.sqlite"
    assert "There is no folder" in tourmail("db", "copy", there).err
    (tourmail.folder / "there").mkdir()
    out = tourmail.done("db", "copy", there).out
    assert "email_account" in out
    assert "All rows arrived, and 1 of 1 secrets decrypt there." in out
    ended = tourmail("db", "copy", there)
    assert ended.code == 1
    assert "not empty" in ended.err


def test_a_password_in_the_address_of_the_new_store_is_refused(
    tourmail: CommandLine, store: Path
) -> None:
    ended = tourmail("db", "copy", "postgresql+psycopg://me:geheim@127.0.0.1:9/none")
    assert ended.err.startswith("URL: A password on the command line")
    assert ended.code == 2
    assert "--password-file" in ended.err
    assert "geheim" not in ended.err
    ended = tourmail(
        *("db", "copy", "postgresql+psycopg://me@127.0.0.1:9/none", "--password-file", "-"),
        stdin="geheim\n",
    )
    assert ended.code == 1
    assert "does not answer" in ended.err
    assert "geheim" not in ended.err
