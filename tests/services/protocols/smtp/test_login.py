"""The login: by what is offered, and never with the password in a message."""

import base64
from typing import Any

import pytest

from services.errors import ConnectionFailed, LoginRefused
from tests.services.protocols.smtp.outgoing import (
    PASSWORD,
    USER,
    StartSmtp,
    envelope,
    login,
    mail,
    settings,
)


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_logs_in_by_what_is_offered(smtp_server: StartSmtp, opened: Any, mechanism: str) -> None:
    server = smtp_server(users={USER: PASSWORD}, mechanisms=(mechanism,))
    with opened(login(server.port)):
        pass
    assert [(one.mechanism, one.success) for one in server.logins] == [(mechanism, True)]


@pytest.mark.parametrize(
    "echo",
    [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(),
    ],
)
def test_a_server_that_repeats_the_password_does_not_leak_it(
    smtp_server: StartSmtp, opened: Any, echo: str
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.replies["AUTH"] = f"535 5.7.8 bad AUTH {echo}"
    with pytest.raises(LoginRefused, match=r"535 .*bad AUTH") as caught:
        opened(login(server.port))
    assert echo not in caught.value.message


def test_a_login_that_cannot_be_checked_now_is_no_refusal(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    server.script.replies["AUTH"] = "454 4.7.0 Temporary authentication failure"
    with pytest.raises(ConnectionFailed, match="454") as caught:
        opened(login(server.port))
    assert not isinstance(caught.value, LoginRefused)


def test_mail_refused_for_want_of_a_login_is_the_accounts_fault(
    smtp_server: StartSmtp, opened: Any
) -> None:
    server = smtp_server(users={USER: PASSWORD})
    with opened(settings(server.port)) as sender, pytest.raises(LoginRefused) as caught:
        sender.send(envelope("a@b.test"), mail())
    assert caught.value.field == "settings.user"
