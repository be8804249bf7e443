"""The store: made, recognised, upgraded on request, and left alone when it is not ours."""

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from models.codes import ContactTypeRow
from services.bootstrap import Services
from services.config import Config
from services.errors import ServiceError
from services.store.engine import make_engine
from services.store.migrations import HEAD
from services.store.schema import (
    SchemaOutdated,
    alembic_config,
    open_store,
    schema_version,
    tables,
    upgrade_store,
)
from tests.servers.postgres import Postgres
from tests.stores import config_in, imap_raw, lay_store, new_store, save, use_database


def set_version(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that was just made."""
    new_store(tmp_path).close()
    return tmp_path / "store" / "tourmail.sqlite"


def test_new_store_is_closed_to_others(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_by_default_the_folder_is_made_too_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Config, "folder", tmp_path / "data" / "tourmail")
    store = open_store(Config())
    store.close()
    assert store.made == ""
    assert stat.S_IMODE((tmp_path / "data" / "tourmail").stat().st_mode) == 0o700


def test_a_store_whose_place_was_named_is_said_to_be_new_once(
    both_stores: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if both_stores == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        use_database(tmp_path, postgres.url(name := postgres.create()))
        where = f"the database {name} on 127.0.0.1"
    else:
        where = str(tmp_path / "store" / "tourmail.sqlite")
    made, found = new_store(tmp_path), open_store(config_in(tmp_path))
    for store in (made, found):
        store.close()
    told = f"There was no store yet where TOURMAIL_DATABASE_URL says; a new one is in {where}."
    assert (made.made, found.made) == (told, "")


@pytest.mark.parametrize("attempt", [open_store, upgrade_store])
def test_no_folder_is_made_for_a_mistyped_name(
    tmp_path: Path, attempt: Callable[[Config], object]
) -> None:
    with pytest.raises(ServiceError, match=f"There is no folder {tmp_path}/store") as caught:
        attempt(config_in(tmp_path))
    assert "TOURMAIL_DATABASE_URL" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attempt", [open_store, upgrade_store])
def test_a_folder_that_cannot_be_reached_is_told(
    tmp_path: Path, attempt: Callable[[Config], object]
) -> None:
    config = Config(database_url=f"sqlite:///{tmp_path}/{'a' * 300}/store/tourmail.sqlite")
    with pytest.raises(ServiceError, match=r"a/store cannot be reached: File name too long\."):
        attempt(config)


def test_store_in_a_shared_folder_is_open_to_its_group(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o700)
    (tmp_path / "store").chmod(0o2770)
    open_store(config_in(tmp_path)).close()
    made = tmp_path / "store" / "tourmail.sqlite"
    assert stat.S_IMODE(made.stat().st_mode) == 0o660


WRITING = """
from models.outbox import OutboxRow
from services.bootstrap import build

services = build()
now = services.now()
with services.store.write() as session:
    session.add(OutboxRow(account_name="desk", message_id="<1@x.test>", envelope_from="",
        header_from="", subject="", created_at=now, created_by="anna", give_up_at=now))
services.close()
"""


def test_a_program_that_has_loaded_few_tables_writes_rows_that_may_refer_to_any(
    path: Path, tmp_path: Path
) -> None:
    where = config_in(tmp_path)
    environ = {"TOURMAIL_DATABASE_URL": where.url, "TOURMAIL_KEY_FILE": str(where.key_path)}
    done = subprocess.run(
        [sys.executable, "-c", WRITING],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT account_name FROM outbox").fetchall() == [("desk",)]


def test_head_is_alembics_head() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_partial_indexes_have_one_condition_on_both_databases() -> None:
    found = [index for table in tables().tables.values() for index in table.indexes]
    wheres = [
        [index.dialect_options[name]["where"] for name in ("sqlite", "postgresql")]
        for index in found
    ]
    assert any(where is not None for where, _ in wheres)
    assert all(one is other for one, other in wheres)


def test_migrations_make_what_the_models_say(both_stores: str, tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.engine.connect() as connection, connection.begin():
        config = alembic_config()
        config.attributes["connection"] = connection
        command.check(config)


def test_older_store_is_refused_until_it_is_upgraded(tmp_path: Path, path: Path) -> None:
    set_version(path, "0000")
    with pytest.raises(SchemaOutdated, match="older schema") as caught:
        open_store(config_in(tmp_path))
    assert "db upgrade" in caught.value.hint


def test_newer_store_is_refused_and_untouched(tmp_path: Path, path: Path) -> None:
    set_version(path, "9999")
    before = path.read_bytes()
    for attempt in (open_store, upgrade_store):
        with pytest.raises(ServiceError, match="newer schema"):
            attempt(config_in(tmp_path))
    assert path.read_bytes() == before


def test_foreign_database_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    foreign = tmp_path / "store" / "tourmail.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    with pytest.raises(ServiceError, match="another program"):
        open_store(config_in(tmp_path))
    names = sqlite3.connect(foreign).execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("photos",)]


def test_damaged_file_is_reported_in_words(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "tourmail.sqlite").write_bytes(b"no database at all, really" * 99)
    with pytest.raises(ServiceError):
        open_store(config_in(tmp_path))


def test_upgrade_of_a_current_store_changes_nothing(tmp_path: Path, path: Path) -> None:
    assert "already" in upgrade_store(config_in(tmp_path))
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".sqlite"]


def test_eight_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    failures: list[BaseException] = []

    def make() -> None:
        try:
            open_store(config_in(tmp_path)).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert schema_version(make_engine(config_in(tmp_path).url)) == HEAD


def test_writers_wait_for_each_other_instead_of_failing(both_stores: str, tmp_path: Path) -> None:
    store = new_store(tmp_path)

    def add(number: int) -> None:
        with store.write() as session:
            session.exec(select(ContactTypeRow)).all()  # read first: the upgrade that fails
            session.add(ContactTypeRow(key=str(number), code="X", description="x"))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert len(session.exec(select(ContactTypeRow)).all()) == 20


def test_an_error_undoes_the_whole_transaction(both_stores: str, tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with pytest.raises(RuntimeError), store.write() as session:
        session.add(ContactTypeRow(key="x", code="X", description="x"))
        session.flush()
        raise RuntimeError
    with store.read() as session:
        assert session.exec(select(ContactTypeRow)).all() == []


def test_a_file_in_the_folder_s_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file in the way")
    with pytest.raises(ServiceError, match="store"):
        open_store(config_in(tmp_path))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE contact_type SET code = 'LONG'",
        "UPDATE contact_type SET description = ''",
        "UPDATE app_user SET name = 'A234567890123456789012345678901'",
        "UPDATE queue_destination SET name = 'A234567890123456'",
        "UPDATE party SET code = 'SEVENTH'",
        "UPDATE party SET name = ''",
        "UPDATE email_account SET is_system = true",
        "UPDATE email_account SET connection_limit = 0",
    ],
)
def test_the_store_holds_the_rules_whatever_a_program_does(
    services: Services, statement: str
) -> None:
    services.contacts.save("agent", {"code": "AG1", "name": "Agent"})
    save(services, imap_raw())
    with pytest.raises(IntegrityError), services.store.write() as session:
        session.connection().execute(text(statement))


def test_the_store_that_tests_copy_is_one_that_was_just_made(tmp_path: Path) -> None:
    for name in ("made", "copied"):
        (tmp_path / name).mkdir()
    new_store(tmp_path / "made").close()
    lay_store(config_in(tmp_path / "copied"))
    made, copied = (tmp_path / name / "store" / "tourmail.sqlite" for name in ("made", "copied"))
    assert dumped(copied) == dumped(made)
    assert copied.stat().st_mode == made.stat().st_mode
    assert copied.parent.stat().st_mode == made.parent.stat().st_mode
    assert [one.name for one in copied.parent.iterdir()] == ["tourmail.sqlite"]


def dumped(path: Path) -> list[object]:
    """Return everything that is in a store: its schema and rows, and what its file remembers.

    Where a migration makes a table anew, constraints and indexes come in an order left to chance.
    """
    with closing(sqlite3.connect(path)) as connection:
        remembered = [
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("journal_mode", "page_size", "auto_vacuum", "encoding", "user_version")
        ]
        statements = [
            sorted(one.replace(",\n", "\n").splitlines()) for one in connection.iterdump()
        ]
        return [*remembered, *sorted(statements)]
