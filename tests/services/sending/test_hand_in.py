"""Which way a program's message takes."""

import os
import sqlite3
from pathlib import Path

import pytest

from models.submission import Submission
from services import config as config_module
from services.config import Config
from services.errors import InvalidInput, ServiceError
from services.sending import hand_in as hand_in_module
from services.sending.drop import DropFolder
from services.sending.hand_in import hand_in
from tests.stores import config_in, save, services_in, smtp_raw

MAIL = Submission(data=b"Subject: s\n\nHi", recipients=("a@x.test",))


def dropped(config: Config) -> int:
    return len(DropFolder(config.drop_path).names(0))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A store with an account, and a drop folder beside it."""
    services = services_in(tmp_path)
    save(services, smtp_raw())
    services.close()
    made = config_in(tmp_path)
    made.drop_path.mkdir()
    return made


def test_with_access_to_the_store_it_queues_at_once(config: Config, tmp_path: Path) -> None:
    assert hand_in(MAIL, config).startswith("Queued as 1 with Message-ID <")
    assert dropped(config) == 0
    assert len(services_in(tmp_path).outbox.list().rows) == 1


def test_the_drop_folder_lies_beside_the_store(config: Config, tmp_path: Path) -> None:
    assert config.drop_path == tmp_path / "store" / "drop"
    assert config_in(tmp_path, drop_folder="/x/y").drop_path == Path("/x/y")
    postgres = Config.model_validate({"database_url": "postgresql+psycopg://x/y"})
    assert postgres.drop_path.name == "drop"


def test_who_may_not_read_the_key_hands_over(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.access

    def access(path: Path, mode: int) -> bool:
        return path != config.key_path and real(path, mode)

    monkeypatch.setattr(os, "access", access)
    assert hand_in(MAIL, config) == f"Handed over to {config.drop_path}."
    assert dropped(config) == 1


def test_no_store_is_made_for_a_message(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with pytest.raises(ServiceError, match="Neither the store nor the drop folder"):
        hand_in(MAIL, config)
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_opened_just_now_leaves_the_drop_folder(
    config: Config, tmp_path: Path
) -> None:
    assert config.store_file is not None
    with sqlite3.connect(config.store_file) as store:
        store.execute("UPDATE alembic_version SET version_num = '0000'")
    store.close()
    assert hand_in(MAIL, config) == f"Handed over to {config.drop_path}."
    config.drop_path.rename(tmp_path / "away")
    with pytest.raises(ServiceError, match="older schema"):
        hand_in(MAIL, config)


def test_a_refusal_is_told_at_once_and_dropped_nowhere(config: Config) -> None:
    with pytest.raises(InvalidInput):
        hand_in(MAIL.model_copy(update={"recipients": ("nobody",)}), config)
    assert dropped(config) == 0


def test_a_stranger_means_the_host_s_store_and_not_one_of_his_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "var"
    (system / "drop").mkdir(parents=True)
    for module in (config_module, hand_in_module):
        monkeypatch.setattr(module, "SYSTEM_FOLDER", system)
    own = tmp_path / "own"
    services_in(own).close()
    monkeypatch.setattr(Config, "folder", own / "store")
    config = Config(key_file=own / "key" / "tourmail.key")
    assert hand_in(MAIL, config) == f"Handed over to {system / 'drop'}."


def test_what_is_too_large_is_refused_before_it_is_dropped(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = config_in(tmp_path, max_message_mb=1)
    monkeypatch.setattr(hand_in_module, "_store_is_open", lambda _config: False)
    with pytest.raises(InvalidInput, match="At most 1 MB"):
        hand_in(MAIL.model_copy(update={"data": b"\n" + b"x" * 1_000_001}), small)
    assert dropped(small) == 0
