"""Moving a store to another database, and backing it up: all of it, proved, while others work."""

import shutil
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.engine import make_url

from models.account import SecretRow
from models.outgoing import OutgoingMail
from models.work import WorkerRow
from services.bootstrap import Services
from services.errors import InvalidInput, ServiceError
from services.moving import move
from services.store import backup, server
from services.store.backup import back_up
from services.store.check import look_over
from services.store.copy import copy_store
from services.store.schema import open_store, tables
from tests.mails import RAW, add
from tests.servers.postgres import Postgres
from tests.stores import (
    SQLITE_ONLY,
    Clock,
    config_in,
    imap_raw,
    office365_raw,
    save,
    services_in,
    smtp_raw,
    use_database,
)


@pytest.fixture
def filled(services: Services) -> Services:
    """A store with something in most tables, and what SQLite's text takes and PostgreSQL's not."""
    save(services, imap_raw())
    save(services, office365_raw())
    save(services, smtp_raw(user="office", password="geheim"))
    contacts = [{"name": "Walter", "email": "w@lodge.example", "contact_type": "RS"}]
    services.contacts.save("supplier", {"code": "LODGE", "name": "Lodge", "contacts": contacts})
    services.schedules.save({"account": "RESERVATIONS", "every": 5})
    for number in range(12):
        services.outbox.accept(OutgoingMail(to=("a@b.test",), text="Hi", subject=f"Ü {number}"))
        add(services, raw=RAW + b"\0\xff raw" * 99, subject=f"Rooms {number}")
    return services


