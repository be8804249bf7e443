"""Connections to Microsoft: whom they trust, what they tell, and where secrets never go."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from services.errors import ConnectionFailed
from services.protocols.base import Mark
from services.protocols.office365_mailbox import SCOPE
from services.protocols.office365_token import shared_tokens
from tests.servers.cloud.contoso import SECRET, USER
from tests.servers.cloud.faults import Fault
from tests.servers.tls import Authority
from tests.services.protocols.office365.access import tokens
from tests.services.protocols.office365.graph_desk import Desk, envelope, outgoing


def test_the_environments_ca_files_and_logins_count_for_nothing(
    desk: Desk, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password x\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with desk.importer() as importer:
        assert importer.look(None, None).server_count == 0
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(authority.bundle))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(authority.bundle))
    desk.config = desk.config.model_copy(update={"ca_bundle": None})
    with pytest.raises(ConnectionFailed, match="not trusted"):
        tokens(desk).get(desk.around)


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[bytes]]]:
    """A CONNECT proxy; yields its port and what was asked of it."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        request = client.recv(65536)
        asked.append(request)
        host, _, port = request.split()[1].decode().partition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)

    def accept() -> None:
        while True:
            try:
                client, _at = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1], asked
    listener.close()


def test_the_environments_proxy_is_used_and_verified_through(
    desk: Desk, proxy: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked = proxy
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with desk.sender() as sender:
        sender.send(envelope(), outgoing())
    assert len(desk.delivered) == 1
    assert [request.split()[0] for request in asked] == [b"CONNECT", b"CONNECT"]
    assert not any(b"Bearer" in request for request in asked)


def test_a_proxy_that_refuses_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ConnectionFailed, match=rf"127\.0\.0\.1 refuses connections on port {port}"):
        tokens(desk).get(desk.around)


def test_a_redirect_is_not_followed_with_the_secret(desk: Desk) -> None:
    there = {"Location": desk.cloud.decoy_url + "/token"}
    desk.cloud.fail("/token$", Fault(status=307, headers=there))
    with pytest.raises(ConnectionFailed):
        tokens(desk).get(desk.around)
    assert [entry for entry in desk.cloud.requests if entry.host == "decoy"] == []


def test_secrets_tokens_and_delta_links_are_in_no_log_error_or_repr(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.Logger.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    found = [repr(desk.settings), repr(desk.around)]
    with desk.importer() as importer, desk.sender() as sender:
        desk.deliver(1)
        (page,) = importer.look(None, None).pages
        assert list(importer.look(Mark(SCOPE, page.cursor or ""), None).pages)
        token = shared_tokens(desk.settings, desk.around).get(desk.around)
        sender.send(envelope(), outgoing())
        for thing in (importer, sender, importer._graph, importer._graph._tokens):
            found += [repr(thing), repr(vars(thing))]
    for change in ({"client_secret": SECRET + "x"}, {"tenant_id": USER}, {"client_id": USER}):
        with pytest.raises(ConnectionFailed) as error:
            tokens(desk, **change).get(desk.around)
        found.append(str(error.value) + repr(error.value))
    link = (page.cursor or "").partition("?")[2]
    text = caplog.text + "".join(found)
    assert "/oauth2/v2.0/token" in caplog.text
    for hidden in (SECRET, token, token.split(".")[1], link):
        assert hidden
        assert hidden not in text
