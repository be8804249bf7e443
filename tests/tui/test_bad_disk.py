"""Stores, keys and disks that are not as they should be: told in a sentence, and left alone."""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.store import engine
from tests.servers.disk import SmallDisk
from tests.stores import config_in
from tests.tui.driver import console
from tui.cli.door import run


def store(folder: Path) -> Path:
    return folder / "store" / "tourmail.sqlite"


def key(folder: Path) -> Path:
    return folder / "key" / "tourmail.key"


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(store(folder))) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def overwritten(folder: Path) -> None:
    store(folder).write_bytes(secrets.token_bytes(50_000))


def cut_off(folder: Path) -> None:
    os.truncate(store(folder), 100_000)


def rotten(folder: Path) -> None:
    size = store(folder).stat().st_size
    with store(folder).open("r+b") as file:
        file.seek(4096)
        file.write(secrets.token_bytes(size - 4096))


def anothers(folder: Path) -> None:
    store(folder).unlink()
    execute(
        folder,
        "CREATE TABLE photos (id INTEGER)",
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('0001')",
    )


def versionless(folder: Path) -> None:
    execute(folder, "DELETE FROM alembic_version")


def newer(folder: Path) -> None:
    execute(folder, "UPDATE alembic_version SET version_num = '9999'")


def a_folder(folder: Path) -> None:
    store(folder).unlink()
    store(folder).mkdir()


def without_key(folder: Path) -> None:
    key(folder).unlink()


def with_another_key(folder: Path) -> None:
    key(folder).write_text(f"deadbeef {'A' * 43}=\n")


def with_garbage_for_a_key(folder: Path) -> None:
    key(folder).write_bytes(secrets.token_bytes(40))


def with_an_open_key(folder: Path) -> None:
    key(folder).chmod(0o644)


BROKEN: dict[Callable[[Path], None], str] = {
    overwritten: "The store's file is no database.",
    cut_off: "The store is damaged. Restore it from a backup.",
    rotten: "The store is damaged. Restore it from a backup.",
    anothers: "This database belongs to another program.",
    versionless: "The store does not tell which schema it has.",
    newer: "The store has a newer schema (9999)",
    a_folder: "The store cannot be opened.",
    without_key: "is missing. Put it back",
    with_another_key: "The key file does not belong to this store",
    with_garbage_for_a_key: "cannot be read. Check its rights, or put a good copy back.",
    with_an_open_key: "which lets too many read or change it.",
}


def content(folder: Path) -> dict[str, bytes]:
    """Return every file, without what SQLite keeps beside an open store."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm", "filler"))
    }


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command on the store in a folder; return the sentence with which it must fail."""

    def run_there(folder: Path, *args: str) -> str:
        config = config_in(folder)
        monkeypatch.setenv("TOURMAIL_DATABASE_URL", config.url)
        monkeypatch.setenv("TOURMAIL_KEY_FILE", str(config.key_file))
        capfd.readouterr()
        code = run(args)
        out, err = capfd.readouterr()
        assert (code, out) == (1, ""), err
        assert len(err.splitlines()) == 1
        return err

    return run_there


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_commands_refuse_it_in_a_sentence(
    broken: Callable[[Path], None], folder: Path, ask: Callable[..., str]
) -> None:
    broken(folder)
    before = content(folder)
    for words in ("user list", "user add BERT", "worker --once", "key rotate", "db check"):
        assert BROKEN[broken] in ask(folder, *words.split())
    assert content(folder) == before


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
async def test_home_tells_it_in_a_sentence(broken: Callable[[Path], None], folder: Path) -> None:
    broken(folder)
    before = content(folder)
    async with console(folder) as driver:
        assert driver.sees("The store is not open")
        # A long path breaks the sentence into lines, between which the menu stands on the screen.
        lines = ["".join(text for text, _tone in line.parts) for line in driver.screen.board.lines]
        assert BROKEN[broken].split(". ")[0] in " ".join(lines)
        assert all(line in driver.text() for line in lines)
        assert driver.kind == "error"
    assert content(folder) == before


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
async def test_a_store_on_a_network_file_system_is_refused(
    kind: str, folder: Path, ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_file_system", lambda _folder: kind)
    assert f"lies on a network file system ({kind})" in ask(folder, "user", "list")
    async with console(folder) as driver:
        assert driver.sees("lies on a network file system")


# ------------------------------------------------------------------ real disks


@pytest.fixture
def disk(tmp_path: Path, template: Path) -> Iterator[SmallDisk]:
    """A disk of two megabytes with a store and its key on it."""
    with SmallDisk(tmp_path / "disk", 2_000_000) as made:
        shutil.copytree(template / "store", made.folder / "store")
        shutil.copytree(template / "key", made.folder / "key")
        yield made


async def test_a_disk_without_any_room_is_told(disk: SmallDisk, ask: Callable[..., str]) -> None:
    before = content(disk.folder)
    disk.fill()
    for words in ("user list", "user add BERT", "worker --once", "db check"):
        assert "The disk that holds the store is full." in ask(disk.folder, *words.split())
    async with console(disk.folder) as driver:
        assert driver.sees("The disk that holds the store is full.")
    disk.free()
    assert content(disk.folder) == before
    async with console(disk.folder, "c", "c") as driver:
        assert driver.sees("Reservations")


async def test_a_disk_that_fills_up_meanwhile_costs_only_what_did_not_fit(disk: SmallDisk) -> None:
    async with console(disk.folder, "c", "c") as driver:
        disk.fill(leave=4096)
        for _ in range(3):
            await driver.press("n")
            await driver.fill("XX", "Extra")
            await driver.press("ctrl+s")
            if driver.kind == "error":
                break
            await driver.press("escape")
        assert driver.sees("The disk that holds the store is full.")
        assert driver.editor("code").value == "XX", "what was typed is still there"
        disk.free()
        await driver.press("ctrl+s")
        assert driver.kind == "done"


async def test_a_read_only_disk_is_told(disk: SmallDisk, ask: Callable[..., str]) -> None:
    before = content(disk.folder)
    disk.remount("ro")
    for words in ("user list", "user add BERT", "worker --once", "key rotate"):
        assert "The store cannot be opened." in ask(disk.folder, *words.split())
    async with console(disk.folder) as driver:
        assert driver.sees("The store cannot be opened.")
    disk.remount("rw")
    assert content(disk.folder) == before
