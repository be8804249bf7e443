"""Another key for all secrets: whatever is cut short or runs beside it, none is ever unreadable."""

import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from models.account import SecretRow
from services.bootstrap import Services
from services.errors import ServiceError
from services.secrets import key_ring
from services.secrets.key_ring import WrongKey, open_ring
from services.secrets.vault import Vault
from tests.crash import killed_at_each_step
from tests.stores import SQLITE_ONLY, imap_raw, office365_raw, save, services_in

PASSWORDS = {"RESERVATIONS": "first secret", "GROUPS": "second secret"}


def fill(services: Services) -> None:
    for name, password in PASSWORDS.items():
        save(services, imap_raw(name, password=password))


def check(services: Services) -> None:
    """See that every secret is read as it was saved."""
    for name, password in PASSWORDS.items():
        filled = services.accounts.filled(services.accounts.get(name))
        assert filled.password.get_secret_value() == password  # type: ignore[attr-defined]


def key_ids(services: Services) -> set[str]:
    """Return the keys that secrets are encrypted with."""
    with services.store.read() as session:
        return set(session.exec(select(SecretRow.key_id)))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "key" / "tourmail.key"


@pytest.fixture
def full(services: Services) -> Services:
    fill(services)
    return services


def test_every_secret_is_encrypted_with_a_new_key(full: Services, key: Path) -> None:
    before = key.read_text()
    done = full.key.rotate()
    assert (done.secrets, done.old_keys) == (2, 0)
    assert key_ids(full) == set(open_ring(key, may_create=False).keys) == {done.key_id}
    assert done.key_id not in before
    check(full)


def test_the_rotated_store_opens_with_the_new_key_alone(
    full: Services, key: Path, tmp_path: Path
) -> None:
    old = key.read_bytes()
    full.key.rotate()
    again = services_in(tmp_path)
    check(again)
    again.close()
    key.write_bytes(old)
    with pytest.raises(WrongKey, match="does not belong to this store"):
        services_in(tmp_path)


@SQLITE_ONLY
def test_old_keys_stay_for_older_backups_where_asked_for(
    full: Services, key: Path, tmp_path: Path
) -> None:
    full.close()
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    full.key.rotate(keep_old=True)
    full.key.rotate(keep_old=True)
    assert len(open_ring(key, may_create=False).keys) == 3
    full.close()
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "backup").rename(tmp_path / "store")
    restored = services_in(tmp_path)
    check(restored)
    restored.key.rotate()
    check(restored)
    restored.close()


def test_a_prepared_key_is_the_one_that_is_used(full: Services, key: Path) -> None:
    prepared = full.key.prepare()
    assert full.key.prepare() == prepared
    assert key_ids(full) != {prepared}
    assert full.key.rotate().key_id == prepared
    assert list(open_ring(key, may_create=False).keys) == [prepared]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_file_keeps_its_mode_and_group(full: Services, key: Path, mode: int) -> None:
    key.chmod(mode)
    if os.geteuid() == 0:
        os.chown(key, 0, 1)
    before = key.stat()
    full.key.rotate()
    after = key.stat()
    assert stat.S_IMODE(after.st_mode) == mode
    assert after.st_uid == before.st_uid
    assert after.st_gid == before.st_gid or mode == 0o600, "the group that the mode lets in"
    assert [path.name for path in key.parent.iterdir()] == [key.name]


