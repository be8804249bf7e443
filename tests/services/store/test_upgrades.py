"""Stores of every earlier schema, with data: upgraded on request, after a backup, whole or not."""

import os
import shutil
import signal
import sqlite3
import stat
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect
from sqlalchemy.engine import Engine

from services.errors import ServiceError
from services.mail.service import MailFilter
from services.store import backup
from services.store.check import look_over
from services.store.engine import make_engine
from services.store.migrations import HEAD
from services.store.schema import alembic_config, schema_version
from services.upgrade import upgrade
from tests.crash import killed_at_each_step, run_killed
from tests.old_stores import PASSWORD, make_old_store, put_key, rows_of, sample
from tests.servers.postgres import Postgres
from tests.stores import SQLITE_ONLY, config_in, services_in, use_database

Data = Mapping[str, list[dict[str, Any]]]


def earlier() -> list[str]:
    """Return every revision but the newest, oldest first."""
    found = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return sorted(one.revision for one in found if one.revision != HEAD)


@pytest.fixture(params=earlier())
def revision(request: pytest.FixtureRequest) -> str:
    """An earlier schema."""
    return str(request.param)


@pytest.fixture
def old(request: pytest.FixtureRequest, revision: str, both_stores: str, tmp_path: Path) -> str:
    """A store of an earlier revision with data, and its key file; returns the revision."""
    if both_stores == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        use_database(tmp_path, server.url(server.create()))
    else:
        (tmp_path / "store").mkdir(mode=0o700)
    make_old_store(config_in(tmp_path).url, revision)
    put_key(tmp_path / "key" / "tourmail.key")
    return revision


def version(folder: Path, name: str = "tourmail.sqlite") -> str | None:
    engine = make_engine(f"sqlite:///{folder / 'store' / name}")
    found = schema_version(engine)
    engine.dispose()
    return found


def check_kept(before: Data, after: Data) -> None:
    """See that every row of before is still there, with all that both schemas know of it."""
    assert sum(map(len, before.values())) > 0
    for table, rows in before.items():
        both = rows[0].keys() & after[table][0].keys() if rows else set()
        known = [{name: row[name] for name in both} for row in after[table]]
        assert [row for row in rows if {name: row[name] for name in both} not in known] == [], table


@pytest.mark.parametrize("revision", [*earlier(), HEAD])
def test_samples_have_a_row_in_every_table(revision: str, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    make_old_store(config_in(tmp_path).url, revision)
    assert [name for name, rows in rows_of(config_in(tmp_path).url).items() if not rows] == []


def test_an_upgrade_keeps_everything(old: str, tmp_path: Path) -> None:
    config = config_in(tmp_path)
    before = rows_of(config.url)
    assert f"from {old} to {HEAD}" in upgrade(config)
    check_kept(before, rows_of(config.url))
    services = services_in(tmp_path)
    assert all(one.ok for one in look_over(services.store, services.vault))
    account = services.accounts.filled(services.accounts.get("RES"))
    assert account.password.get_secret_value() == PASSWORD  # type: ignore[attr-defined]
    assert len(services.mail.list(MailFilter()).rows) == 2
    assert services.outbox.raw(1) == sample("0001")["outbox"][0]["data"]
    services.close()


@SQLITE_ONLY
def test_the_backup_is_the_old_store_and_can_be_upgraded_too(old: str, tmp_path: Path) -> None:
    config = config_in(tmp_path)
    before = rows_of(config.url)
    upgrade(config)
    (backup,) = (tmp_path / "store").glob("*.from-*")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert version(tmp_path, backup.name) == old
    assert rows_of(f"sqlite:///{backup}") == before
    shutil.copy(backup, tmp_path / "store" / "tourmail.sqlite")
    upgrade(config)
    check_kept(before, rows_of(config.url))


def test_two_upgrades_at_once_are_one(old: str, tmp_path: Path) -> None:
    config = config_in(tmp_path)
    before = rows_of(config.url)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(config)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check_kept(before, rows_of(config.url))


@SQLITE_ONLY
def test_without_room_for_the_backup_nothing_is_upgraded(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_in(tmp_path)
    before = rows_of(config.url)

    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"half a backup")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_copy", full)
    with pytest.raises(ServiceError, match=r"The backup .* cannot be made: No space left"):
        upgrade(config)
    assert version(tmp_path) == old
    assert rows_of(config.url) == before
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["tourmail.sqlite"]


@SQLITE_ONLY
def test_without_room_for_the_upgrade_the_store_is_as_it_was(old: str, tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with closing(sqlite3.connect(tmp_path / "store" / "tourmail.sqlite")) as connection:
        connection.execute("VACUUM")  # what an earlier upgrade has freed would be room
    before = rows_of(config.url)

    def limit(connection: Any, _record: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "connect", limit)
    try:
        with pytest.raises(ServiceError, match="disk that holds the store is full"):
            upgrade(config)
    finally:
        event.remove(Engine, "connect", limit)
    assert version(tmp_path) == old
    assert rows_of(config.url) == before


def upgrade_there(folder: Path) -> None:
    """Upgrade the store in a folder, in a process of its own."""
    upgrade(config_in(folder))


@SQLITE_ONLY
@pytest.mark.parametrize("revision", earlier()[:1])
def test_kill_9_at_any_step_leaves_the_old_store_or_the_new_one(old: str, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    for part in ("store", "key"):
        (tmp_path / part).rename(template / part)
    before = rows_of(config_in(template).url)

    def prepare(step: int) -> Path:
        return Path(shutil.copytree(template, tmp_path / f"case{step}"))

    seen = []
    for folder in killed_at_each_step(prepare, upgrade_there):
        seen.append(version(folder))
        for saved in (folder / "store").glob("*.from-*.sqlite"):
            assert rows_of(f"sqlite:///{saved}") == before, "a backup that has its name is whole"
        if seen[-1] == old:
            assert rows_of(config_in(folder).url) == before
        upgrade(config_in(folder))
        check_kept(before, rows_of(config_in(folder).url))
    assert set(seen) == {old, HEAD}


def die_between_two_changes_of_the_schema(folder: Path) -> None:
    """Begin to upgrade the store in a folder; kill -9 comes with some indexes dropped already."""

    def die(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.split() == ["DROP", "INDEX", "ix_mail_contact_received"]:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", die)
    upgrade(config_in(folder))


@pytest.mark.parametrize("revision", ["0004"])
def test_kill_9_between_two_changes_of_the_schema_leaves_the_old_one(
    old: str, tmp_path: Path
) -> None:
    url = config_in(tmp_path).url
    rows, schema = rows_of(url), indexes_of(url)
    assert run_killed(0, tmp_path, die_between_two_changes_of_the_schema)
    assert (rows_of(url), indexes_of(url)) == (rows, schema)
    assert f"from {old} to {HEAD}" in upgrade(config_in(tmp_path))
    check_kept(rows, rows_of(url))


def indexes_of(url: str) -> set[str]:
    engine = make_engine(url)
    found = inspect(engine)
    names = {
        str(one["name"]) for table in found.get_table_names() for one in found.get_indexes(table)
    }
    engine.dispose()
    return names
