"""Nothing secret leaks: every secret in use is looked for in all that is written or shown.

Files of the store, logs, crash reports, exports, what commands and the console write to a terminal,
the process list, and drafts that a dropped line leaves, against servers that echo what they hear.
"""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from services.accounts.overview import AccountList
from services.secrets.vault import Vault
from tests.servers.cloud.contoso import ADDRESS, CLIENT, SECRET, TENANT, USER, Contoso
from tests.servers.mailbox import Mailbox
from tests.servers.postfix import Postfix
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.stores import services_in
from tests.tui.cli.conftest import CommandLine
from tests.tui.terminal.line import Line

TOURMAIL = (sys.executable, "-m", "tui")
OFFICE = "office@example.com"


def token(kind: str) -> str:
    """Return a secret that is nowhere else, with what quoting and markup trip over."""
    return f'{kind}&"[b]%41\\{secrets.token_hex(8)}'


def forms(secret: str) -> set[bytes]:
    """Return how a secret may look where it leaks: plain, quoted, encoded."""
    raw = secret.encode()
    shifted = [base64.b64encode(bytes(shift) + raw) for shift in range(3)]
    return {
        raw,
        secret.encode("utf-16-le"),
        raw.hex().encode(),
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        repr(raw)[2:-1].encode(),
        secret.replace("&", "&amp;").replace('"', "&quot;").encode(),
        secret.replace("[", "\\[").encode(),
        *(one[4:-4] for one in shifted),  # in base64, wherever it begins
        re.sub(r".*\\", "", secret).encode(),  # its random part alone, however the rest is drawn
    }


class Watch:
    """Keeps the secrets in use, and everything that anybody could have seen."""

    def __init__(self, command_line: CommandLine, authority: Authority) -> None:
        self.command_line, self.folder = command_line, command_line.folder
        store, key = self.folder / "store" / "tourmail.sqlite", self.folder / "key" / "tourmail.key"
        store.parent.mkdir(mode=0o700, exist_ok=True)
        self.secrets: dict[str, str] = {}
        self.seen: dict[str, bytes] = {}
        self.environ = {
            "TOURMAIL_DATABASE_URL": f"sqlite:///{store}",
            "TOURMAIL_KEY_FILE": str(key),
            "TOURMAIL_CA_BUNDLE": str(authority.bundle),
        }

    def new(self, kind: str) -> str:
        """Return a new secret, watched from now on."""
        return self.know(kind, token(kind))

    def know(self, kind: str, secret: str) -> str:
        self.secrets[kind] = secret
        return secret

    def run(self, *args: str, stdin: str = "", code: int | None = 0) -> str:
        """Run a command, keeping what it wrote; return its standard output."""
        ended = self.command_line(*args, stdin=stdin)
        self.seen[" ".join(args)] = ended.raw + ended.err.encode()
        assert code is None or ended.code == code, ended.err
        return ended.out

    def start(self, *args: str, stdin: str = "") -> None:
        """Run a command that must succeed as others see it: in a process of its own."""
        ended = subprocess.run(
            [*TOURMAIL, *args],
            input=stdin.encode(),
            capture_output=True,
            env=os.environ | self.environ,
            timeout=60,
            check=False,
        )
        self.seen[" ".join(args)] = ended.stdout + ended.stderr
        assert ended.returncode == 0, ended.stderr.decode()

    @contextmanager
    def watching_processes(self) -> Iterator[None]:
        """Read every command line, as others may, again and again while the block runs."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.01):
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        self.seen[f"a command line of {path.parent.name}"] = path.read_bytes()
                    except OSError:
                        continue

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def check(self) -> None:
        """Fail with the place where any secret can be read; never with the secret."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "tourmail.key":
                self.seen[str(path)] = path.read_bytes()
        patterns = {kind: forms(secret) for kind, secret in self.secrets.items()}
        found = [
            f"the {kind} in {place}"
            for kind in self.secrets
            for place, data in self.seen.items()
            if any(form in data for form in patterns[kind])
        ]
        assert not found, "; ".join(found)


