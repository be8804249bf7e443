"""Logins line by line: which mechanism is tried, how often, and whom it believes."""

import base64
import hmac

import pytest
from pydantic import SecretStr

from services.errors import ConnectionFailed
from tests.servers.tls import Authority
from tests.services.protocols.smtp.talk import Talk, open_sender, serving


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
