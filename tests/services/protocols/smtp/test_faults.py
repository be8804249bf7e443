"""The SMTP sender against a server that breaks the rules, line by line."""

import base64
import hmac
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import pytest
from pydantic import SecretStr

from services.config import Config
from services.errors import ConnectionFailed
from services.network import DRIP_FACTOR
from services.protocols.base import (
    Envelope,
    SendDeferred,
    SendRefused,
    SendUncertain,
    Surroundings,
    Verdict,
)
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_sender import SmtpSender
from services.protocols.smtp_session import Patience
from services.protocols.smtp_wire import CHUNK
from tests.servers.tls import Authority

MAIL = b"Subject: x\r\n\r\nHello\r\n"
ENVELOPE = Envelope("me@tours.test", ("a@b.test",), "<1@tours.test>")
SHORT = 0.01  # minutes


class Talk:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.file = sock, sock.makefile("rb")
        self.heard: list[str] = []

    def say(self, *lines: str) -> None:
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        if not (line := self.file.readline().decode()):
            raise ConnectionResetError
        self.heard.append(line.rstrip("\r\n"))
        return self.heard[-1]

    def greet(self, *extensions: str) -> None:
        """Go through greeting and EHLO."""
        self.say("220 hello")
        self.hear()
        self.say("250-hello", *(f"250-{name}" for name in extensions), "250 HELP")

    def take(self, *replies: str) -> None:
        """Hear a command and answer it, once for each reply."""
        for reply in replies:
            self.hear()
            self.say(reply)

    def message(self) -> list[str]:
        """Hear a message up to the final dot."""
        lines = []
        while (line := self.hear()) != ".":
            lines.append(line)
        return lines


@contextmanager
def serving(*scripts: Callable[[Talk], object]) -> Iterator[tuple[int, list[Talk]]]:
    """Play one script for each connection, in order; yield the port and the talks so far."""
    talks: list[Talk] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def serve() -> None:
            for script in scripts:
                with suppress(OSError):
                    talk = Talk(stack.enter_context(listener.accept()[0]))
                    talks.append(talk)
                    script(talk)
                    talk.sock.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], talks
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def open_sender(port: int, authority: Authority | None = None, **fields: Any) -> SmtpSender:
    timeout, final = fields.pop("timeout", 1), fields.pop("final", 0.6)
    made = SmtpSettings(server="127.0.0.1", port=port, **{"secure": False, **fields})
    config = Config(ca_bundle=authority.bundle if authority else None)
    patience = Patience(greeting=0.3, silence=0.3, final=final)
    return SmtpSender(made.model_copy(update={"timeout": timeout}), Surroundings(config), patience)


def drip(talk: Talk) -> None:
    """Send a greeting that never ends, an octet now and then."""
    for _ in range(200):
        talk.sock.sendall(b"2")
        time.sleep(0.1)


def test_a_drip_ends_after_ten_timeouts() -> None:
    started = time.monotonic()
    with serving(drip) as (port, _talks), pytest.raises(ConnectionFailed, match="not answer"):
        open_sender(port, timeout=0.005)
    assert 0.3 * (DRIP_FACTOR - 1) < time.monotonic() - started < 0.3 * (DRIP_FACTOR + 3)


def test_a_reply_without_end_is_cut_off() -> None:
    def endless(talk: Talk) -> None:
        while True:
            talk.say(*["220-more" for _ in range(1000)])

    with serving(endless) as (port, _talks), pytest.raises(ConnectionFailed):
        open_sender(port)


