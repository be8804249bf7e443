"""The vault: what is bound to what, and how a wrong key is noticed."""

import errno
import os
import stat
import uuid
from pathlib import Path

import pytest
from pydantic import SecretStr

from models.account import SecretRow
from services.bootstrap import Services, build
from services.errors import ServiceError
from services.secrets.key_ring import WrongKey, open_ring
from tests.stores import SQLITE_ONLY, config_in, imap_raw, save, services_in

SECRET = "correct horse battery staple"
HERE = ("imap", "mail.example.com", "anna")


@pytest.fixture
def owner(services: Services) -> uuid.UUID:
    """An account with a secret of the kind ``password``."""
    account = save(services, imap_raw())
    with services.store.write() as session:
        services.vault.put(session, account.id, "password", SecretStr(SECRET), HERE)
    return account.id


def read(services: Services, owner: uuid.UUID, endpoint: tuple[str, ...] = HERE) -> str | None:
    with services.store.read() as session:
        found = services.vault.get(session, owner, "password", endpoint)
    return found.get_secret_value() if found else None


def test_what_goes_in_comes_out(services: Services, owner: uuid.UUID) -> None:
    assert read(services, owner) == SECRET


def test_another_endpoint_does_not_decrypt(services: Services, owner: uuid.UUID) -> None:
    with pytest.raises(ServiceError, match="not saved for this server"):
        read(services, owner, ("imap", "evil.example", "anna"))


def test_a_row_copied_to_another_account_does_not_decrypt(
    services: Services, owner: uuid.UUID
) -> None:
    other = save(services, imap_raw("OTHER"))
    with services.store.write() as session:
        row = session.get_one(SecretRow, (owner, "password"))
        session.merge(SecretRow.model_validate(row, update={"owner": other.id}))
    with pytest.raises(ServiceError, match="not saved for this server"):
        read(services, other.id)


@SQLITE_ONLY
def test_nothing_secret_lies_in_the_files(
    services: Services, owner: uuid.UUID, tmp_path: Path
) -> None:
    services.close()
    for path in (tmp_path / "store").iterdir():
        assert SECRET.encode() not in path.read_bytes()
        assert b"hunter2" not in path.read_bytes()


def test_the_key_file_is_the_owners_alone(services: Services, tmp_path: Path) -> None:
    key = tmp_path / "key" / "tourmail.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o700])
def test_a_wider_mode_is_refused(services: Services, tmp_path: Path, mode: int) -> None:
    (tmp_path / "key" / "tourmail.key").chmod(mode)
    with pytest.raises(ServiceError, match="lets too many"):
        services_in(tmp_path)


def test_a_group_of_administrators_may_read_it(services: Services, tmp_path: Path) -> None:
    (tmp_path / "key" / "tourmail.key").chmod(0o640)
    services_in(tmp_path).close()


def test_another_key_is_recognised_at_start(services: Services, tmp_path: Path) -> None:
    (tmp_path / "key" / "tourmail.key").unlink()
    open_ring(tmp_path / "key" / "tourmail.key", may_create=True)
    with pytest.raises(WrongKey, match="does not belong to this store"):
        services_in(tmp_path)


def test_another_key_under_the_same_id_is_recognised(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "key" / "tourmail.key"
    key_id = path.read_text().split()[0]
    path.write_text(f"{key_id} {'A' * 43}=\n")
    with pytest.raises(WrongKey, match="does not belong to this store"):
        services_in(tmp_path)


def test_a_missing_key_is_not_replaced_by_a_new_one(services: Services, tmp_path: Path) -> None:
    (tmp_path / "key" / "tourmail.key").unlink()
    with pytest.raises(WrongKey, match="is missing"):
        build(config_in(tmp_path))
    assert not (tmp_path / "key" / "tourmail.key").exists()


@pytest.mark.parametrize("content", ["", "abc", "id !!!!", "id QUJD\n", "ü x"])
def test_an_unusable_key_file_is_named(services: Services, tmp_path: Path, content: str) -> None:
    path = tmp_path / "key" / "tourmail.key"
    path.write_text(content)
    with pytest.raises(ServiceError, match="cannot be read"):
        services_in(tmp_path)


def test_secrets_show_in_no_repr(services: Services, owner: uuid.UUID) -> None:
    account = services.accounts.get("RESERVATIONS")
    draft = services.accounts.draft(imap_raw())
    for shown in (repr(account), repr(draft), str(draft), repr(services), draft.model_dump_json()):
        assert "hunter2" not in shown
        assert SECRET not in shown


def test_no_half_made_key_file_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as vfat says

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ServiceError, match="cannot be made"):
        open_ring(tmp_path / "key", may_create=True)
    assert not list(tmp_path.iterdir())
