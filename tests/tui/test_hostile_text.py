"""Foreign text never steers the terminal: mail, servers' words and input, on every screen.

The console runs on a terminal of its own, and what counts are the bytes that it sends there.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.header import Header
from pathlib import Path

import pytest

from tests.hostile import ALL, MARK, PAYLOADS, controls, steering
from tests.servers.mailbox import Mailbox
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.tui.cli.conftest import CommandLine
from tests.tui.terminal.line import Line

GUIDE = "guide@supplier.test"
OFFICE = "office@example.com"


def encoded(text: str) -> str:
    """Write a text as a header field may: every byte of it encoded (RFC 2047)."""
    return Header(text, "utf-8", maxlinelen=10_000).encode(linesep="")


def hostile_mail(name: str, payload: str) -> bytes:
    """Return a mail with the payload wherever text may stand, raw and encoded."""
    raw = payload.replace("\r", "").replace("\x00", "")
    html = "".join(f"&#{ord(char)};" for char in payload)
    lines = [
        f"From: {encoded(payload)} <{GUIDE}>",
        f"To: {encoded(payload)} <desk@operator.test>",
        f"Subject: {encoded(payload)} {raw}",
        f"Message-ID: <{name.replace(' ', '-')}.{raw.replace(' ', '')}@supplier.test>",
        f"X-Mailer: {raw}",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=edge",
        "",
        "--edge",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"{raw}",
        "--edge",
        "Content-Type: text/html; charset=utf-8",
        "",
        f"<p title='{html}'>{html}</p><a href='{html}'>{raw}</a>",
        "--edge",
        "Content-Type: application/pdf",
        f'Content-Disposition: attachment; filename="{encoded(payload)}"',
        "",
        "x",
        "--edge--",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


@pytest.fixture
def environ(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A store of one's own, for this process and others."""
    (tmp_path / "store").mkdir()
    found = {
        "TOURMAIL_DATABASE_URL": f"sqlite:///{tmp_path / 'store' / 'tourmail.sqlite'}",
        "TOURMAIL_KEY_FILE": str(tmp_path / "key" / "tourmail.key"),
        "TOURMAIL_CA_BUNDLE": str(authority.bundle),
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def tourmail(
    environ: dict[str, str],
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> CommandLine:
    """The command line on that store."""
    return CommandLine(capsysbinary, monkeypatch, tmp_path)


def check(tourmail: CommandLine, *args: str, stdin: str = "") -> str:
    """Run a command, and see that nothing but text comes out; return what it wrote."""
    ended = tourmail(*args, stdin=stdin)
    written = ended.raw + ended.err.encode()
    assert (steering(written), controls(written)) == ([], []), args
    return written.decode()


def add_imap(tourmail: CommandLine, host: str, port: int, user: str, password: str) -> None:
    tourmail.done("contact-type", "add", "RS", "--description", "Rooms")
    csv = f"kind,code,name,contact,email,type\nsupplier,SAF,Lodge,,{GUIDE},RS\n"
    tourmail.done("contact", "load", tourmail.file("c.csv", csv))
    tourmail.done("queue", "add", "Errors")
    tourmail.done(
        *("account", "add", "RES", "--protocol", "imap", "--server", host, "--port", str(port)),
        *("--user", user, "--password-file", "-", "--import", "--start", "all"),
        *("--supplier-type", "RS", "--error-queue", "Errors"),
        stdin=password,
    )


@pytest.fixture
def full(tourmail: CommandLine, mailbox: Mailbox) -> CommandLine:
    """An account whose mailbox is full of payloads."""
    add_imap(tourmail, "localhost", mailbox.tls_port, mailbox.user, mailbox.password)
    for name, payload in PAYLOADS.items():
        mailbox.deliver_raw(hostile_mail(name, payload))
    mailbox.deliver_raw(f"\r\nno header {ALL}\r\n".encode("utf-8", "surrogateescape"))
    return tourmail


def test_commands_on_hostile_mail(full: CommandLine) -> None:
    assert MARK in check(full, "import", "RES", "--rehearse")
    check(full, "import", "RES")
    mails = full.done("mail", "list", "--json").json
    assert len(mails) == len(PAYLOADS) + 1
    for words in ("mail list", "mail list --json", "queue-message list", "schedule list",
                  f"mail search {MARK}", "history account RES"):  # fmt: skip
        check(full, *words.split())
    for mail in mails:
        check(full, "mail", "show", str(mail["id"]))
        check(full, "mail", "show", str(mail["id"]), "--json")
    check(full, "mail", "simulate", full.file("x.eml", hostile_mail("new", ALL)))


def test_the_console_on_hostile_mail(full: CommandLine, environ: dict[str, str]) -> None:
    full.done("import", "RES")
    with Line("-m", "tui", environ=environ) as line:
        line.expect("Code Setup")
        line.rest()
        line.send("e")  # Email Management
        line.expect(MARK)
        for _ in range(len(PAYLOADS) + 1):
            line.send("\r")
            line.rest(0.12)
            line.send("\x1b[6~\x1b[6~")  # all of a preview
            line.rest(0.12)
            line.send("\x1b")
            line.rest(0.12)
            line.send("\x1b[B")
        line.send("\x1b")
        line.rest()
        line.send("ce")
        line.expect("RES")
        line.send("R")  # a rehearsal
        line.rest(1.0)
        line.send("\x1b")
        line.rest()
        assert steering(line.written) == []
        line.send("\x11")
        assert line.code() == 0


# ------------------------------------------------------------------ servers' words


def words() -> str:
    """Return all payloads as a server can say them in one line."""
    return ALL.replace("\r", "").replace("\x00", "")


def test_what_an_smtp_server_says(
    tourmail: CommandLine, smtp_server: Callable[..., SmtpServer], environ: dict[str, str]
) -> None:
    server = smtp_server(tls="starttls")
    tourmail.done(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost", "--system"),
        *("--port", str(server.port), "--default-email", OFFICE),
    )
    for stage in ("MAIL", "RCPT", "DOT"):
        server.script.replies = {stage: f"550 5.7.1 {words()}"}  # type: ignore[dict-item]
        check(tourmail, "account", "test", "SEND")
        check(tourmail, "account", "test", "SEND", "--json")
        said = check(tourmail, "send", "--now", "--to", GUIDE, "--subject", f"{MARK} [red]")
        assert MARK in said
    server.script.replies = {"MAIL": f"550 5.7.1 {words()}"}
    for command in ("outbox list", "outbox list --json", "outbox show 1", "outbox show 1 --json"):
        check(tourmail, *command.split())
    with Line("-m", "tui", environ=environ) as line:
        line.expect("Code Setup")
        line.rest()
        line.send("o")
        line.expect(MARK)
        line.send("\r")
        line.rest(1.0)
        line.send("\x1b")
        line.rest()
        line.send("\x1b")
        line.rest()
        line.send("ce")
        line.expect("SEND")
        line.send("\r")
        line.expect("Configuration")
        line.send("\x14")
        line.expect("Sender")
        line.rest(1.0)
        assert steering(line.written) == []


@contextmanager
def talking(*answers: str) -> Iterator[int]:
    """Greet with the first answer, and give the others to a client's commands; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock = listener.accept()[0]
                    with sock, sock.makefile("rb") as heard, suppress(OSError):
                        sock.sendall(answers[0].encode())
                        for answer in answers[1:]:
                            tag = heard.readline().split(b" ")[0]
                            sock.sendall(answer.encode().replace(b"TAG", tag))

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


CAPABLE = f"* CAPABILITY IMAP4rev1 {PAYLOADS['colours']}\r\nTAG OK done\r\n"


@pytest.mark.parametrize(
    "answers",
    [
        (f"* BYE {words()}\r\n",),
        (f"* OK {words()}\r\n", CAPABLE, f"TAG NO {words()}\r\n"),
        (f"* OK {words()}\r\n", CAPABLE, "TAG OK done\r\n", f"TAG NO {words()}\r\n"),
        (f"{words()}\r\n",),
    ],
    ids=["bye", "login", "examine", "no IMAP"],
)
def test_what_an_imap_server_says(tourmail: CommandLine, answers: tuple[str, ...]) -> None:
    with talking(*answers) as port:
        add_imap(tourmail, "127.0.0.1", port, "res", "geheim")
        tourmail.done("account", "edit", "RES", "--security", "none", "--password-file", "-",
                      stdin="geheim")  # fmt: skip
        assert MARK in check(tourmail, "account", "test", "RES")
        check(tourmail, "account", "test", "RES", "--json")
        assert MARK in check(tourmail, "import", "RES")
    check(tourmail, "account", "list", "--json")
    check(tourmail, "account", "list")


# ------------------------------------------------------------------ input


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_what_is_given_to_commands(tourmail: CommandLine, payload: str) -> None:
    text = payload.replace("\x00", "")
    csv = (
        f"kind,code,name,contact,email,type\nsupplier,{text},{text},{text},{text},{text}\n{text}\n"
    )
    toml = f'[[account]]\nname = "x"\nprotocol = """{text}"""\n'.encode("utf-8", "surrogateescape")
    for args in (
        ("account", "show", text),
        ("account", text),
        (text,),
        ("account", "list", text),
        ("user", "add", text),
        ("contact-type", "add", "RS", "--description", text),
        ("account", "add", "X", "--protocol", text),
        ("account", "add", text, "--protocol", "imap", "--server", text),
        ("account", "add", "X", "--protocol", "imap", "--server", "h", "--port", text),
        ("contact", "load", f"/nowhere/{text}"),
        ("contact", "load", tourmail.file("bad.csv", csv.encode("utf-8", "surrogateescape"))),
        ("account", "apply", tourmail.file("bad.toml", toml)),
        ("send", "--to", text, "--subject", text),
        ("send", "--to", GUIDE, "--subject", "x", "--attach", f"/nowhere/{text}"),
        ("import", text),
        ("schedule", "set", text, "--cron", text),
        ("outbox", "resend", text),
        ("mail", "show", text),
        ("history", text, text),
        ("key", text),
    ):
        assert check(tourmail, *args), args
