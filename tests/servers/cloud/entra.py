"""Entra's part: tenant discovery and the client credentials grant, with its AADSTS errors.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from tests.servers.cloud.directory import GUID, App, Tenant
from tests.servers.cloud.state import State
from tests.servers.cloud.wire import Reply, Request

_DISCOVERY = "/v2.0/.well-known/openid-configuration"
_TOKEN = "/oauth2/v2.0/token"


class EntraError(Exception):
    """An AADSTS error; `error` is the OAuth 2 code that goes with it (RFC 6749, 5.2)."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.code = code


def answer(state: State, request: Request) -> Reply:
    """Answer a request to the login host."""
    try:
        return _route(state, request)
    except EntraError as error:
        return error_reply(request, error)


def error_reply(request: Request, error: EntraError) -> Reply:
    """Return the error in Entra's JSON."""
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    trace, correlation = str(uuid.uuid4()), request.headers.get("client-request-id")
    correlation = correlation or str(uuid.uuid4())
    text = (
        f"AADSTS{error.code}: {error} Trace ID: {trace} "
        f"Correlation ID: {correlation} Timestamp: {stamp}"
    )
    body = {
        "error": error.error,
        "error_description": text,
        "error_codes": [error.code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://{request.headers.get('Host')}/error?code={error.code}",
    }
    return Reply.of(error.status, body, x_ms_request_id=trace)


def form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form."""
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _route(state: State, request: Request) -> Reply:
    name, slash, rest = request.path.removeprefix("/").partition("/")
    match request.method, slash + rest:
        case "GET", path if path == _DISCOVERY:
            return _discover(state, _tenant(state, name, "invalid_tenant"))
        case "POST", path if path == _TOKEN:
            return _token(state, request, _tenant(state, name, "invalid_request"))
    return Reply(404)


def _tenant(state: State, name: str, error: str) -> Tenant:
    if not GUID.fullmatch(name) and "." not in name:
        text = (
            f"Specified tenant identifier '{name}' is neither a valid DNS name, "
            "nor a valid external domain."
        )
        raise EntraError(400, error, 900023, text)
    if (tenant := state.directory.tenant(name)) is None:
        text = (
            f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and "
            "are signing into the correct cloud."
        )
        raise EntraError(400, error, 90002, text)
    return tenant


def _discover(state: State, tenant: Tenant) -> Reply:
    base = f"{state.urls.login}/{tenant.tenant_id}"
    graph = state.urls.graph.removeprefix("https://")
    body = {
        "token_endpoint": base + _TOKEN,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": state.urls.login.removeprefix("https://"),
        "cloud_graph_host_name": graph,
        "msgraph_host": graph,
    }
    return Reply.of(200, body)


def _token(state: State, request: Request, tenant: Tenant) -> Reply:
    fields = form(request)
    _judge_grant(fields)
    app = _judge_client(tenant, fields)
    _judge_scope(state, tenant, fields["scope"])
    settings = state.settings
    token = state.directory.issue(
        app, state.urls.graph, settings.token_lifetime, opaque=settings.opaque_tokens
    )
    lifetime = int(settings.token_lifetime)
    body = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime}
    return Reply.of(200, body | {"access_token": token.value}, Cache_Control="no-store, no-cache")


def _judge_grant(fields: dict[str, str]) -> None:
    for name in ("grant_type", "client_id", "scope"):
        if not fields.get(name):
            text = f"The request body must contain the following parameter: '{name}'."
            raise EntraError(400, "invalid_request", 900144, text)
    if fields["grant_type"] != "client_credentials":
        text = f"The app requested an unsupported grant type '{fields['grant_type']}'."
        raise EntraError(400, "unsupported_grant_type", 70003, text)


def _judge_client(tenant: Tenant, fields: dict[str, str]) -> App:
    client_id, secret = fields["client_id"], fields.get("client_secret")
    app = tenant.apps.get(client_id.casefold())
    if app is None:
        text = (
            f"Application with identifier '{client_id}' was not found in the directory "
            f"'{tenant.tenant_id}'."
        )
        raise EntraError(400, "unauthorized_client", 700016, text)
    if app.disabled:
        text = f"Application '{client_id}' is disabled."
        raise EntraError(400, "unauthorized_client", 7000112, text)
    _judge_secret(app, secret)
    return app


def _judge_secret(app: App, secret: str | None) -> None:
    if not secret:
        text = (
            "'client_assertion', 'client_secret' or 'request' is required for the "
            "'client_credentials' grant type."
        )
        raise EntraError(401, "invalid_client", 7000216, text)
    if secret != app.secret:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the "
            "client secret value, not the client secret ID, for a secret added to app "
            f"'{app.client_id}'."
        )
        raise EntraError(401, "invalid_client", 7000215, text)
    if app.secret_expired:
        text = f"The provided client secret keys for app '{app.client_id}' are expired."
        raise EntraError(401, "invalid_client", 7000222, text)


def _judge_scope(state: State, tenant: Tenant, scope: str) -> None:
    resource, slash, permission = scope.rpartition("/")
    if not slash or permission != ".default":
        text = (
            f"The provided value for scope {scope} is not valid. Client credential flows must "
            "have a scope value with /.default suffixed to the resource identifier."
        )
        raise EntraError(400, "invalid_scope", 1002012, text)
    if resource.rstrip("/") != state.urls.graph:
        text = (
            f"The resource principal named {resource} was not found in the tenant named "
            f"{tenant.tenant_id}."
        )
        raise EntraError(400, "invalid_resource", 500011, text)
