"""Commands sent together: their answers are told apart, whoever is refused."""

import time
from contextlib import closing

import pytest

from services.protocols.base import Envelope, SendRefused, Verdict
from tests.services.protocols.smtp.talk import ENVELOPE, MAIL, Talk, open_sender, serving


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
