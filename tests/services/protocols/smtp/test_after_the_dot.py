"""The final dot: whoever gets no answer to it is in doubt."""

import time
from contextlib import closing
from typing import Any

import pytest

from services.cancel import Cancel
from services.config import Config
from services.protocols.base import SendDeferred, SendUncertain, Surroundings, Verdict
from services.protocols.smtp_sender import SmtpSender
from services.protocols.smtp_session import Patience
from tests.servers.process import as_soon_as
from tests.servers.tls import Authority
from tests.services.protocols.smtp.outgoing import SHORT, StartSmtp, envelope, mail, settings


def test_no_answer_to_the_final_dot_is_uncertain(smtp_server: StartSmtp, opened: Any) -> None:
    server = smtp_server()
    server.script.hangs["DOT"] = 30
    server.script.recipients["gone@b.test"] = "550 5.1.1 unknown"
    with opened(settings(server.port)) as sender, pytest.raises(SendUncertain) as caught:
        sender.send(envelope("a@b.test", "gone@b.test"), mail())
    assert list(caught.value.replies) == ["gone@b.test"]


def test_a_connection_lost_after_the_final_dot_is_uncertain(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server()
    server.script.drops.add("DOT")
    with opened(settings(server.port)) as sender, pytest.raises(SendUncertain):
        sender.send(envelope("a@b.test"), mail())


def test_the_final_dot_is_waited_for_longer_than_the_timeout(
    smtp_server: StartSmtp, around: Surroundings
) -> None:
    server = smtp_server()
    server.script.hangs["DOT"] = 60 * SHORT + 0.5
    sender = SmtpSender(settings(server.port, timeout=SHORT), around, Patience(final=30))
    with closing(sender):
        replies = sender.send(envelope("a@b.test"), mail())
    assert replies["a@b.test"].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("code", [421, 452])
def test_a_temporary_no_to_the_final_dot_is_no_uncertainty(
    smtp_server: StartSmtp, opened: Any, code: int
) -> None:
    server = smtp_server()
    server.script.replies["DOT"] = f"{code} 4.3.1 later"
    with opened(settings(server.port)) as sender, pytest.raises(SendDeferred, match=str(code)):
        sender.send(envelope("a@b.test"), mail())


def test_cancel_after_the_final_dot_leaves_it_uncertain(
    smtp_server: StartSmtp, authority: Authority
) -> None:
    server = smtp_server()
    server.script.hangs["DOT"] = 30
    cancel = Cancel()
    sender = SmtpSender(
        settings(server.port), Surroundings(Config(ca_bundle=authority.bundle), cancel)
    )
    as_soon_as(lambda: "DOT" in server.reached, cancel.cancel)
    started = time.monotonic()
    with closing(sender), pytest.raises(SendUncertain):
        sender.send(envelope("a@b.test"), mail())
    assert time.monotonic() - started < 5
