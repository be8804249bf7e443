"""Test Connection for SMTP: where it stops, and the field it sends the admin to."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from models.account import EmailSettings
from services.cancel import Cancel
from services.config import Config
from services.protocols import PROTOCOLS
from services.protocols.base import LadderScope, Step, Surroundings
from services.protocols.smtp import SmtpSettings
from services.protocols.smtp_ladder import ladder
from services.protocols.smtp_session import Patience
from tests.servers.postfix import Postfix
from tests.servers.process import free_ports
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority

USER, PASSWORD = "office@tours.test", "s3cret of the office"
SCOPE = LadderScope(EmailSettings(default_email=USER), imports=False)

StartSmtp = Callable[..., SmtpServer]


@pytest.fixture
def climb(authority: Authority) -> Callable[..., list[Step]]:
    def climb_(port: int, cancel: Cancel | None = None, **fields: Any) -> list[Step]:
        secret = {"user": USER, "password": SecretStr(PASSWORD)}
        raw = {"server": "localhost", "port": port, **secret, **fields}
        around = Surroundings(Config(ca_bundle=authority.bundle), cancel or Cancel())
        return list(ladder(SmtpSettings(**raw), SCOPE, around, Patience(1, 1)))

    return climb_


def failed(steps: list[Step]) -> tuple[str, str | None]:
    """Return the one step that failed, with the field to jump to; all after it are not reached."""
    place = [step.ok for step in steps].index(False)
    assert [step.ok for step in steps] == [True] * place + [False] + [None] * (
        len(steps) - place - 1
    )
    assert steps[place].hint
    assert PASSWORD not in repr(steps)
    return steps[place].step, steps[place].field


@pytest.mark.parametrize(("port", "how"), [("port", "STARTTLS"), ("tls_port", "from the start")])
def test_climbs_to_the_top_and_sends_nothing(
    postfix: Postfix, authority: Authority, climb: Any, port: str, how: str
) -> None:
    postfix.add_user(USER, PASSWORD)
    steps = climb(getattr(postfix, port))
    assert [step.step for step in steps] == ["Name", "Connect", "TLS", "Server", "Login", "Sender"]
    assert all(step.ok for step in steps), steps
    said = {step.step: step.detail for step in steps}
    assert how in said["TLS"]
    assert "tourmail tests" in said["TLS"]
    assert "days left" in said["TLS"]
    assert "SIZE 3000000" in said["Server"]
    assert said["Sender"] == f"{USER} may send"


def test_the_protocol_climbs_the_same_ladder(postfix: Postfix, authority: Authority) -> None:
    settings = SmtpSettings(server="127.0.0.1", port=postfix.relay_port, secure=False)
    around = Surroundings(Config(ca_bundle=authority.bundle))
    steps = list(PROTOCOLS["smtp"].ladder(settings, SCOPE, around))
    assert [step.step for step in steps][2] == "Greeting"
    assert all(step.ok for step in steps), steps


def test_a_name_that_does_not_exist(climb: Any) -> None:
    assert failed(climb(25, server="nowhere.invalid")) == ("Name", "settings.server")


def test_a_closed_port(climb: Any) -> None:
    assert failed(climb(free_ports(1)[0])) == ("Connect", "settings.port")


@pytest.mark.parametrize("certificate", ["untrusted", "expired", "wrong_host"])
def test_a_bad_certificate(
    smtp_server: StartSmtp, authority: Authority, climb: Any, certificate: str
) -> None:
    server = smtp_server(certificate=getattr(authority, certificate))
    assert failed(climb(server.port)) == ("TLS", "settings.server")


def test_no_encryption(smtp_server: StartSmtp, climb: Any) -> None:
    assert failed(climb(smtp_server(tls="none").port)) == ("TLS", "settings.port")


def test_a_wrong_password(smtp_server: StartSmtp, climb: Any) -> None:
    server = smtp_server(users={USER: "another one"})
    assert failed(climb(server.port)) == ("Login", "settings.password")


def test_a_sender_that_may_not_send(smtp_server: StartSmtp, climb: Any) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.replies["MAIL"] = "550 5.7.60 SendAsDenied"
    assert failed(climb(server.port)) == ("Sender", "email.default_email")


def test_a_missing_login(smtp_server: StartSmtp, climb: Any) -> None:
    server = smtp_server(users={USER: PASSWORD})
    assert failed(climb(server.port, user="", password=None)) == ("Sender", "settings.user")


def test_cancelled_it_stops_and_leaves_no_connection(smtp_server: StartSmtp, climb: Any) -> None:
    server = smtp_server()
    cancel = Cancel()
    cancel.cancel()
    steps = climb(server.port, cancel)
    assert failed_without_hint(steps) == "Connect"
    assert server.mails == []


def failed_without_hint(steps: list[Step]) -> str:
    return next(step.step for step in steps if step.ok is False)


def test_leaves_politely(smtp_server: StartSmtp, climb: Any) -> None:
    server = smtp_server(users={USER: PASSWORD})
    climb(server.port)
    assert server.commands[-2:] == ["RSET", "QUIT"]
