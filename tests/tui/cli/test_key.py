"""`tourmail key`: a new key from the command line, and no key in what it says."""

from pathlib import Path

import pytest

from tests.tui.cli.conftest import CommandLine


@pytest.fixture
def key(tourmail: CommandLine) -> Path:
    """A store with one password; returns its key file."""
    tourmail.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", "mail.example.com"),
        *("--user", "res@example.com", "--password-file", "-"),
        stdin="geheim",
    )
    return tourmail.folder / "key" / "tourmail.key"


def test_the_key_is_rotated_and_shown_by_its_id_alone(tourmail: CommandLine, key: Path) -> None:
    ended = tourmail.done("key", "rotate")
    key_id, secret = key.read_text().split()
    assert ended.out == f"1 secret encrypted with the new key {key_id}.\n"
    assert f"Keep a copy of {key}" in ended.err
    assert secret not in ended.out + ended.err
    assert "1 secret decrypted." in tourmail.done("db", "check").out


def test_a_prepared_key_waits_for_the_rotation(tourmail: CommandLine, key: Path) -> None:
    prepared = tourmail.done("key", "rotate", "--prepare", "--json").json["key_id"]
    assert prepared in tourmail.done("key", "rotate", "--prepare").out
    done = tourmail.done("key", "rotate", "--keep-old", "--json").json
    assert done == {"key_id": prepared, "secrets": 1, "old_keys": 1, "path": str(key)}
    assert len(key.read_text().splitlines()) == 2


def test_a_key_that_does_not_fit_is_not_rotated(tourmail: CommandLine, key: Path) -> None:
    key.write_text(f"deadbeef {'A' * 43}=\n")
    ended = tourmail("key", "rotate")
    assert (ended.code, ended.out) == (1, "")
    assert "does not belong to this store" in ended.err
    assert key.read_text().startswith("deadbeef")


def test_the_noun_alone_tells_its_commands(tourmail: CommandLine, key: Path) -> None:
    ended = tourmail("key")
    assert ended.code == 2
    assert "rotate" in ended.err
