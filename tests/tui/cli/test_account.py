"""`tourmail account`: what scripts do with accounts, and what they are told when it is wrong."""

from typing import Any

import pytest

from services.bootstrap import Services
from tests.tui.cli.conftest import CommandLine

IMAP = ("--protocol", "imap", "--server", "mail.example.com", "--user", "res@example.com")
SMTP = ("--protocol", "smtp", "--server", "mail.example.com", "--default-email", "o@example.com")
IDS = "6f1c1b1e-0000-4000-8000-00000000000"
OFFICE = (
    *("--protocol", "office365", "--tenant-id", "contoso.onmicrosoft.com"),
    *("--user-object-id", f"{IDS}a", "--client-id", f"{IDS}b", "--default-email", "o@contoso.com"),
)
PASSWORD = "hunter2 geheim"
BAD_LINES = {"newline": "a\nb", "escape": "a\x1b[2Jb", "bidi": "a\u202eb", "nul": "a\x7fb"}


def add(tourmail: CommandLine, name: str, *options: str) -> None:
    stdin = PASSWORD if "-" in options else ""
    tourmail.done("account", "add", name, *options, stdin=stdin)


@pytest.fixture
def imap(codes: CommandLine) -> CommandLine:
    add(codes, "RESERVATIONS", *IMAP, "--password-file", "-", "--port", "993")
    return codes


# ------------------------------------------------------------------------- add and show


def test_every_option_of_an_imap_account_is_saved(codes: CommandLine) -> None:
    shown = codes.done(
        *("account", "add", "RESERVATIONS", *IMAP, "--port", "143", "--security", "starttls"),
        *("--timeout", "5", "--limit", "3", "--import", "--start", "2026-01-31"),
        *("--error-queue", "errors", "--agent-type", "RS", "--agent-type", "ac"),
        *("--supplier-type", "RS", "--forward", "Ops desk <ops@example.com>"),
        *("--forward", "plain@example.com", "--description", "Replies", "--password-file", "-"),
        "--json",
        stdin=f"{PASSWORD}\n",
    ).json
    assert (
        shown.items()
        >= {
            "name": "RESERVATIONS",
            "protocol": "imap",
            "description": "Replies",
            "server": "mail.example.com",
            "port": 143,
            "user": "res@example.com",
            "security": "starttls",
            "timeout": 5,
            "limit": 3,
            "import": True,
            "start": "2026-01-31",
            "error_queue": "Errors",
            "agent_type": ["AC", "RS"],
            "supplier_type": ["RS"],
            "forward": [
                {"email": "ops@example.com", "name": "Ops desk"},
                {"email": "plain@example.com", "name": ""},
            ],
            "stored_secrets": ["password"],
        }.items()
    )


def test_the_password_that_was_piped_in_is_the_one_that_connects(
    imap: CommandLine, services: Services
) -> None:
    account = services.accounts.get("reservations")
    settings: Any = services.accounts.filled(account)
    assert settings.password.get_secret_value() == PASSWORD


def test_every_option_of_an_smtp_account_is_saved(tourmail: CommandLine) -> None:
    add(
        tourmail,
        "SEND",
        *(*SMTP, "--no-secure", "--from-match", "--no-allow-cc", "--no-allow-bcc"),
        *("--allow-docx", "--system"),
    )
    assert (
        tourmail.done("account", "show", "send", "--json").json.items()
        >= {
            "secure": False,
            "from_match": True,
            "allow_cc": False,
            "allow_bcc": False,
            "allow_docx": True,
            "system": True,
            "user": "",
            "stored_secrets": [],
        }.items()
    )


def test_an_office_365_account_is_listed_with_its_secrets_end(tourmail: CommandLine) -> None:
    secret = tourmail.file("secret", "value~of.it\n")
    add(
        tourmail,
        "OFFICE",
        *OFFICE,
        "--client-secret-file",
        secret,
        "--secret-expires",
        "2031-05-06",
    )
    [listed] = tourmail.done("account", "list", "--json").json
    assert listed["secret_expires"] == "2031-05-06"
    assert (listed["name"], listed["protocol"], listed["system"]) == ("OFFICE", "office365", False)