@pytest.fixture
def elsewhere(services: Services, postgres: Postgres, tmp_path: Path) -> Path:
    """A folder whose store is to lie in an empty database, with the same key."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    use_database(folder, postgres.url(postgres.create()))
    (folder / "key").symlink_to(tmp_path / "key")
    return folder


def rows(services: Services) -> dict[str, list[dict[str, Any]]]:
    """Return every row but those of who is at work."""
    with services.store.read() as session:
        return {
            table.name: sorted(
                (dict(row) for row in session.execute(select(table)).mappings()), key=repr
            )
            for table in tables().sorted_tables
            if table.name not in ("worker", "connection_slot")
        }


def test_all_of_a_store_arrives_and_goes_on(filled: Services, elsewhere: Path) -> None:
    before, told = rows(filled), []
    url = config_in(elsewhere).url
    password = url.partition("@")[0].rpartition(":")[2]
    done = move(
        filled,
        url.replace(f":{password}@", "@"),
        SecretStr(password),
        lambda *progress: told.append(progress),
    )
    assert (done.secrets, done.rows["outbox"], done.rows["mail"]) == (3, 12, 12)
    assert told[-1] == (sum(done.rows.values()),) * 2
    there = services_in(elsewhere, filled.now)
    assert rows(there) == before == rows(filled)
    assert all(finding.ok for finding in look_over(there.store, there.vault))
    settings = there.accounts.filled(there.accounts.get("RESERVATIONS"))
    assert settings.password == SecretStr("hunter2 secret")
    ids = [there.outbox.accept(OutgoingMail(to=("a@b.test",), text="Hi")).id, *add(there)]
    assert min(ids) > 12, "numbers go on"
    there.codes.save("contact-type", {"code": "NW", "description": "New"})
    there.close()


@SQLITE_ONLY
def test_text_that_postgresql_refuses_is_mended(filled: Services, elsewhere: Path) -> None:
    add(filled, subject="a\0b", indexed=False)
    target = open_store(config_in(elsewhere))
    copy_store(filled.store, target, filled.vault, filled.now())
    target.close()
    there = services_in(elsewhere, filled.now)
    assert "a\N{REPLACEMENT CHARACTER}b" in {line.subject for line in there.mail.list().rows}
    there.close()


def test_neither_store_loses_patience_with_the_other(
    both_stores: str, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(server._SESSION, "idle_in_transaction_session_timeout", 300)
    source = services_in(tmp_path)
    save(source, imap_raw())
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if both_stores == "sqlite":
        use_database(folder, postgres.url(postgres.create()))
    else:
        use_database(folder, f"sqlite:///{folder}/new.sqlite")
    target = open_store(config_in(folder))
    slow: list[int] = []

    def tell(done: int, _total: int | None) -> None:
        if not slow:
            slow.append(done)
            time.sleep(1)

    assert copy_store(source.store, target, source.vault, source.now(), tell).secrets == 1
    target.close()
    source.close()


def test_a_store_that_is_not_empty_is_left_alone(filled: Services, elsewhere: Path) -> None:
    there = services_in(elsewhere)
    there.codes.save("contact-type", {"code": "XX", "description": "Theirs"})
    with pytest.raises(ServiceError, match="not empty"):
        copy_store(filled.store, there.store, filled.vault, filled.now())
    assert [record.key for record in there.codes.list("contact-type")] == ["XX"]
    there.close()


def test_nothing_is_copied_while_a_worker_is_at_work(
    filled: Services, elsewhere: Path, clock: Clock
) -> None:
    with filled.store.write() as session:
        row = WorkerRow(holder="web1:5:ab", version="1", started_at=clock(), seen_at=clock())
        session.add(row)
    target = open_store(config_in(elsewhere))
    with pytest.raises(ServiceError, match="at work on web1"):
        copy_store(filled.store, target, filled.vault, clock())
    clock.forward(minutes=2)
    copy_store(filled.store, target, filled.vault, clock())
    target.close()


def test_what_does_not_arrive_whole_does_not_arrive_at_all(
    filled: Services, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.store import copy

    fit = copy._fit

    def spoil(row: Any) -> dict[str, Any]:
        made = fit(row)
        return made | {"ciphertext": b"spoilt"} if "ciphertext" in made else made

    monkeypatch.setattr(copy, "_fit", spoil)
    target = open_store(config_in(elsewhere))
    with pytest.raises(ServiceError, match="3 secrets cannot be decrypted"):
        copy_store(filled.store, target, filled.vault, filled.now())
    with target.read() as session:
        assert session.execute(select(SecretRow)).all() == []
    target.close()


def test_a_password_on_the_command_line_is_refused(filled: Services) -> None:
    with pytest.raises(InvalidInput, match="--password-file"):
        move(filled, "postgresql://tourmail:geheim@db/tourmail", None, lambda *_: None)


# ------------------------------------------------------------------ backup and restore


def restored(folder: Path, file: Path, postgres: Postgres | None) -> Services:
    """Open a backup as the manual says."""
    (folder / "store").mkdir(parents=True)
    if postgres is None:
        shutil.copy(file, folder / "store" / "tourmail.sqlite")  # with its mode
    else:
        name = postgres.create()
        use_database(folder, postgres.url(name))
        command = [postgres.binaries / "pg_restore", "--no-owner", "--exit-on-error"]
        address = postgres.url(name).replace("+psycopg", "")
        subprocess.run([*command, f"--dbname={address}", file], check=True)
    return services_in(folder)


def test_a_backup_while_others_write_is_whole_and_can_be_restored(
    filled: Services, both_stores: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    done, file = threading.Event(), tmp_path / "backup"

    def work() -> None:
        while not done.is_set():
            filled.outbox.accept(OutgoingMail(to=("a@b.test", "c@d.test"), text="Hi"))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        words = back_up(filled.config, file)
    finally:
        done.set()
        worker.join()
    assert str(filled.config.key_path) in words
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    folder = tmp_path / "restored"
    server = request.getfixturevalue("postgres") if both_stores == "postgresql" else None
    folder.mkdir()
    (folder / "key").symlink_to(tmp_path / "key")
    there = restored(folder, file, server)
    assert all(finding.ok for finding in look_over(there.store, there.vault))
    found = rows(there)
    assert len(found["outbox_recipient"]) == 12 + 2 * (len(found["outbox"]) - 12)
    assert found["secret"] == rows(filled)["secret"]
    there.outbox.accept(OutgoingMail(to=("a@b.test",), text="Hi"))
    there.close()


def test_a_backup_overwrites_nothing(filled: Services, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("precious")
    with pytest.raises(ServiceError, match="cannot be made: File exists"):
        back_up(filled.config, file)
    assert file.read_text() == "precious"
    assert [path.name for path in tmp_path.glob("there*")] == ["there"]


def test_a_host_without_pg_dump_says_so(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="no pg_dump") as caught:
        back_up(config_in(tmp_path), tmp_path / "backup")
    assert "postgresql-client" in caught.value.hint
    assert not list(tmp_path.glob("backup*"))


def test_what_pg_dump_refuses_is_told_without_the_password(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.url("nothere")
    use_database(tmp_path, url)
    with pytest.raises(ServiceError, match="does not exist") as caught:
        back_up(config_in(tmp_path), tmp_path / "backup")
    password = url.partition("@")[0].rpartition(":")[2]
    assert password not in str(caught.value)


def test_a_password_among_the_options_is_kept_from_the_list_of_processes(
    filled: Services, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(postgresql)
    optional = url.update_query_dict({"password": str(url.password)})._replace(password=None)
    text = optional.render_as_string(hide_password=False)
    with pytest.raises(InvalidInput, match="can be read by others"):
        move(filled, text, None, lambda _done, _all: None)
    use_database(tmp_path, text)
    commands = list[str]()
    run = subprocess.run

    def noted(command: list[str], **options: Any) -> Any:
        commands.extend(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    back_up(config_in(tmp_path), tmp_path / "backup")
    assert commands
    assert str(url.password) not in " ".join(commands)