def test_a_link_to_the_file_stays_one(full: Services, key: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "the.key"
    key.rename(real)
    key.symlink_to(real)
    full.key.rotate()
    assert key.is_symlink()
    assert not real.is_symlink()
    check(full)


def test_a_secret_that_cannot_be_read_stops_it_and_changes_nothing(full: Services) -> None:
    before = key_ids(full)
    with full.store.write() as session:
        account = full.accounts.get("GROUPS")
        full.vault.put(session, account.id, "password", SecretStr("x"), ("imap", "else", "who"))
    with pytest.raises(ServiceError, match="secret of GROUPS cannot be read"):
        full.key.rotate()
    assert key_ids(full) == before
    save(full, imap_raw("GROUPS", password=PASSWORDS["GROUPS"]), of=account.id)
    full.key.rotate()
    check(full)


def test_a_file_that_cannot_be_replaced_stops_it_before_anything_is_done(
    full: Services, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, content = key_ids(full), key.read_bytes()

    def refuse(*_args: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        with pytest.raises(ServiceError, match=r"cannot be replaced: Read-only file system"):
            full.key.rotate()
    assert (key_ids(full), key.read_bytes()) == (before, content)
    assert [path.name for path in key.parent.iterdir()] == [key.name]
    full.key.rotate()


def test_two_rotations_at_once_are_one(full: Services, key: Path) -> None:
    with key_ring.alone(key), pytest.raises(ServiceError, match="Another program is changing"):
        full.key.rotate()
    check(full)


# ------------------------------------------------------------------ beside others


def test_a_program_that_began_before_reads_and_writes_on(full: Services, tmp_path: Path) -> None:
    console = services_in(tmp_path)
    check(console)
    done = full.key.rotate()
    save(console, office365_raw())
    check(console)
    assert key_ids(full) == {done.key_id}, "a secret saved after it is encrypted with the new key"
    console.close()
    check(full)


def test_a_program_with_another_file_is_told_what_to_do(full: Services, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "key", tmp_path / "copy" / "key")
    config = full.config.model_copy(update={"key_file": tmp_path / "copy" / "key" / "tourmail.key"})
    from services.bootstrap import build

    other_host = build(config)
    full.key.rotate()
    for attempt in (lambda: check(other_host), lambda: save(other_host, office365_raw())):
        with pytest.raises(WrongKey, match="is not in it"):
            attempt()
    assert "copy it from there" in str(_failure(lambda: check(other_host)))
    shutil.copy(tmp_path / "key" / "tourmail.key", tmp_path / "copy" / "key")
    check(other_host)
    other_host.close()


def _failure(attempt: Callable[[], None]) -> Exception:
    with pytest.raises(ServiceError) as caught:
        attempt()
    return caught.value


def test_secrets_are_saved_while_keys_change(full: Services, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def save_some() -> None:
        mine = services_in(tmp_path)
        try:
            for number in range(6):
                save(mine, office365_raw(f"OFFICE{number}"))
        except BaseException as error:
            failures.append(error)
        mine.close()

    writer = threading.Thread(target=save_some)
    writer.start()
    for _ in range(6):
        full.key.rotate()
    writer.join()
    assert failures == []
    done = full.key.rotate()
    assert (done.secrets, key_ids(full)) == (8, {done.key_id})
    check(full)


# ------------------------------------------------------------------ kill -9


def rotate(folder: Path) -> None:
    """Rotate the key of the store in a folder, in a process of its own."""
    services_in(folder).key.rotate()


def test_kill_9_at_any_step_leaves_every_secret_readable(tmp_path: Path) -> None:
    template = services_in(tmp_path / "template")
    fill(template)
    template.close()

    def prepare(step: int) -> Path:
        return Path(shutil.copytree(tmp_path / "template", tmp_path / f"case{step}"))

    cases = 0
    for folder in killed_at_each_step(prepare, rotate):
        cases += 1
        services = services_in(folder)
        check(services)
        key = folder / "key" / "tourmail.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        services.key.rotate()
        check(services)
        ring = open_ring(key, may_create=False)
        assert len(ring.keys) == 1
        assert key_ids(services) == set(ring.keys)
        assert [path.name for path in key.parent.iterdir()] == [key.name], "no draft is left"
        services.close()
    assert cases > 8


def test_a_vault_asks_the_store_for_the_key_in_use(full: Services, key: Path) -> None:
    full.key.prepare()
    fresh = Vault(open_ring(key, may_create=False), lambda: open_ring(key, may_create=False))
    with full.store.read() as session:
        assert {fresh.current(session)} == key_ids(full)