def test_show_names_stored_secrets_and_never_tells_them(imap: CommandLine) -> None:
    for words in (("show", "reservations"), ("show", "RESERVATIONS", "--json"), ("list",)):
        assert PASSWORD not in imap.done("account", *words).out
    assert "Password" in imap.done("account", "show", "RESERVATIONS").out


def test_an_account_whose_secret_is_missing_is_told_before_anything_is_opened(
    imap: CommandLine,
) -> None:
    exported = imap.done("account", "export").out.replace("mail.example.com", "mx.example.com")
    imap.done("account", "apply", imap.file("a.toml", exported), "--without-secrets", "--yes")
    for options in ((), ("--json",)):
        ended = imap("account", "test", "RESERVATIONS", *options)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == "No Password is stored. Open the account and type it.\n"


def test_list_is_filtered_and_aligned(imap: CommandLine) -> None:
    add(imap, "SEND", *SMTP)
    assert imap.done("account", "list").out.splitlines()[0].startswith("Name          Description")
    assert [row["name"] for row in imap.done("account", "list", "--json").json] == [
        "RESERVATIONS",
        "SEND",
    ]
    assert [row["name"] for row in imap.done("account", "list", "-f", "reser", "--json").json] == [
        "RESERVATIONS"
    ]


def test_an_empty_list_is_an_empty_array_and_a_word_for_people(tourmail: CommandLine) -> None:
    assert tourmail.done("account", "list", "--json").json == []
    assert tourmail.done("account", "list").err.startswith("There is no email account")


def test_a_suspicious_set_up_is_saved_with_a_warning(codes: CommandLine) -> None:
    ended = codes("account", "add", "A", *IMAP, "--password-file", "-", stdin=PASSWORD)
    assert ended.code == 0
    assert "Warning: --port: 587" in ended.err


