"""`tourmail send` and `tourmail outbox`, against an SMTP server that does wrong on request."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from models.submission import Submission
from services.config import read_config
from services.sending.drop import DropFolder
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority
from tests.tui.cli.conftest import CommandLine, Ended


def message(raw: bytes) -> EmailMessage:
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.fixture
def server(smtp_server: Callable[..., SmtpServer]) -> SmtpServer:
    return smtp_server(users={"office@example.com": "geheim"})


@pytest.fixture
def office(
    tourmail: CommandLine,
    server: SmtpServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> CommandLine:
    """A System Email Account on the server."""
    monkeypatch.setenv("TOURMAIL_CA_BUNDLE", str(authority.bundle))
    tourmail.done(
        *("account", "add", "SEND", "--protocol", "smtp", "--server", "localhost", "--system"),
        *("--port", str(server.port), "--user", "office@example.com", "--password-file", "-"),
        *("--default-email", "office@example.com"),
        stdin="geheim",
    )
    return tourmail


def queue(tourmail: CommandLine, *options: str) -> Ended:
    return tourmail.done("send", "--to", "guide@example.com", *options, "--json")


# ------------------------------------------------------------------------- send


def test_a_message_is_queued_and_told_as_json(office: CommandLine, server: SmtpServer) -> None:
    sent = queue(office, "--subject", "Hello").json
    assert set(sent) == {"id", "message_id", "state"}
    assert sent["state"] == "queued"
    assert sent["message_id"].startswith("<")
    assert server.mails == []


def test_without_a_worker_send_and_list_say_so(office: CommandLine) -> None:
    assert "No worker has been alive lately" in queue(office).err
    assert "No worker has been alive lately" in office.done("outbox", "list").err


def test_everything_that_was_given_arrives(office: CommandLine, server: SmtpServer) -> None:
    body = office.file("body.txt", b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe\n")
    page = office.file("page.html", "<p>Hi</p>")
    plan = office.file("plan.pdf", b"%PDF\x00")
    ended = office.done(
        *("send", "--to", "Guide <guide@example.com>", "--to", "b@example.com"),
        *("--cc", "c@example.com", "--bcc", "d@example.com", "--from", "anna@example.com"),
        *("--subject", "Tour", "--body-file", body, "--html-file", page, "--attach", plan),
        *("--booking", "TP-1/2", "--now", "--json"),
    )
    assert ended.json["state"] == "sent"
    [mail] = server.mails
    found = message(mail.content)
    assert mail.sender == "office@example.com"
    assert mail.recipients == (
        "guide@example.com",
        "b@example.com",
        "c@example.com",
        "d@example.com",
    )
    assert (found["From"], found["Cc"]) == ("anna@example.com", "c@example.com")
    assert found["Subject"].startswith("Tour [#TP-1/2-")
    assert found["Bcc"] is None
    # The Message-ID is random, and may end in the recipient's letter.
    rest = mail.content.replace(found["Message-ID"].encode(), b"")
    assert b"d@example.com" not in rest
    text = found.get_body(("plain",))
    assert text is not None
    assert text.get_content().strip() == "Grüße"
    [attached] = found.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("plan.pdf", "application/pdf")


def test_the_body_comes_from_standard_input(office: CommandLine, server: SmtpServer) -> None:
    office.done("send", "--to", "a@example.com", "--body-file", "-", "--now", stdin="Over there")
    assert b"Over there" in server.mails[0].content


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "--to: Enter at least one recipient."),
        (("--to", "nobody"), "--to: "),
        (("--to", "a@b.com", "--cc", "x"), "--cc: "),
        (("--to", "a@b.com\nBcc: z@b.com"), "--to: "),
        (("--to", "a@b.com", "--subject", "a\nBcc: z@b.com"), "--subject: "),
        (("--to", "a@b.com", "--from", "x"), "--from: "),
        (("--to", "a@b.com", "--booking", "no spaces"), "--booking: "),
        (("--to", "a@b.com", "--body-file", "/nowhere"), "--body-file: /nowhere cannot be read"),
        (("--to", "a@b.com", "--html-file", "/nowhere"), "--html-file: /nowhere cannot be read"),
        (("--to", "a@b.com", "--attach", "/nowhere"), "--attach: /nowhere cannot be read"),
        (("--to", "a@b.com", "--body-file", "-", "--html-file", "-"), "--html-file: Only one"),
        (("--to", "a@b.com", "surplus"), "surplus"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_a_wrong_message_is_told_by_option_and_not_queued(
    office: CommandLine, options: tuple[str, ...], told: str
) -> None:
    ended = office("send", *options)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert office.done("outbox", "list", "--json").json == []


def test_the_rules_of_the_account_refuse_by_name(office: CommandLine) -> None:
    office.done("account", "edit", "SEND", "--no-allow-cc", "--no-allow-bcc")
    word = office.file("offer.docx", b"PK")
    ended = office(
        *("send", "--to", "a@b.com", "--cc", "c@b.com", "--bcc", "d@b.com", "--attach", word)
    )
    assert ended.code == 2
    for told in ("--cc: Allow CC", "--bcc: Allow BCC", "--attach: Allow Attachment of Docx"):
        assert told in ended.err


def test_without_a_system_email_account_send_says_so(tourmail: CommandLine) -> None:
    ended = tourmail("send", "--to", "a@b.com")
    assert ended.code == 1
    assert "no System Email Account" in ended.err


def test_a_body_that_is_no_text_is_refused(office: CommandLine) -> None:
    ended = office("send", "--to", "a@b.com", "--body-file", office.file("b", b"\xff\xfe\x00"))
    assert (ended.code, "not text in UTF-8" in ended.err) == (2, True)


def test_a_servers_words_cannot_steer_the_terminal(office: CommandLine, server: SmtpServer) -> None:
    server.script.replies["AUTH"] = "535 5.7.8 No\x1b[2J way"
    for words in (("account", "test", "SEND"), ("send", "--to", "a@b.com", "--now")):
        ended = office(*words)
        assert "way" in ended.out + ended.err
        assert "\x1b" not in ended.out + ended.err


# ------------------------------------------------------------------------- now


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file or directory."), ("x", "holds no certificates.")],
)
def test_a_wrong_ca_bundle_is_told_before_anything_connects(
    office: CommandLine,
    server: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    told: str,
) -> None:
    bundle = str(office.folder / "wrong.pem")
    if content:
        office.file("wrong.pem", content)
    monkeypatch.setenv("TOURMAIL_CA_BUNDLE", bundle)
    said = f"The CA bundle {bundle} {told} TOURMAIL_CA_BUNDLE must name a PEM file of certificates."
    for words in ("account test SEND", "import SEND", "send --now --to a@b.com"):
        ended = office(*words.split())
        assert (ended.code, ended.out, ended.err) == (1, "", f"{said}\n")
    assert office.done("outbox", "list", "--json").json == []
    ended = office("worker", "--once")
    assert ended.err.startswith(f"{said}\n"), "its other work goes on"
    assert (ended.code, server.connections) == (0, 0)


def test_a_recipient_that_is_refused_makes_it_partly_failed(
    office: CommandLine, server: SmtpServer
) -> None:
    server.script.recipients["b@example.com"] = "550 5.1.1 No such user"
    ended = office("send", "--to", "a@example.com", "--to", "b@example.com", "--now")
    assert ended.code == 3
    assert "No such user" in ended.err


def test_a_refused_message_fails_with_the_servers_words(
    office: CommandLine, server: SmtpServer
) -> None:
    server.script.replies["DOT"] = "554 5.7.1 Spam \x1b[2Jhere"
    ended = office("send", "--to", "a@example.com", "--now", "--json")
    assert (ended.code, ended.json["state"]) == (1, "failed")
    assert "Spam" in ended.err
    assert "\x1b" not in ended.err


def test_a_deferred_message_waits_for_its_next_attempt(
    office: CommandLine, server: SmtpServer
) -> None:
    server.script.replies["MAIL"] = "451 4.3.0 Try later"
    ended = office("send", "--to", "a@example.com", "--now", "--json")
    assert (ended.code, ended.json["state"]) == (1, "queued")
    assert "Try later" in ended.err
    assert "Message 1 is kept and tried again by a worker; do not send it anew." in ended.err


def test_a_message_that_waits_for_some_recipients_is_partly_failed(
    office: CommandLine, server: SmtpServer
) -> None:
    server.script.recipients["b@example.com"] = "451 4.3.0 Try later"
    ended = office("send", "--to", "a@example.com", "--to", "b@example.com", "--now", "--json")
    assert (ended.code, ended.json["state"]) == (3, "queued")


# ------------------------------------------------------------------------- outbox


def test_list_shows_state_attempts_and_last_words(office: CommandLine, server: SmtpServer) -> None:
    server.script.replies["MAIL"] = "451 4.3.0 Try later"
    office("send", "--to", "a@example.com", "--subject", "First", "--now")
    queue(office, "--subject", "Second")
    second, first = office.done("outbox", "list", "--json").json
    assert (second["state"], second["attempts"], second["last_error"]) == ("queued", 0, "")
    assert (first["state"], first["attempts"]) == ("queued", 1)
    assert "Try later" in first["last_error"]
    table = office.done("outbox", "list").out.splitlines()
    assert table[0].split()[:2] == ["Id", "State"]
    assert "Second" in table[1]


def test_list_is_filtered_and_limited(office: CommandLine) -> None:
    for number in range(3):
        queue(office, "--subject", f"Number {number}")
    office.done("outbox", "cancel", "1")

    def ids(*options: str) -> list[int]:
        return [row["id"] for row in office.done("outbox", "list", *options, "--json").json]

    assert ids() == [3, 2, 1]
    assert ids("--limit", "2") == [3, 2]
    assert ids("--state", "cancelled") == [1]
    assert ids("--filter", "number 1") == [2]
    assert office("outbox", "list", "--state", "lost").code == 2
    assert office("outbox", "list", "--limit", "0").code == 2


def test_show_tells_every_recipient(office: CommandLine, server: SmtpServer) -> None:
    server.script.recipients["b@example.com"] = "550 5.1.1 No such user"
    office("send", "--to", "a@example.com", "--bcc", "b@example.com", "--now")
    shown = office.done("outbox", "show", "1", "--json").json
    states = {one["address"]: (one["kind"], one["state"]) for one in shown["recipients"]}
    assert states == {"a@example.com": ("to", "sent"), "b@example.com": ("bcc", "failed")}
    told = office.done("outbox", "show", "1").out
    assert "No such user" in told
    assert re.search(r"\n\nKind +Recipient", told)


def test_a_failed_message_is_sent_again(office: CommandLine, server: SmtpServer) -> None:
    server.script.replies["DOT"] = "554 5.7.1 Spam"
    office("send", "--to", "a@example.com", "--now")
    server.script.replies.clear()
    [again] = office.done("outbox", "resend", "1", "--json").json
    assert again["state"] == "queued"


def test_an_uncertain_message_is_marked_sent(office: CommandLine, server: SmtpServer) -> None:
    server.script.drops.add("DOT")
    assert office("send", "--to", "a@example.com", "--now", "--json").json["state"] == "uncertain"
    office.done("outbox", "mark-sent", "1")
    assert office.done("outbox", "list", "--json").json[0]["state"] == "sent"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("resend", "1", "99"), 3),
        (("cancel", "99"), 1),
        (("mark-sent", "1"), 1),
        (("show", "99"), 1),
        (("cancel", "x"), 2),
        (("cancel",), 2),
    ],
)
def test_what_cannot_be_decided_is_told_by_number(
    office: CommandLine, words: tuple[str, ...], code: int
) -> None:
    queue(office)
    ended = office("outbox", *words)
    assert ended.code == code
    assert ended.err


def test_show_tells_attachments_and_text(office: CommandLine) -> None:
    body = office.file("body.txt", "Dear Anna,\nhello \x1b[2J")
    files = ("--attach", office.file("a.pdf", b"%PDF"), "--body-file", body)
    queue(office, *files)
    shown = office.done("outbox", "show", "1")
    assert f"{'Attachments':<14}a.pdf" in shown.out
    assert "Dear Anna,\nhello \ufffd[2J" in shown.out
    found = office.done("outbox", "show", "1", "--json").json
    assert found["text"].startswith("Dear Anna,")
    assert found["attachments"] == [{"name": "a.pdf", "media_type": "application/pdf", "size": 4}]
    assert found["contact"] is None


def test_what_waits_in_the_drop_folder_is_told(office: CommandLine) -> None:
    config = read_config()
    config.drop_path.mkdir()
    DropFolder(config.drop_path).put(Submission(data=b"\nHi", recipients=("a@example.com",)))
    told = office.done("outbox", "list").err
    assert "1 message handed over by programs, for a worker to take." in told
    assert "No worker has been alive lately" in told


def test_why_a_message_waits_is_said_once(office: CommandLine, server: SmtpServer) -> None:
    server.script.replies["AUTH"] = "535 5.7.8 No"
    ended = office("send", "--to", "a@example.com", "--now")
    assert ended.code == 1
    assert ended.err.count("refuses the login") == 1
