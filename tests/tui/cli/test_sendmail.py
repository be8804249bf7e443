"""`tourmail sendmail`: sendmail's words, exit codes and ways of reading."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.bootstrap import Services
from tests.stores import save, smtp_raw
from tests.tui.cli.conftest import CommandLine
from tui.cli.sendmail import Words, WrongUse, parse, read_message

MAIL = "To: a@x.test\nSubject: Offer\n\nHi\n"


@pytest.fixture
def office(tourmail: CommandLine, services: Services) -> CommandLine:
    """A System Email Account."""
    save(services, smtp_raw())
    return tourmail


# ------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("a@x.test b@x.test", {"recipients": ["a@x.test", "b@x.test"]}),
        ("-t -i", {"from_headers": True, "ignore_dots": True}),
        ("-ti", {"from_headers": True, "ignore_dots": True}),
        ("-oi -t", {"from_headers": True, "ignore_dots": True}),
        ("-o i", {"ignore_dots": True}),
        ("-it -f jim@x.test", {"from_headers": True, "ignore_dots": True, "sender": "jim@x.test"}),
        ("-fjim@x.test -Fjim a@x.test", {"sender": "jim@x.test", "full_name": "jim"}),
        ("-r jim@x.test", {"sender": "jim@x.test"}),
        ("-f <>", {"sender": "<>"}),
        ("-bm -odb -oem -B8BITMIME -N never -R hdrs -V abc -h 3 -G -U -em -L x -v", {}),
        ("-B 8BITMIME -O ErrorMode=m -X /dev/null -C /etc/x -Am -m -n -p proto -d0.1", {}),
        ("-FCronDaemon -i -odi -oem -oi -t -f root", {"full_name": "CronDaemon"}),  # Debian's cron
        ("-- -t", {"recipients": ["-t"], "from_headers": False}),
        ("a@x.test -t", {"recipients": ["a@x.test", "-t"], "from_headers": False}),
        ("--booking KT1 -t", {"booking": "KT1", "from_headers": True}),
        ("--booking=KT1", {"booking": "KT1"}),
        ("--help", {"help": True}),
    ],
)
def test_the_words_of_real_programs_are_understood(args: str, expected: dict[str, object]) -> None:
    words = parse(args.split())
    assert {name: getattr(words, name) for name in expected} == expected
    assert words.recipients == expected.get("recipients", words.recipients)


@pytest.mark.parametrize(
    "args",
    [
        *(["-bs"], ["-bd"], ["-bp"], ["-bi"], ["-q"], ["-q30m"], ["-Z"], ["-tZ"], ["-f"]),
        *(["--bogus"], ["--booking"], ["-I"], ["-F", "Jim\nBcc: x@y.test"], ["a@x.test\r\nb"]),
    ],
)
def test_others_are_refused(args: list[str]) -> None:
    with pytest.raises(WrongUse):
        parse(args)


def test_nothing_said_is_nothing_asked() -> None:
    assert parse([]) == Words()


@pytest.mark.parametrize(
    ("data", "ignore", "expected"),
    [
        (b"a\n.\nb\n", False, b"a\n"),
        (b"a\r\n.\r\nb\r\n", False, b"a\r\n"),
        (b"a\n.\nb\n", True, b"a\n.\nb\n"),
        (b"a\n..\n.b\n", False, b"a\n..\n.b\n"),
        (b"a\n.", False, b"a\n"),
        (b"no line end", False, b"no line end"),
    ],
)
def test_a_dot_alone_ends_the_message(data: bytes, ignore: bool, expected: bytes) -> None:
    assert read_message(io.BytesIO(data).readline, ignore, 100) == expected


# ------------------------------------------------------------------------------ accepting


def test_a_message_is_queued_and_nothing_is_said(office: CommandLine, services: Services) -> None:
    ended = office("sendmail", "-t", "-i", stdin=MAIL)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    (row,) = services.outbox.list().rows
    assert (row.subject, row.to) == ("Offer", "a@x.test")
    assert office("sendmail", "-v", "a@x.test", stdin=MAIL).err.startswith("Queued as 2")


@pytest.mark.parametrize(
    ("args", "stdin", "code", "words"),
    [
        (("-bs",), MAIL, os.EX_USAGE, "-bs is not offered"),
        (("-f",), MAIL, os.EX_USAGE, "-f wants a value"),
        ((), MAIL, os.EX_USAGE, "No recipient"),
        (("-t",), "Subject: x\n\nHi", os.EX_USAGE, "No recipient"),
        (("root",), MAIL, os.EX_NOUSER, "“root”"),
        (("--booking", "no good", "a@x.test"), MAIL, os.EX_DATAERR, "booking reference"),
        (("a@x.test",), "From: a@b.c\nFrom: d@e.f\n\n", os.EX_DATAERR, "more than one From"),
        (("a@x.test", "b\x1b[2J@"), MAIL, os.EX_NOUSER, "not an email address"),
    ],
)
def test_a_refusal_has_sendmail_s_code_and_our_words(
    office: CommandLine,
    services: Services,
    args: tuple[str, ...],
    stdin: str,
    code: int,
    words: str,
) -> None:
    ended = office("sendmail", *args, stdin=stdin)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("sendmail: ")
    assert words in ended.err
    assert "\x1b" not in ended.err
    assert services.outbox.list().rows == []


def test_without_a_system_email_account_it_is_to_be_tried_again(
    tourmail: CommandLine, services: Services
) -> None:
    ended = tourmail("sendmail", "a@x.test", stdin=MAIL)
    assert (ended.code, "no System Email Account" in ended.err) == (os.EX_TEMPFAIL, True)


def test_without_a_store_it_is_to_be_tried_again(tourmail: CommandLine) -> None:
    ended = tourmail("sendmail", "a@x.test", stdin=MAIL)
    assert (ended.code, "README" in ended.err) == (os.EX_TEMPFAIL, True)


def test_too_large_a_message_is_refused_while_it_is_read(
    office: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOURMAIL_MAX_MESSAGE_MB", "1")
    ended = office("sendmail", "a@x.test", stdin="\n" + "x\n" * 600_000)
    assert (ended.code, "At most 1 MB" in ended.err) == (os.EX_DATAERR, True)


def test_help_tells_the_options(tourmail: CommandLine) -> None:
    ended = tourmail("sendmail", "--help")
    assert ended.code == 0
    assert "--booking REF" in ended.out
    assert "sendmail" in tourmail("--help").out


def test_under_the_name_of_sendmail_it_is_sendmail(environment: Path, services: Services) -> None:
    save(services, smtp_raw())
    link = environment / "sendmail"
    link.symlink_to(Path(sys.executable).with_name("tourmail"))
    ran = subprocess.run(
        [link, "-i", "a@x.test"], input=MAIL.encode(), capture_output=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert len(services.outbox.list().rows) == 1


def test_handing_over_loads_no_database_library(environment: Path) -> None:
    (environment / "store" / "drop").mkdir(parents=True)
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tui", "sendmail", "a@x.test"],
        input=MAIL.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0
    assert len(list((environment / "store" / "drop").iterdir())) == 1
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in ran.stderr.decode().splitlines()
    }
    assert "pydantic" in loaded
    assert not loaded & {"sqlmodel", "sqlalchemy", "typer", "textual", "cryptography"}
