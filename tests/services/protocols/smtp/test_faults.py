"""The SMTP sender against a server that breaks the rules, line by line."""

import time
from contextlib import closing

import pytest

from services.errors import ConnectionFailed
from services.network import DRIP_FACTOR
from services.protocols.base import Envelope, SendDeferred, SendRefused, SendUncertain, Verdict
from services.protocols.smtp_wire import CHUNK
from tests.services.protocols.smtp.talk import ENVELOPE, MAIL, SHORT, Talk, open_sender, serving


def drip(talk: Talk) -> None:
    """Send a greeting that never ends, an octet now and then."""
    for _ in range(200):
        talk.sock.sendall(b"2")
        time.sleep(0.1)


def test_a_drip_ends_after_ten_timeouts() -> None:
    started = time.monotonic()
    with serving(drip) as (port, _talks), pytest.raises(ConnectionFailed, match="not answer"):
        open_sender(port, timeout=0.005)
    assert 0.3 * (DRIP_FACTOR - 1) < time.monotonic() - started < 10, "the drip lasts 20 s"


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
