"""Reaching a host that has several addresses, of which some do not answer, and whom to trust."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.cancel import Cancel
from services.errors import ConnectionFailed, ServiceError
from services.network import connect, tls_context
from tests.servers.tls import Authority

LIVE, SILENT, SILENT_TOO = "127.0.0.1", "127.0.0.2", "127.0.0.3"
TIMEOUT = 0.8


@pytest.fixture
def port() -> Iterator[int]:
    """A port that one address answers on; two others let everybody wait."""
    with ExitStack() as stack:
        live = stack.enter_context(socket.create_server((LIVE, 0)))
        port = int(live.getsockname()[1])
        for address in (SILENT, SILENT_TOO):
            stack.enter_context(socket.create_server((address, port), backlog=0))
            # Linux answers nobody any more once the queue is full.
            stack.enter_context(socket.create_connection((address, port)))
        yield port


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the name server says, in this order."""
    found: list[str] = []
    monkeypatch.setattr("services.network.resolve", lambda _host, _port: found)
    return found


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    port: int, addresses: list[str]
) -> None:
    addresses += [SILENT, SILENT_TOO, LIVE]
    began = time.monotonic()
    with connect("mail.test", port, TIMEOUT, Cancel()) as sock:
        assert sock.getpeername() == (LIVE, port)
        assert sock.gettimeout() == TIMEOUT, "reads have the whole of it"
    assert time.monotonic() - began < TIMEOUT


def test_all_addresses_together_get_one_timeout(port: int, addresses: list[str]) -> None:
    addresses += [SILENT, SILENT_TOO]
    began = time.monotonic()
    with pytest.raises(ConnectionFailed, match=r"within 0\.8 seconds"):
        connect("mail.test", port, TIMEOUT, Cancel())
    assert 0.9 * TIMEOUT < time.monotonic() - began < 1.6 * TIMEOUT


def test_authorities_are_read_once_and_again_where_their_file_changes(
    authority: Authority, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.bundle.read_bytes())
    first = tls_context(bundle)
    assert tls_context(bundle) is first
    assert tls_context(None) is tls_context(None) is not first
    bundle.write_bytes(2 * authority.bundle.read_bytes())
    assert tls_context(bundle) is not first
    bundle.write_text("nothing")
    for path in (bundle, tmp_path / "missing"):
        with pytest.raises(ServiceError, match="TOURMAIL_CA_BUNDLE must name"):
            tls_context(path)


def test_an_authority_that_is_overwritten_in_its_folder_is_read_again(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    (tmp_path / "gone.0").symlink_to(tmp_path / "nowhere")
    one = tmp_path / "5ed36f99.0"
    one.write_bytes(authority.bundle.read_bytes())
    first, folder = tls_context(None), tmp_path.stat()
    assert tls_context(None) is first
    one.write_bytes(b"\n" + authority.bundle.read_bytes())
    assert tmp_path.stat() == folder, "the folder itself does not tell"
    assert tls_context(None) is not first
