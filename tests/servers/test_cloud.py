"""The loopback cloud's front: Entra's tokens and refusals, Graph's tokens and permissions."""

from collections.abc import Callable

import msal
import pytest
import requests
from msal.exceptions import MsalServiceError

from tests.servers.cloud.cloud import Cloud
from tests.servers.cloud.contoso import (
    ADDRESS,
    CLIENT,
    DOMAIN,
    SECRET,
    TENANT,
    USER,
    Contoso,
    claims,
)
from tests.servers.cloud.directory import App
from tests.servers.cloud.faults import Fault
from tests.servers.process import wait_until
from tests.servers.tls import Authority

STRANGER = "0a1b2c3d-0000-4000-8000-0000000000ff"


@pytest.mark.parametrize("tenant", [TENANT, TENANT.upper(), DOMAIN])
def test_msal_gets_a_token_once_and_graph_takes_it(contoso: Contoso, tenant: str) -> None:
    client = contoso.client(tenant)
    first = client.acquire_token_for_client([contoso.scope])
    again = client.acquire_token_for_client([contoso.scope])
    assert first["access_token"] == again["access_token"]
    assert contoso.cloud.token_requests == 1
    assert claims(first["access_token"])["roles"] == ["Mail.ReadWrite", "Mail.Send"]
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    answer = contoso.session().get(contoso.url("mailFolders/inbox"), headers=bearer)
    assert answer.status_code == 200


def test_rbac_opens_the_mailbox_without_a_role_in_the_token(contoso: Contoso) -> None:
    contoso.app.roles, contoso.app.rbac_roles = frozenset(), frozenset({"Mail.Read"})
    assert "roles" not in claims(contoso.acquire()["access_token"])
    assert contoso.signed_in().get(contoso.url("mailFolders/inbox")).status_code == 200
    refused = contoso.signed_in().post(contoso.url("sendMail"), json={"message": {}})
    assert refused.json()["error"]["code"] == "ErrorAccessDenied"


def test_an_opaque_token_is_no_jwt(contoso: Contoso) -> None:
    contoso.cloud.settings.opaque_tokens = True
    assert "." not in contoso.acquire()["access_token"]
    assert contoso.signed_in().get(contoso.url("mailFolders/inbox")).status_code == 200