@pytest.fixture
def watch(
    tmp_path: Path,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Watch:
    """Secrets of a store in a folder that holds the home of whoever works on it too."""
    made = Watch(CommandLine(capsysbinary, monkeypatch, tmp_path), authority)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def imap(watch: Watch, mailbox: Mailbox) -> tuple[str, ...]:
    """Add account RES on a real mailbox; returns its options."""
    watch.know("password of the mailbox", mailbox.password)
    options = ("--protocol", "imap", "--server", "localhost", "--port", str(mailbox.tls_port))
    options += ("--user", mailbox.user, "--password-file", "-")
    watch.run("account", "add", "RES", *options, "--import", "--start", "all",
              stdin=mailbox.password)  # fmt: skip
    return options


def test_the_watch_finds_what_it_looks_for(watch: Watch) -> None:
    secret = watch.new("password")
    for form in forms(secret):
        watch.seen = {"a screen": b"", "a log": b"x" * 5 + form}
        with pytest.raises(AssertionError, match="the password in a log"):
            watch.check()


def test_commands_and_files(watch: Watch, imap: tuple[str, ...], postfix: Postfix) -> None:
    password = watch.new("password of the login")
    postfix.add_user(OFFICE, password)
    smtp = ("--protocol", "smtp", "--server", "localhost", "--port", str(postfix.port))
    smtp += ("--user", OFFICE, "--default-email", OFFICE, "--password-file", "-")
    with watch.watching_processes():
        watch.start("account", "add", "SEND", *smtp, "--system", stdin=password)
        watch.start("account", "test", "SEND")
        watch.run("account", "test", "RES", "--json")
        wrong = watch.new("wrong password")
        watch.run("account", "edit", "RES", "--password-file", "-", stdin=wrong)
        watch.run("account", "test", "RES", code=1)
        watch.run("import", "RES", "--json", code=1)
        watch.run("send", "--now", "--to", "guide@supplier.test", "--subject", "Rooms")
        watch.run("worker", "--once", code=None)
    for words in (
        "account list --json", "account show RES --json", "account show SEND", "account export",
        "history account RES --json", "history account SEND", "outbox list --json", "db check",
        "schedule list", "key rotate", "account add RES --protocol imap",
    ):  # fmt: skip
        watch.run(*words.split(), code=None)
    with services_in(watch.folder).store.read():  # -wal and -shm are there only while it is open
        watch.check()
    watch.check()


def test_keys_of_the_vault(watch: Watch, imap: tuple[str, ...]) -> None:
    def note() -> None:
        for number, line in enumerate((watch.folder / "key" / "tourmail.key").read_text().split()):
            if number % 2:
                watch.know(f"key {number} of {len(watch.secrets)}", line)

    note()
    watch.run("key", "rotate", "--prepare", "--json")
    note()
    watch.run("key", "rotate", "--json")
    watch.run("db", "check")
    watch.run("account", "list")
    watch.check()


def test_office_365(watch: Watch, contoso: Contoso, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.know("client secret", SECRET)
    for name, url in (
        ("O365_LOGIN_URL", contoso.cloud.login_url),
        ("GRAPH_URL", contoso.cloud.graph_url),
    ):
        monkeypatch.setenv(f"TOURMAIL_{name}", url)
    ids = ("--tenant-id", TENANT, "--user-object-id", USER, "--client-id", CLIENT)
    options = ("--protocol", "office365", *ids, "--cloud", "custom", "--default-email", ADDRESS)
    with watch.watching_processes():
        watch.start("account", "add", "OFFICE", *options, "--client-secret-file", "-", "--import",
                    stdin=SECRET)  # fmt: skip
        watch.run("account", "test", "OFFICE", "--json")
        watch.run("import", "OFFICE", "--json")
        wrong = watch.new("wrong client secret")
        watch.run("account", "edit", "OFFICE", "--client-secret-file", "-", stdin=wrong)
        watch.run("account", "test", "OFFICE", "--json", code=1)
        watch.run("import", "OFFICE", code=1)
    for words in ("account show OFFICE --json", "account export", "history account OFFICE"):
        watch.run(*words.split())
    watch.check()


@pytest.mark.parametrize("stage", ["AUTH", "MAIL", "RCPT", "DOT"])
def test_a_server_that_echoes_the_password(
    watch: Watch, smtp_server: Callable[..., SmtpServer], stage: str
) -> None:
    password = watch.new("echoed password")
    server = smtp_server(users={OFFICE: password})
    plain = base64.b64encode(f"\0{OFFICE}\0{password}".encode()).decode()
    server.script.replies[stage] = f"550 5.7.8 you said {password} or {plain}"  # type: ignore[index]
    watch.run(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost", "--system"),
        *("--port", str(server.port), "--user", OFFICE, "--default-email", OFFICE),
        *("--password-file", "-"),
        stdin=password,
    )
    watch.run("account", "test", "SEND", code=None)
    watch.run("send", "--now", "--to", "guide@supplier.test", "--subject", "Rooms", code=None)
    shown = watch.run("outbox", "list", "--json")
    assert "you said" in shown
    watch.check()


def test_the_console(watch: Watch, imap: tuple[str, ...]) -> None:
    typed, other = watch.new("typed password"), watch.new("other password")
    with watch.watching_processes(), Line("-m", "tui", environ=watch.environ) as line:
        line.expect("Code Setup")
        line.send("ce")
        line.expect("RES")
        line.send("\r")
        line.expect("Configuration")
        line.send("\t" * 4)
        line.expect("A Password is stored")
        line.send(typed)
        line.send("\t" + other)
        line.send("\x13")  # Save: the repeat differs
        line.expect("differs")
        line.send("\x7f" * len(other) + typed)
        line.send("\x14")  # Test Connection
        line.expect("refuses the login")
        line.send("\x1b")
        line.rest()
        line.send("\x07")  # help
        line.rest()
        line.send("\x1b")
        line.rest()
        line.hang_up()
        line.code()
        watch.seen["the console"] = line.written
    watch.check()


def test_a_crash(watch: Watch, imap: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    secret = watch.new("secret in the crash")

    def broken(*_args: object, **_more: object) -> object:
        password = secret
        raise RuntimeError(f"cannot encrypt {password}")

    for owner, name, words in (
        (Vault, "get", "import RES"),
        (Vault, "kinds", "account show RES"),
        (AccountList, "lines", "account list"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, broken)
            watch.run(*words.split(), code=1)
        assert b"tourmail broke (RuntimeError)" in watch.seen[words]
    assert list(watch.folder.rglob("console.log"))
    watch.check()
