"""The command line in this process, on a store of its own."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.bootstrap import Services
from tests.stores import config_in, lay_store, services_in
from tui.cli.door import run


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Typed(io.TextIOWrapper):
    """Standard input with something on it; `terminal` makes it look like a person's."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


class CommandLine:
    """Runs `tourmail` with arguments, as the script does."""

    def __init__(self, capsys: Any, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        self.folder = folder

    def __call__(self, *args: str, stdin: str | bytes = "", terminal: bool = False) -> Ended:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        typed = Typed(io.BytesIO(data), encoding="utf-8")
        typed.terminal = terminal
        self._monkeypatch.setattr("sys.stdin", typed)
        self._capsys.readouterr()
        code = run(args)
        seen = self._capsys.readouterr()
        return Ended(code, seen.out, seen.err.decode())

    def done(self, *args: str, stdin: str | bytes = "") -> Ended:
        """Run a command that must succeed."""
        ended = self(*args, stdin=stdin)
        assert ended.code == 0, ended.err
        return ended

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the environment to a new store in the folder that is returned."""
    (tmp_path / "store").mkdir(mode=0o700)
    url = f"sqlite:///{tmp_path / 'store' / 'tourmail.sqlite'}"
    monkeypatch.setenv("TOURMAIL_DATABASE_URL", url)
    monkeypatch.setenv("TOURMAIL_KEY_FILE", str(tmp_path / "key" / "tourmail.key"))
    return tmp_path


@pytest.fixture
def tourmail(environment: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line on a new, empty store."""
    lay_store(config_in(environment))
    return CommandLine(capsysbinary, monkeypatch, environment)


@pytest.fixture
def services(environment: Path) -> Iterator[Services]:
    """The same store from within, to see what the commands did."""
    made = services_in(environment)
    yield made
    made.close()


@pytest.fixture
def codes(tourmail: CommandLine) -> CommandLine:
    """The command line with contact types RS and AC, a user and a queue."""
    tourmail.done("contact-type", "add", "RS", "--description", "Reservations")
    tourmail.done("contact-type", "add", "AC", "--description", "Accounts")
    tourmail.done("user", "add", "anna")
    tourmail.done("queue", "add", "Errors", "--member", "ANNA")
    return tourmail
