"""Tokens, connections and Test Connection for Office 365: who is trusted, told and asked."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.account import EmailSettings
from services.config import Config
from services.errors import Cancelled, ConnectionFailed, LoginRefused, ServiceError
from services.protocols import office365_ladder
from services.protocols.base import LadderScope, Mark, Step, Surroundings
from services.protocols.office365 import OFFICE365
from services.protocols.office365_advice import Fault as Answered
from services.protocols.office365_advice import refusal
from services.protocols.office365_cloud import CLOUDS, Cloud, cloud_of
from services.protocols.office365_mailbox import SCOPE
from services.protocols.office365_throttle import retry_after
from services.protocols.office365_token import Tokens, roles_in, shared_tokens
from tests.servers.cloud.contoso import ADDRESS, CLIENT, DOMAIN, SECRET, USER, Contoso
from tests.servers.cloud.faults import Fault
from tests.servers.tls import Authority
from tests.services.protocols.office365.graph_desk import SWIFT, Desk, envelope, outgoing, settings

BOTH = LadderScope(EmailSettings(default_email=ADDRESS), imports=True)


@pytest.fixture
def desk(contoso: Contoso) -> Desk:
    return Desk(contoso)


def tokens(desk: Desk, **changes: Any) -> Tokens:
    return Tokens(settings(**changes), desk.around, SWIFT)


# ------------------------------------------------------------------ tokens


def test_many_threads_ask_once_and_get_the_same_token(desk: Desk) -> None:
    desk.cloud.fail("/token$", Fault(hang=0.3))
    shared = shared_tokens(desk.settings, desk.around)
    with ThreadPoolExecutor(12) as pool:
        found = set(pool.map(lambda _n: shared.get(desk.around), range(12)))
    assert (len(found), desk.cloud.token_requests) == (1, 1)
    spent = found.pop()
    with ThreadPoolExecutor(12) as pool:
        renewed = set(pool.map(lambda _n: shared.renewed(spent, desk.around), range(12)))
    assert (len(renewed), spent in renewed, desk.cloud.token_requests) == (1, False, 2)


def test_an_instance_is_shared_by_cloud_tenant_app_and_secret(desk: Desk) -> None:
    one = shared_tokens(settings(), desk.around)
    assert shared_tokens(settings(), desk.around) is one
    for change in ({"client_secret": "other"}, {"tenant_id": DOMAIN}, {"client_id": USER}):
        assert shared_tokens(settings(**change), desk.around) is not one


def test_who_waits_for_anothers_token_can_be_cancelled(desk: Desk) -> None:
    desk.cloud.fail("/token$", Fault(hang=3))
    shared = tokens(desk)
    other = Surroundings(desk.config)

    def ask() -> None:
        with suppress(Cancelled):
            shared.get(other)

    first = threading.Thread(target=ask)
    first.start()
    time.sleep(0.2)
    desk.cancel.cancel()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        shared.get(desk.around)
    assert time.monotonic() - started < 0.5
    other.cancel.cancel()
    first.join(3)
    assert not first.is_alive()


@pytest.mark.parametrize(
    ("changes", "app", "code", "field"),
    [
        ({"tenant_id": USER}, {}, "AADSTS90002", "settings.tenant_id"),
        ({"tenant_id": "nowhere.test"}, {}, "AADSTS90002", "settings.tenant_id"),
        ({"client_id": USER}, {}, "AADSTS700016", "settings.client_id"),
        ({"client_secret": "wrong"}, {}, "AADSTS7000215", "settings.client_secret"),
        ({}, {"secret_expired": True}, "AADSTS7000222", "settings.client_secret"),
        ({}, {"disabled": True}, "AADSTS7000112", "settings.client_id"),
    ],
)
def test_entras_codes_become_advice_with_code_id_and_time(
    desk: Desk, changes: dict[str, str], app: dict[str, Any], code: str, field: str
) -> None:
    for name, value in app.items():
        setattr(desk.contoso.app, name, value)
    with pytest.raises(LoginRefused, match=rf"{code}, trace id [0-9a-f-]+, 20\d\d-") as error:
        tokens(desk, **changes).get(desk.around)
    assert (error.value.field, error.value.temporary) == (field, False)
    assert error.value.hint
    assert "wrong" not in str(error.value).replace("is wrong", "")


def test_the_wrong_graph_for_a_tenant_is_the_clouds_fault(desk: Desk) -> None:
    desk.config = desk.config.model_copy(update={"graph_url": "https://graph.elsewhere.test"})
    with pytest.raises(LoginRefused, match="AADSTS500011") as error:
        tokens(desk).get(desk.around)
    assert error.value.field == "settings.cloud"


@pytest.mark.parametrize("where", ["/token$", "openid-configuration"])
@pytest.mark.parametrize("status", [429, 503])
def test_entra_is_not_asked_before_its_time(desk: Desk, where: str, status: int) -> None:
    desk.cloud.fail(where, Fault(status=status, retry_after=1), host="login")
    assert tokens(desk).get(desk.around)
    assert desk.cloud.early_retries == []
    assert desk.said == ["waiting 1 s, Microsoft asks for it…"]


@pytest.mark.parametrize("where", ["/token$", "openid-configuration"])
@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(drop="before"), Fault(drop="midway"), Fault(hang=9)]
)
def test_entras_trouble_is_temporary(desk: Desk, where: str, fault: Fault) -> None:
    desk.cloud.fail(where, fault, host="login")
    with pytest.raises(ConnectionFailed) as error:
        tokens(desk).get(desk.around)
    assert error.value.temporary
    assert shared_tokens(desk.settings, desk.around).get(desk.around)


# ------------------------------------------------------------------ connections


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


# ------------------------------------------------------------------ pure parts


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        (
            {
                "Date": "Mon, 02 Nov 2026 12:00:00 GMT",
                "Retry-After": "Mon, 02 Nov 2026 12:00:30 GMT",
            },
            30,
        ),
        (
            {
                "Date": "Mon, 02 Nov 2026 12:00:00 GMT",
                "Retry-After": "Mon, 02 Nov 2026 11:00:00 GMT",
            },
            0,
        ),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("key", list(CLOUDS))
def test_each_cloud_has_its_own_hosts_and_nothing_else_is_used(key: str) -> None:
    assert cloud_of(settings(cloud=key), Config()) == CLOUDS[key]
    assert settings().cloud == "global"
    assert CLOUDS["dod"].graph == "https://dod-graph.microsoft.us"


def test_a_process_may_name_either_address_and_a_custom_cloud_needs_both() -> None:
    graph = Config(graph_url="https://graph.test/")
    assert cloud_of(settings(), graph) == Cloud(CLOUDS["global"].login, "https://graph.test")
    custom = settings(cloud="custom")
    with pytest.raises(ServiceError) as error:
        cloud_of(custom, graph)
    assert error.value.field == "settings.cloud"
    assert list(OFFICE365.unfit(custom, graph)) == ["cloud"]
    assert not OFFICE365.unfit(settings(), Config())


@pytest.mark.parametrize(
    ("link", "owned"),
    [
        ("https://graph.test/v1.0/x?$skiptoken=a%40b@c", True),
        ("https://GRAPH.test:443/v1.0/x", True),
        ("http://graph.test/v1.0/x", False),
        ("https://graph.test:444/v1.0/x", False),
        ("https://graph.test@evil.test/", False),
        ("https://evil.test\\@graph.test/", False),
        ("https://graph.test.evil.test/", False),
        ("https://evil.test/#https://graph.test/", False),
        ("https://graph.test\n.evil.test/", False),
        ("//graph.test/", False),
        ("https://graph.test:x/", False),
        ("", False),
    ],
)
def test_only_links_to_graph_itself_are_followed(link: str, owned: bool) -> None:
    assert Cloud("https://login.test", "https://graph.test").owns(link) is owned


@pytest.mark.parametrize(
    ("status", "code", "kind", "field"),
    [
        (404, "ErrorInvalidUser", LoginRefused, "settings.user_object_id"),
        (404, "MailboxNotEnabledForRESTAPI", LoginRefused, "settings.user_object_id"),
        (403, "SomethingNew", LoginRefused, "settings.client_id"),
        (429, "ApplicationThrottled", ConnectionFailed, "limit.limit_to"),
        (418, "Teapot", ConnectionFailed, None),
    ],
)
def test_graphs_codes_become_advice(
    status: int, code: str, kind: type[ConnectionFailed], field: str | None
) -> None:
    error = refusal(Answered("Graph", status, code, "text\x1b[2J", "id-1", "now"))
    assert type(error).__mro__[1] is kind or isinstance(error, kind)
    assert isinstance(error, LoginRefused) is (kind is LoginRefused)
    assert (error.field, f"(Graph {status}, {code}, request-id id-1, now)" in str(error)) == (
        field,
        True,
    )
    assert "\x1b" not in str(error)


def test_an_id_pasted_into_two_fields_is_warned_about() -> None:
    assert settings().advice() == ()
    assert settings(client_id=USER).advice()[0].field == "user_object_id"
    assert settings(tenant_id=CLIENT).advice()[0].field == "client_id"
    blank = {"tenant_id": "", "client_id": "", "user_object_id": ""}
    assert settings().model_copy(update=blank).advice() == ()


@pytest.mark.parametrize(
    ("days", "words"),
    [(29, None), (28, "Its secret expires in 28 days"), (0, "today"), (-1, "Its secret expired")],
)
def test_a_secret_that_ends_is_warned_about_from_four_weeks_before(
    desk: Desk, days: int, words: str | None
) -> None:
    ends = (date.today() + timedelta(days=days)).isoformat()
    found = settings(secret_expires=ends).advice()
    assert [advice.field for advice in found] == ([] if words is None else ["secret_expires"])
    assert all((words or "") in advice.words for advice in found)
    assert climbed(desk, secret_expires=ends)[0].ok


# ------------------------------------------------------------------ Test Connection


def climbed(desk: Desk, scope: LadderScope = BOTH, **changes: Any) -> list[Step]:
    return list(office365_ladder.ladder(settings(**changes), scope, desk.around, SWIFT))


def test_the_ladder_tells_tenant_certificate_roles_and_count(desk: Desk) -> None:
    desk.deliver(3)
    steps = climbed(desk)
    assert [(step.step, step.ok) for step in steps] == [
        ("IDs", True),
        ("Authority", True),
        ("Token", True),
        ("Inbox", True),
        ("Sending", True),
    ]
    assert "days left" in steps[1].detail
    assert "Mail.ReadWrite, Mail.Send" in steps[2].detail
    assert steps[3].detail == "Inbox with 3 messages"
    assert "test message" in steps[4].hint
    assert desk.mailbox.delivered == []
    assert desk.calls("/users/" + USER, "POST") == 0
    assert not any(entry.path.endswith(USER) for entry in desk.cloud.requests)


def test_an_account_that_only_sends_does_not_need_the_inbox(desk: Desk) -> None:
    desk.contoso.app.roles = frozenset({"Mail.Send"})
    steps = climbed(desk, LadderScope(BOTH.email, imports=False))
    assert [step.step for step in steps] == ["IDs", "Authority", "Token", "Sending"]
    assert all(step.ok for step in steps)


@pytest.mark.parametrize("opaque", [False, True])
def test_roles_are_a_hint_and_never_a_verdict(desk: Desk, opaque: bool) -> None:
    desk.cloud.settings.opaque_tokens = opaque
    desk.contoso.app.roles = frozenset()
    desk.contoso.app.rbac_roles = frozenset({"Mail.Send", "Mail.Read"})
    steps = climbed(desk)
    assert all(step.ok for step in steps)
    assert "RBAC" in steps[-1].detail


def test_each_failure_stops_at_its_step_with_the_field(desk: Desk) -> None:
    expected = {
        "settings.tenant_id": {"tenant_id": "nowhere.test"},
        "settings.client_secret": {"client_secret": "wrong"},
    }
    for (field, changes), name in zip(expected.items(), ("Authority", "Token"), strict=True):
        steps = climbed(desk, **changes)
        failed = next(step for step in steps if step.ok is False)
        assert (failed.step, failed.field, bool(failed.hint)) == (name, field, True)
        assert [step.ok for step in steps[steps.index(failed) + 1 :]] == [None] * (
            len(steps) - steps.index(failed) - 1
        )


def test_a_mended_secret_works_at_once_although_msal_remembers_the_failure(desk: Desk) -> None:
    desk.contoso.app.disabled = True
    assert [step.step for step in climbed(desk) if step.ok is False] == ["Token"]
    desk.contoso.app.disabled = False
    assert all(step.ok for step in climbed(desk))


def test_the_shape_of_the_ids_is_told_without_asking_anybody(desk: Desk) -> None:
    for changes in ({"client_secret": USER}, {"client_id": USER}):
        first, *rest = climbed(desk, **changes)
        assert (first.ok, [step.ok for step in rest]) == (False, [None] * 4)
        assert first.field in ("settings.client_secret", "settings.user_object_id")
    assert desk.cloud.requests == []


def test_the_ladder_can_be_cancelled(desk: Desk) -> None:
    desk.cloud.fail("openid", Fault(hang=20))
    threading.Timer(0.3, desk.cancel.cancel).start()
    started = time.monotonic()
    steps = climbed(desk)
    assert time.monotonic() - started < 1.5
    assert [step.ok for step in steps] == [True, False, None, None, None]


def test_a_certificate_that_nobody_trusts_says_so(desk: Desk) -> None:
    desk.config = desk.config.model_copy(update={"ca_bundle": None})
    failed = next(step for step in climbed(desk) if step.ok is False)
    assert failed.step == "Authority"
    assert "not trusted" in failed.detail
    assert "TOURMAIL_CA_BUNDLE" in failed.hint


def test_a_token_that_is_no_jwt_tells_no_roles() -> None:
    assert [roles_in(text) for text in ("", "abc", "a.b.c", "a.W10.c")] == [None] * 4