@pytest.mark.parametrize(
    ("given", "change", "status", "error", "code"),
    [
        ({"client_id": STRANGER}, {}, 400, "unauthorized_client", 700016),
        ({"client_secret": "wrong"}, {}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, {}, 401, "invalid_client", 7000216),
        ({}, {"secret_expired": True}, 401, "invalid_client", 7000222),
        ({}, {"disabled": True}, 400, "unauthorized_client", 7000112),
        ({"scope": "Mail.Send"}, {}, 400, "invalid_scope", 1002012),
        ({"scope": "https://elsewhere.test/.default"}, {}, 400, "invalid_resource", 500011),
        ({"scope": ""}, {}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, {}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_entra_refuses_with_its_code(
    contoso: Contoso,
    given: dict[str, str],
    change: dict[str, bool],
    status: int,
    error: str,
    code: int,
) -> None:
    for name, value in change.items():
        setattr(contoso.cloud.app(TENANT, CLIENT), name, value)
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scope": contoso.scope,
    }
    url = f"{contoso.cloud.login_url}/{TENANT}/oauth2/v2.0/token"
    mark = {"client-request-id": STRANGER}
    answer = contoso.session().post(url, data=form | given, headers=mark)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert body["correlation_id"] == STRANGER
    assert body["trace_id"] in body["error_description"]
    assert SECRET not in answer.text


def test_msal_reports_entras_refusal(contoso: Contoso) -> None:
    answer = contoso.acquire(client_credential="wrong")
    assert answer["error_codes"] == [7000215]
    assert answer["trace_id"]


@pytest.mark.parametrize(("tenant", "code"), [(STRANGER, 90002), ("gibberish", 900023)])
def test_msal_hides_the_code_of_an_unknown_tenant_which_a_get_shows(
    contoso: Contoso, tenant: str, code: int
) -> None:
    with pytest.raises(ValueError, match="authority configuration"):
        contoso.client(tenant)
    url = f"{contoso.cloud.login_url}/{tenant}/v2.0/.well-known/openid-configuration"
    answer = contoso.session().get(url)
    assert answer.status_code == 400
    assert answer.json()["error_codes"] == [code]


def test_entra_fails_and_hangs_on_demand(contoso: Contoso) -> None:
    contoso.cloud.fail("/token$", Fault(status=503, code="90033"))
    with pytest.raises(MsalServiceError):
        contoso.acquire()
    contoso.cloud.fail("/token$", Fault(hang=30))
    with pytest.raises(requests.exceptions.ReadTimeout):
        contoso.acquire(http_client=contoso.session(timeout=0.2))
    assert "access_token" in contoso.acquire()


def test_a_token_ends_with_its_life_or_when_told(contoso: Contoso) -> None:
    url = contoso.url("mailFolders/inbox")
    session = contoso.signed_in()
    assert session.get(url).status_code == 200
    contoso.cloud.expire_tokens()
    assert "expired" in session.get(url).json()["error"]["message"]
    contoso.cloud.settings.token_lifetime = 0
    assert contoso.signed_in().get(url).status_code == 401


@pytest.mark.parametrize("header", [None, "Bearer made.up.token", "Basic abc"])
def test_graph_takes_no_other_token(contoso: Contoso, header: str | None) -> None:
    session = contoso.session()
    headers = {"client-request-id": STRANGER} | ({"Authorization": header} if header else {})
    answer = session.get(contoso.url("mailFolders/inbox"), headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (401, "InvalidAuthenticationToken")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert answer.headers["client-request-id"] == STRANGER
    assert "Date" in answer.headers


def _no_roles(app: App) -> None:
    app.roles = frozenset()


def _policy(app: App) -> None:
    app.policy = frozenset({STRANGER})


def _nothing(app: App) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "rest", "status", "code"),
    [
        (_nothing, "mailFolders/inbox", 200, None),
        (_no_roles, "mailFolders/inbox", 403, "ErrorAccessDenied"),
        (_policy, "mailFolders/inbox", 403, "ErrorAccessDenied"),
        (_nothing, "", 403, "Authorization_RequestDenied"),
        (_nothing, "calendar", 400, "BadRequest"),
        (_nothing, "mailFolders/nowhere", 404, "ErrorItemNotFound"),
    ],
)
def test_graph_judges_the_apps_rights(
    contoso: Contoso, change: Callable[[App], None], rest: str, status: int, code: str | None
) -> None:
    change(contoso.app)
    answer = contoso.signed_in().get(contoso.url(rest).rstrip("/"))
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code
    assert ("[RAOP]" in answer.text) == (change is _policy)


def test_a_user_may_be_named_by_address_but_not_by_another_tenants(contoso: Contoso) -> None:
    session = contoso.signed_in()
    assert session.get(contoso.url("mailFolders/inbox", ADDRESS)).status_code == 200
    contoso.cloud.add_tenant(STRANGER)
    contoso.cloud.add_user(STRANGER, STRANGER, "someone@fabrikam.test")
    answer = session.get(contoso.url("mailFolders/inbox", STRANGER))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorInvalidUser")


@pytest.mark.parametrize("code", ["MailboxNotEnabledForRESTAPI", "ResourceNotFound"])
def test_a_user_without_a_mailbox_is_refused(contoso: Contoso, code: str) -> None:
    contoso.cloud.add_user(TENANT, STRANGER, "guest@contoso.test", mailbox_error=code)
    answer = contoso.signed_in().get(contoso.url("mailFolders/inbox", STRANGER))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_the_log_knows_of_a_token_but_not_which(contoso: Contoso) -> None:
    session = contoso.signed_in()
    session.get(contoso.url("mailFolders/inbox"))
    entry = contoso.cloud.requests[-1]
    assert (entry.host, entry.method, entry.status) == ("graph", "GET", 200)
    assert (entry.app, entry.mailbox, entry.authorized) == (CLIENT, USER, True)
    assert "authorization" not in entry.headers
    assert str(session.headers["Authorization"]).removeprefix("Bearer ") not in repr(entry)
    assert SECRET not in repr(contoso.cloud.requests)


def test_a_client_that_does_not_trust_the_certificate_gets_nowhere(contoso: Contoso) -> None:
    session = requests.Session()
    session.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        session.get(contoso.cloud.graph_url)
    wait_until(lambda: contoso.cloud.refused_handshakes == 1, "no handshake was refused")
    assert contoso.cloud.requests == []


def test_a_fault_of_the_cloud_itself_is_not_taken_for_a_network_fault(
    authority: Authority,
) -> None:
    def broken() -> None:
        raise LookupError("a bug")

    def visit() -> None:
        with Cloud(authority.server.context()) as cloud:
            contoso = Contoso(cloud, authority.bundle)
            cloud.fail("inbox", Fault(run=broken))
            session = contoso.signed_in()
            with pytest.raises(requests.exceptions.ConnectionError):
                session.get(contoso.url("mailFolders/inbox"))

    with pytest.raises(RuntimeError, match="the cloud itself failed"):
        visit()


def test_msal_and_the_cloud_agree_on_who_the_tenant_is(contoso: Contoso) -> None:
    client: msal.ConfidentialClientApplication = contoso.client(DOMAIN)
    assert client.authority.tenant == TENANT
