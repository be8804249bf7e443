"""`tourmail account export` and `apply`: plans, exit codes, questions and secrets."""

import pytest

from tests.tui.cli.conftest import CommandLine

SMTP = ("--protocol", "smtp", "--server", "mail.example.com", "--default-email", "office@e.com")


@pytest.fixture
def sending(tourmail: CommandLine) -> CommandLine:
    """A system account SEND with a password."""
    words = ("--user", "office", "--password-file", "-", "--system")
    tourmail.done("account", "add", "SEND", *SMTP, *words, stdin="geheim-8371")
    return tourmail


def test_export_and_check_agree(sending: CommandLine) -> None:
    exported = sending.done("account", "export")
    assert "geheim" not in exported.out
    file = sending.file("accounts.toml", exported.raw)
    ended = sending.done("account", "apply", file, "--check")
    assert ended.out.split() == ["unchanged", "SEND", "password:", "kept"]
    assert sending("account", "apply", "-", "--check", stdin=exported.raw).code == 0
    assert sending("account", "export", "NOBODY").code == 1


def test_drift_is_told_by_the_exit_code_and_apply_mends_it_once(sending: CommandLine) -> None:
    text = sending.done("account", "export").out
    wanted = sending.file("accounts.toml", text.replace("port = 587", "port = 465"))
    checked = sending("account", "apply", wanted, "--check")
    assert checked.code == 1
    assert "port: 587 -> 465" in checked.out
    assert sending.done("account", "export").out == text
    assert "changed 1" in sending.done("account", "apply", wanted).err
    assert sending.done("account", "apply", wanted, "--check").err == ""
    assert "Nothing to change" in sending.done("account", "apply", wanted).err


def test_a_plan_is_told_as_json(sending: CommandLine) -> None:
    text = sending.done("account", "export").out.replace("port = 587", "port = 465")
    ended = sending("account", "apply", "-", "--check", "--json", stdin=text)
    assert ended.json == [
        {
            "account": "SEND",
            "action": "change",
            "changes": [{"field": "port", "old": 587, "new": 465}],
            "secrets": {"password": "kept"},
            "questions": [],
        }
    ]


def test_missing_secrets_are_refused_or_left_for_later(sending: CommandLine) -> None:
    text = sending.done("account", "export").out.replace("mail.example.com", "other.example.com")
    ended = sending("account", "apply", "-", stdin=text)
    assert ended.code == 1
    assert "SEND (password)" in ended.err
    assert "--without-secrets" in ended.err
    assert "mail.example.com" in sending.done("account", "export").out
    sending.done("account", "apply", "-", "--without-secrets", stdin=text)
    assert sending.done("account", "show", "SEND", "--json").json["stored_secrets"] == []


def test_on_a_terminal_the_plan_is_confirmed_and_secrets_are_asked_for(
    sending: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda text: asked.append(text) or "typed")
    text = sending.done("account", "export").out.replace("mail.example.com", "other.example.com")
    file = sending.file("accounts.toml", text)
    assert sending("account", "apply", file, stdin="n\n", terminal=True).code == 1
    assert asked == []
    assert sending("account", "apply", file, stdin="y\n", terminal=True).code == 0
    assert asked == ["SEND: Password: ", "SEND: Password Repeat: "]
    assert sending.done("account", "show", "SEND", "--json").json["stored_secrets"] == ["password"]


def test_a_hand_over_is_agreed_to_by_yes(sending: CommandLine) -> None:
    text = sending.done("account", "export").out.replace('"SEND"', '"OTHER"')
    text = text.replace('user = "office"', 'user = ""')
    refused = sending("account", "apply", "-", stdin=text)
    assert refused.code == 1
    assert "Hand over to OTHER?" in refused.err
    assert "--yes" in refused.err
    sending.done("account", "apply", "-", "--yes", stdin=text)
    assert sending.done("account", "show", "OTHER", "--json").json["system"] is True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            b'[[account]]\nname = "A"\nprotocol = "imap"\nserver = "a"\nuser = "b"\nport = 0',
            "line 6",
        ),
        (b"\xff", "UTF-8"),
        (b"a =", "line 1"),
    ],
)
def test_a_wrong_file_is_wrong_use(tourmail: CommandLine, text: bytes, told: str) -> None:
    ended = tourmail("account", "apply", "-", stdin=text)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert tourmail("account", "apply", "/nowhere").code == 2