# ------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "--protocol"),
        (("--protocol", "pop3"), "--protocol"),
        (("--protocol", "imap"), "--server: Required."),
        ((*IMAP, "--port", "0"), "--port: At least 1."),
        ((*IMAP, "--port", "65536"), "--port: At most 65535."),
        ((*IMAP, "--port", "x"), "--port: Enter a whole number."),
        ((*IMAP, "--timeout", "61"), "--timeout: At most 60."),
        ((*IMAP, "--security", "ssl"), "--security"),
        ((*IMAP, "--limit", "0"), "--limit: At least 1."),
        ((*IMAP, "--start", "yesterday"), "--start: "),
        ((*IMAP, "--error-queue", "nowhere"), "--error-queue: There is no queue destination"),
        ((*IMAP, "--agent-type", "ZZ"), "--agent-type: There is no contact type"),
        ((*IMAP, "--forward", "nobody"), "--forward: This is not an email address"),
        ((*IMAP, "--forward", "a@b.com", "--forward", "A@b.com"), "--forward: Each"),
        ((*IMAP, "--system"), "--system: IMAP does not send"),
        ((*IMAP, "--secure"), "--secure: IMAP has no such setting."),
        ((*IMAP, "--default-email", "a@b.com"), "--default-email: IMAP has no such setting."),
        ((*SMTP, "--import"), "--import: SMTP has no such setting."),
        ((*SMTP, "--security", "tls"), "--security: SMTP has no such setting."),
        ((*SMTP, "--clear-client-secret"), "--client-secret-file: SMTP has no such setting."),
        ((*SMTP, "--user", "u"), "--password-file: Enter the password too"),
        ((*SMTP, "--default-email", "nobody"), "--default-email: "),
        (("--protocol", "smtp", "--server", "a b"), "--server: A host name has no spaces."),
        ((*SMTP, "--description", "x" * 61), "--description: At most 60 characters."),
        ((*IMAP, "--password-file", "/nowhere"), "--password-file: The file given cannot be read"),
        ((*IMAP, "--password-file", "/dev/null"), "--password-file: The file given is empty."),
        ((*IMAP, "--password", PASSWORD), "--password"),
        ((*IMAP, "surplus"), "surplus"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_told_by_option_and_saves_nothing(
    codes: CommandLine, options: tuple[str, ...], told: str
) -> None:
    if options[:2] == ("--protocol", "imap") and "--password-file" not in options:
        options = (*options, "--password-file", codes.file("password", PASSWORD))
    ended = codes("account", "add", "NEW", *options)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert codes.done("account", "list", "--json").json == []


def test_a_secret_typed_where_its_file_is_named_is_not_repeated(codes: CommandLine) -> None:
    ended = codes("account", "add", "NEW", *IMAP, "--password-file", PASSWORD)
    assert ended.err == (
        "--password-file: The file given cannot be read: No such file or directory.\n"
    )
    assert codes("account", "add", "NEW", *IMAP, "--password-file", "a\0b").code == 2


@pytest.mark.parametrize("name", ["", "   ", "x" * 31, *BAD_LINES.values()], ids=repr)
def test_a_wrong_name_is_told_at_its_argument(tourmail: CommandLine, name: str) -> None:
    ended = tourmail("account", "add", name, *SMTP)
    assert ended.code == 2
    assert ended.err.startswith("NAME: ")


@pytest.mark.parametrize("option", ["--description", "--server", "--user", "--default-email"])
@pytest.mark.parametrize("text", BAD_LINES.values(), ids=BAD_LINES)
def test_control_characters_are_refused_at_every_text(
    tourmail: CommandLine, option: str, text: str
) -> None:
    ended = tourmail("account", "add", "SEND", *SMTP, option, text)
    assert ended.code == 2
    assert f"{option}: " in ended.err
    assert "\x1b" not in ended.err


def test_a_name_in_other_case_is_taken(imap: CommandLine) -> None:
    ended = imap("account", "add", "Reservations", *SMTP)
    assert ended.code == 2
    assert ended.err == "NAME: There is an account RESERVATIONS already.\n"


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", b"\xff\xfe", "tab\there"])
def test_a_password_file_that_holds_no_password_is_refused(
    tourmail: CommandLine, content: str | bytes
) -> None:
    path = tourmail.file("password", content)
    ended = tourmail("account", "add", "A", *IMAP, "--password-file", path)
    assert ended.code == 2
    assert ended.err.startswith("--password-file: ")


def test_without_a_terminal_a_missing_password_is_an_error_not_a_question(
    tourmail: CommandLine,
) -> None:
    ended = tourmail("account", "add", "A", *IMAP, stdin=PASSWORD)
    assert (ended.code, ended.err) == (2, "--password-file: Required.\n")


def test_a_secrets_id_is_told_apart_from_its_value(tourmail: CommandLine) -> None:
    path = tourmail.file("secret", f"{IDS}c\n")
    ended = tourmail("account", "add", "A", *OFFICE, "--client-secret-file", path)
    assert ended.code == 2
    assert "secret's ID" in ended.err


@pytest.mark.parametrize("command", ["show", "edit", "delete", "test"])
def test_an_unknown_name_fails_in_words(tourmail: CommandLine, command: str) -> None:
    ended = tourmail("account", command, "NOBODY")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "There is no email account NOBODY.\n"


def test_a_name_that_is_told_back_cannot_steer_the_terminal(tourmail: CommandLine) -> None:
    ended = tourmail("account", "show", "\x1b[2Jx")
    assert (ended.code, "\x1b" not in ended.err) == (1, True)
    assert "[2Jx" in ended.err


# ------------------------------------------------------------------------- edit


def test_edit_changes_only_what_is_named(imap: CommandLine) -> None:
    imap.done("account", "edit", "reservations", "--agent-type", "RS", "--import", "--limit", "2")
    before = imap.done("account", "show", "RESERVATIONS", "--json").json
    imap.done("account", "edit", "RESERVATIONS", "--description", "New words")
    after = imap.done("account", "show", "RESERVATIONS", "--json").json
    changed = {key for key in before if before[key] != after[key]}
    assert changed - {"updated_at"} == {"description"}


def test_edit_replaces_and_empties_lists_and_limits(imap: CommandLine) -> None:
    imap.done(
        *("account", "edit", "RESERVATIONS", "--agent-type", "RS", "--agent-type", "AC"),
        *("--forward", "a@b.com", "--limit", "2", "--error-queue", "Errors"),
    )
    imap.done(
        *("account", "edit", "RESERVATIONS", "--agent-type", "AC", "--forward", ""),
        *("--no-limit", "--error-queue", ""),
    )
    shown = imap.done("account", "show", "RESERVATIONS", "--json").json
    assert (shown["agent_type"], shown["forward"]) == (["AC"], [])
    assert (shown["limit"], shown["error_queue"]) == (None, None)


def test_a_stored_password_must_be_typed_again_for_another_server(imap: CommandLine) -> None:
    ended = imap("account", "edit", "RESERVATIONS", "--server", "evil.example.com")
    assert ended.code == 2
    assert ended.err.startswith("--password-file: Type it again")
    imap.done(
        *("account", "edit", "RESERVATIONS", "--server", "new.example.com"),
        *("--password-file", "-"),
        stdin=PASSWORD,
    )


def test_clearing_a_password_needs_no_new_one_where_none_is_needed(tourmail: CommandLine) -> None:
    add(tourmail, "SEND", *SMTP, "--user", "u", "--password-file", "-")
    assert tourmail("account", "edit", "SEND", "--clear-password").code == 2
    tourmail.done("account", "edit", "SEND", "--clear-password", "--user", "")
    assert tourmail.done("account", "show", "SEND", "--json").json["stored_secrets"] == []


def test_a_new_password_and_clearing_it_exclude_each_other(imap: CommandLine) -> None:
    path = imap.file("password", PASSWORD)
    ended = imap(*("account", "edit", "RESERVATIONS", "--clear-password", "--password-file", path))
    assert ended.code == 2
    assert "--clear-password" in ended.err


# ------------------------------------------------------------------------- consent


def test_handing_over_is_asked_for_outright(tourmail: CommandLine) -> None:
    add(tourmail, "OLD", *SMTP, "--system")
    ended = tourmail("account", "add", "NEW", *SMTP, "--system")
    assert ended.code == 1
    assert "Hand over to NEW?" in ended.err
    assert "--yes" in ended.err
    tourmail.done("account", "add", "NEW", *SMTP, "--system", "--yes")
    listed = tourmail.done("account", "list", "--json").json
    assert {row["name"]: row["system"] for row in listed} == {"NEW": True, "OLD": False}


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_on_a_terminal_consent_is_a_question(tourmail: CommandLine, answer: str, code: int) -> None:
    add(tourmail, "OLD", *SMTP, "--system")
    ended = tourmail("account", "add", "NEW", *SMTP, "--system", stdin=answer, terminal=True)
    assert ended.code == code
    assert "[y/N]" in ended.err


def test_another_protocol_keeps_what_both_share_and_drops_the_secret(imap: CommandLine) -> None:
    words = ("account", "edit", "RESERVATIONS", "--protocol", "smtp", "--default-email", "o@x.com")
    path = imap.file("password", PASSWORD)
    refused = imap(*words, "--password-file", path)
    assert refused.code == 1
    assert "stored secrets are discarded" in refused.err
    shown = imap.done(*words, "--password-file", path, "--yes", "--json").json
    assert (shown["server"], shown["user"]) == ("mail.example.com", "res@example.com")
    assert shown["port"] == 587


def test_delete_asks_on_a_terminal_only(imap: CommandLine) -> None:
    kept = imap("account", "delete", "RESERVATIONS", stdin="n\n", terminal=True)
    assert kept.code == 1
    assert "its forward list" in kept.err
    imap.done("account", "delete", "RESERVATIONS")
    assert imap.done("account", "list", "--json").json == []


def test_the_system_email_account_cannot_be_deleted(tourmail: CommandLine) -> None:
    add(tourmail, "SEND", *SMTP, "--system")
    ended = tourmail("account", "delete", "SEND", "--yes")
    assert ended.code == 1
    assert "is the System Email Account" in ended.err


def test_an_import_without_contact_types_is_warned_of_and_saved(codes: CommandLine) -> None:
    told = codes.done(
        *("account", "add", "NEW", *IMAP, "--import", "--password-file", "-"), stdin=PASSWORD
    ).err
    assert "Warning: --agent-type: No contact type is ticked on either side" in told
    told = codes.done("account", "edit", "NEW", "--supplier-type", "RS").err
    assert "No contact type" not in told
