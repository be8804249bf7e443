"""What a test may rely on, whatever server it talks to."""

import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import need
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority

StartSmtp = Callable[..., SmtpServer]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("expired", "expired"), ("wrong_host", "match"), ("untrusted", "local issuer")],
)
def test_a_verifying_client_refuses_bad_certificates(
    smtp_server: StartSmtp, authority: Authority, kind: str, reason: str
) -> None:
    server = smtp_server(tls="implicit", certificate=getattr(authority, kind))
    with (
        socket.create_connection((server.host, server.port)) as connection,
        pytest.raises(ssl.SSLCertVerificationError, match=reason),
    ):
        authority.client_context().wrap_socket(connection, server_hostname="localhost")


def test_a_missing_server_skips_for_a_user_and_fails_for_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(need, "_REQUIRED", False)
    with pytest.raises(pytest.skip.Exception, match="apt install some-package"):
        need.require("no-such-binary", "some-package")
    monkeypatch.setattr(need, "_REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="no-such-binary is not installed"):
        need.require("no-such-binary", "some-package")


def test_the_developers_settings_are_hidden(tmp_path: Path) -> None:
    assert Path.home().is_relative_to(tmp_path)
    assert not [name for name in os.environ if name.startswith("TOURMAIL_")]