def test_a_slow_upload_may_take_longer_than_the_timeout() -> None:
    total = CHUNK * 300

    def slow(talk: Talk) -> None:
        talk.greet()
        talk.take("250 ok", "250 ok", "354 go on")
        left = total
        while left > 0:
            left -= len(talk.file.read(min(left, 8 * CHUNK)))
            time.sleep(0.03)
        talk.file.readline()
        talk.say("250 got it")

    body = b"x" * 1022 + b"\r\n"
    with (
        serving(slow) as (port, _talks),
        closing(open_sender(port, timeout=SHORT, final=30)) as sender,
    ):
        started = time.monotonic()
        replies = sender.send(ENVELOPE, body * (total // 1024))
    assert time.monotonic() - started > 60 * SHORT
    assert replies["a@b.test"].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("early", "kind"), [("552 too much", SendRefused), ("421 shutting down", SendDeferred)]
)
def test_an_answer_before_the_final_dot_ends_it_without_one(
    early: str, kind: type[Exception]
) -> None:
    def impatient(talk: Talk) -> None:
        talk.greet()
        talk.take("250 ok", "250 ok")
        talk.hear()
        talk.say("354 go on", early)
        talk.message()

    large = MAIL + b"x" * 998 + b"\r\n" * 4_000_000  # the answer comes while it is written
    with (
        serving(impatient) as (port, talks),
        closing(open_sender(port)) as sender,
        pytest.raises(kind, match=early),
    ):
        sender.send(ENVELOPE, large)
    assert "." not in talks[0].heard


@pytest.mark.parametrize("words", ["garbage", "354 once more", "250"])
def test_only_a_clear_answer_to_the_final_dot_counts(words: str) -> None:
    def unclear(talk: Talk) -> None:
        talk.greet()
        talk.take("250 ok", "250 ok", "354 go on")
        talk.message()
        talk.say(words)

    with serving(unclear) as (port, _talks), closing(open_sender(port)) as sender:
        if words == "250":
            assert sender.send(ENVELOPE, MAIL)["a@b.test"].verdict is Verdict.ACCEPTED
        else:
            with pytest.raises(SendUncertain):
                sender.send(ENVELOPE, MAIL)


@pytest.mark.parametrize("farewell", [(), ("421 4.4.2 idle too long",)])
def test_a_connection_closed_between_messages_is_opened_again(farewell: tuple[str, ...]) -> None:
    def one_message(talk: Talk) -> None:
        talk.greet()
        talk.take("250 ok", "250 ok", "354 go on")
        talk.message()
        talk.say("250 got it", *farewell)

    with serving(one_message, one_message) as (port, talks), closing(open_sender(port)) as sender:
        sender.send(ENVELOPE, MAIL)
        sender.send(ENVELOPE, MAIL)
    assert len(talks) == 2
    assert [talk.heard.count(".") for talk in talks] == [1, 1]


def test_pipelines_where_the_server_allows() -> None:
    def at_once(talk: Talk) -> None:
        talk.greet("PIPELINING")
        commands = [talk.hear() for _ in range(3)]  # none is answered before all have come
        assert [line.split(":")[0] for line in commands] == ["MAIL FROM", "RCPT TO", "RCPT TO"]
        talk.say("250 ok", "550 no", "250 ok")
        talk.take("354 go on")
        talk.message()
        talk.say("250 got it")

    both = Envelope("me@tours.test", ("gone@b.test", "a@b.test"), "<1@tours.test>")
    with serving(at_once) as (port, _talks), closing(open_sender(port)) as sender:
        replies = sender.send(both, MAIL)
    assert [reply.verdict for reply in replies.values()] == [Verdict.REFUSED, Verdict.ACCEPTED]


def test_data_goes_along_with_a_few_recipients() -> None:
    def at_once(talk: Talk) -> None:
        talk.greet("PIPELINING")
        commands = [talk.hear() for _ in range(3)]
        assert [line.split(":")[0] for line in commands] == ["MAIL FROM", "RCPT TO", "DATA"]
        talk.say("250 ok", "250 ok", "354 go on")
        talk.message()
        talk.say("250 got it")

    with serving(at_once) as (port, talks), closing(open_sender(port)) as sender:
        sender.send(ENVELOPE, MAIL)
    assert talks[0].heard.count("DATA") == 1


@pytest.mark.parametrize("first", ["250 ok", "550 not you"])
def test_a_server_that_takes_data_for_nobody_is_left(first: str) -> None:
    def eager(talk: Talk) -> None:
        talk.greet("PIPELINING")
        for _ in range(3):
            talk.hear()
        talk.say(first, "550 no", "354 go on")
        assert talk.file.readline() in (b"", b"QUIT\r\n")  # not a word of the message

    with serving(eager) as (port, _talks), closing(open_sender(port)) as sender:
        if first.startswith("250"):
            replies = sender.send(ENVELOPE, MAIL)
            assert [reply.verdict for reply in replies.values()] == [Verdict.REFUSED]
        else:
            with pytest.raises(SendRefused, match="not you"):
                sender.send(ENVELOPE, MAIL)


def test_data_that_is_refused_with_its_recipients_leaves_the_connection_usable() -> None:
    def strict(talk: Talk) -> None:
        talk.greet("PIPELINING")
        for _ in range(3):
            talk.hear()
        talk.say("250 ok", "550 no", "554 no valid recipients")
        talk.take("250 reset")
        for _ in range(3):
            talk.hear()
        talk.say("250 ok", "250 ok", "354 go on")
        talk.message()
        talk.say("250 got it")

    with serving(strict) as (port, talks), closing(open_sender(port)) as sender:
        assert sender.send(ENVELOPE, MAIL)["a@b.test"].verdict is Verdict.REFUSED
        assert sender.send(ENVELOPE, MAIL)["a@b.test"].verdict is Verdict.ACCEPTED
    assert len(talks) == 1


def test_many_recipients_are_asked_in_groups_that_fit_the_buffers() -> None:
    many = tuple(f"guest{number}@b.test" for number in range(120))
    groups: list[int] = []

    def counting(talk: Talk) -> None:
        talk.greet("PIPELINING")
        while sum(groups) < 1 + len(many):
            time.sleep(0.1)  # for all that is sent without waiting for an answer
            groups.append(talk.sock.recv(100_000).count(b"\n"))
            talk.say(*["250 ok"] * groups[-1])
        talk.take("354 go on")
        talk.message()
        talk.say("250 got it")

    with serving(counting) as (port, _talks), closing(open_sender(port)) as sender:
        replies = sender.send(Envelope("me@tours.test", many, "<1@tours.test>"), MAIL)
    assert tuple(replies) == many
    assert groups == [50, 50, 21]


def test_introduces_itself_by_address_and_never_by_this_hosts_name() -> None:
    with serving(Talk.greet) as (port, talks):
        open_sender(port).close()
    assert talks[0].heard[0] == "ehlo [127.0.0.1]"


def test_a_relay_that_knows_no_ehlo_is_greeted_by_helo() -> None:
    def old(talk: Talk) -> None:
        talk.say("220 old")
        talk.take("502 what?", "250 hello", "250 ok", "250 ok", "354 go on")
        talk.message()
        talk.say("250 got it")

    with serving(old) as (port, talks), closing(open_sender(port)) as sender:
        sender.send(ENVELOPE, MAIL)
    assert talks[0].heard[1] == "helo [127.0.0.1]"


@pytest.mark.parametrize("right", [True, False])
def test_logs_in_by_cram_md5_in_clear_without_showing_the_password(right: bool) -> None:
    challenge = b"<1896.697170952@b.test>"
    expected = hmac.new(b"tanstaaf", challenge, "md5").hexdigest()

    def cram(talk: Talk) -> None:
        talk.greet("AUTH PLAIN CRAM-MD5")
        assert talk.hear() == "AUTH CRAM-MD5"
        talk.say(f"334 {base64.b64encode(challenge).decode()}")
        answer = base64.b64decode(talk.hear()).decode()
        talk.say("235 ok" if answer == f"tim {expected}" else "535 no")

    secret = SecretStr("tanstaaf" if right else "other")
    with serving(cram) as (port, _talks):
        if right:
            open_sender(port, user="tim", password=secret).close()
        else:
            with pytest.raises(ConnectionFailed, match="535"):
                open_sender(port, user="tim", password=secret)


def test_another_mechanism_is_tried_where_one_is_refused_as_such() -> None:
    def picky(talk: Talk) -> None:
        talk.greet("AUTH LOGIN PLAIN")
        talk.take("504 5.5.4 not this one", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok")

    with serving(picky) as (port, talks):
        open_sender(port, user="tim", password=SecretStr("pass")).close()
    assert [line.split(" ")[:2] for line in talks[0].heard[1:3]] == [
        ["AUTH", "PLAIN"],
        ["AUTH", "LOGIN"],
    ]


def test_a_wrong_password_is_tried_once() -> None:
    def strict(talk: Talk) -> None:
        talk.greet("AUTH LOGIN PLAIN")
        talk.take("535 no", "221 bye")

    with serving(strict) as (port, talks), pytest.raises(ConnectionFailed, match="535"):
        open_sender(port, user="tim", password=SecretStr("pass"))
    assert len([line for line in talks[0].heard if line.startswith("AUTH")]) == 1


def test_what_was_slipped_in_before_tls_is_not_believed(authority: Authority) -> None:
    tls = authority.server.context()

    def injected(talk: Talk) -> None:
        talk.say("220 hello")
        talk.hear()
        talk.say("250-hello", "250 STARTTLS")
        talk.hear()
        talk.say("220 go", "250-forged", "250 AUTH PLAIN")
        sock = tls.wrap_socket(talk.sock, server_side=True)
        inner = Talk(sock)
        inner.hear()
        inner.say("250 real")
        inner.hear()

    with serving(injected) as (port, _talks), pytest.raises(ConnectionFailed, match="no login"):
        open_sender(port, authority, secure=True, user="tim", password=SecretStr("pass"))


def test_a_line_break_in_an_address_never_reaches_the_server() -> None:
    def greet(talk: Talk) -> None:
        talk.greet("PIPELINING")
        talk.take("221 bye")

    with serving(greet) as (port, talks), closing(open_sender(port)) as sender:
        bad = Envelope("me@tours.test", ("a@b.test>\r\nRCPT TO:<x@y.test",), "<1@tours.test>")
        with pytest.raises(ValueError, match="line break"):
            sender.send(bad, MAIL)
    assert talks[0].heard[1:] == ["QUIT"]


def test_a_limit_of_thousands_of_digits_is_no_limit() -> None:
    def script(talk: Talk) -> None:
        talk.greet("SIZE " + "9" * 5_000)
        talk.take("250 ok", "250 ok", "354 go on")
        talk.message()
        talk.say("250 taken")

    with serving(script) as (port, _talks), open_sender(port) as sender:
        assert sender.send(ENVELOPE, MAIL)["a@b.test"].verdict is Verdict.ACCEPTED
