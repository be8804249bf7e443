"""Who is who in Entra: tenants, apps and what they may do, users, and the tokens given out."""

import base64
import json
import re
import secrets
import threading
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.servers.cloud.mailbox import Mailbox

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


@dataclass
class App:
    """An app registration with its client secret.

    `roles` are consented application permissions; they stand in the token. `rbac_roles` come from
    Exchange RBAC for Applications; they work, but no token shows them. `policy`, where set, is an
    ApplicationAccessPolicy: the object ids of the only mailboxes that `roles` open.
    """

    tenant: "Tenant"
    client_id: str
    secret: str
    roles: frozenset[str]
    rbac_roles: frozenset[str] = frozenset()
    policy: frozenset[str] | None = None
    disabled: bool = False
    secret_expired: bool = False


@dataclass
class User:
    """A user of a tenant; `mailbox_error` is Graph's code where there is no usable mailbox."""

    tenant: "Tenant"
    object_id: str
    address: str
    mailbox: Mailbox
    send_as: frozenset[str] = frozenset()
    mailbox_error: str | None = None


@dataclass
class Tenant:
    """A tenant, known by its id and by its verified domains."""

    tenant_id: str
    domains: tuple[str, ...]
    apps: dict[str, App] = field(default_factory=dict)
    users: list[User] = field(default_factory=list)

    def user(self, key: str) -> User | None:
        """Return the user with this object id or address."""
        wanted = key.casefold()
        found = (u for u in self.users if wanted in (u.object_id, u.address.casefold()))
        return next(found, None)


@dataclass
class Token:
    """An access token as Graph remembers it; `expires` is a time of `time.monotonic`."""

    value: str
    app: App
    audience: str
    expires: float

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self.expires


class Directory:
    """All tenants, and every token given out."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._tenants: list[Tenant] = []
        self._tokens: dict[str, Token] = {}

    def add_tenant(self, tenant_id: str, *domains: str) -> Tenant:
        """Add a tenant with its verified domains."""
        tenant = Tenant(tenant_id.casefold(), tuple(name.casefold() for name in domains))
        self._tenants.append(tenant)
        return tenant

    def tenant(self, key: str) -> Tenant | None:
        """Return the tenant with this id or verified domain."""
        key = key.casefold()
        found = (t for t in self._tenants if key == t.tenant_id or key in t.domains)
        return next(found, None)

    def require(self, key: str) -> Tenant:
        """Return the tenant; KeyError for a test that never added it."""
        if (tenant := self.tenant(key)) is None:
            raise KeyError(f"no tenant {key}")
        return tenant

    def users(self) -> list[User]:
        """Return the users of all tenants."""
        return [user for tenant in self._tenants for user in tenant.users]

    def user_at(self, address: str) -> User | None:
        """Return the user of any tenant with this address."""
        wanted = address.casefold()
        return next((user for user in self.users() if user.address.casefold() == wanted), None)

    def issue(self, app: App, audience: str, lifetime: float, *, opaque: bool) -> Token:
        """Give out a token for `app`, good for `lifetime` seconds."""
        value = secrets.token_urlsafe(48) if opaque else _jwt(app, audience, lifetime)
        token = Token(value, app, audience, time.monotonic() + lifetime)
        with self._lock:
            self._tokens[value] = token
        return token

    def token(self, authorization: str | None) -> Token | None:
        """Return the token of an Authorization header, expired or not."""
        scheme, _, value = (authorization or "").partition(" ")
        return self._tokens.get(value.strip()) if scheme.casefold() == "bearer" else None

    def expire_tokens(self) -> None:
        """End the life of every token given out so far."""
        with self._lock:
            for token in self._tokens.values():
                token.expires = 0.0


def _jwt(app: App, audience: str, lifetime: float) -> str:
    """Return an unsigned JWT with the claims that a client can see in Entra's."""
    now = int(time.time())
    claims: dict[str, object] = {
        "aud": audience,
        "iat": now,
        "exp": now + int(lifetime),
        "appid": app.client_id,
        "idtyp": "app",
        "tid": app.tenant.tenant_id,
        "uti": uuid.uuid4().hex,
        "ver": "1.0",
    }
    if app.roles:
        claims["roles"] = sorted(app.roles)
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", "alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"-"))


def permissions(roles: Collection[str]) -> set[str]:
    """Return `roles` with those that they imply."""
    return {*roles, *(("Mail.Read",) if "Mail.ReadWrite" in roles else ())}
