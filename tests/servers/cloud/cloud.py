"""A Microsoft cloud on loopback: Entra, Graph and Outlook's upload host, for tests.

msal and requests are used unmodified against it. It answers as Microsoft documents and as users of
Graph report, refuses what they refuse, and breaks on demand::

    with Cloud(Authority(folder).server.context()) as cloud:
        cloud.add_tenant(TENANT, "contoso.test")
        cloud.add_app(TENANT, CLIENT, "the secret's value")
        mailbox = cloud.add_user(TENANT, USER, "bookings@contoso.test")
        key = mailbox.deliver(b"From: a@b.test\\r\\n\\r\\nHello\\r\\n")
        cloud.fail(r"/messages/delta", Fault(status=429, retry_after=1), times=2)
        ...                       # cloud.login_url, cloud.graph_url: https://127.0.0.1:port
        assert cloud.early_retries == []

**Hosts**, each with a port of its own on 127.0.0.1: `login_url` (Entra), `graph_url` (the scope is
`{graph_url}/.default`, requests go to `{graph_url}/v1.0/…`), the upload host that upload sessions
name, and a decoy that nobody should talk to (`decoy_url`; `lookalike_url` is the decoy behind the
Graph host's name as user info). It records who comes with a token.

**Set-up**: `add_tenant`, `add_app`, `add_user`; `app()` returns the `App` whose fields may be
changed while the cloud runs; `settings` (see settings.py) holds sizes, speeds, limits, habits.

**Faults**: `fail(path, Fault(…), method=, host=, times=, skip=, every=)`, see faults.py; also
`expire_tokens()`, `expire_delta_tokens()`, `drop_connections()`.

**Mailboxes**: `mailbox(user)` by object id or address: `deliver(raw, received=None)` returns the
immutable id, `remove(id)`, `touch(id)`, `move(id, folder)`, and `inbox`, `sent`, `drafts` (lists
of `Message` with `id`, `raw`, `message_id`), `delivered` (list of `Delivery`: recipients, raw).
What is sent to the address of another user of the cloud arrives in that user's inbox.

**What was seen**: `requests` (the log, without tokens), `token_requests`, `peak_concurrency` by
(client id, object id), `early_retries` (the same request again before its Retry-After was over),
`requests_while_throttled` (any request of that app for that mailbox in that time),
`foreign_hosts_with_token`, `refused_handshakes`. On leaving, a fault of the cloud itself raises.
"""

import ssl
from collections.abc import Collection
from typing import Self

from tests.servers.cloud.directory import App, Tenant, User
from tests.servers.cloud.faults import Fault, FaultBook, Rule
from tests.servers.cloud.front import Front
from tests.servers.cloud.mailbox import Mailbox
from tests.servers.cloud.settings import Settings
from tests.servers.cloud.state import GraphError, State, Urls
from tests.servers.cloud.watch import Caller, EarlyRetry, Entry, Watch
from tests.servers.cloud.wire import Listener

HOSTS = ("login", "graph", "upload", "decoy")


class Cloud:
    """The cloud; see the module. `context` is a server's TLS context for 127.0.0.1."""

    def __init__(self, context: ssl.SSLContext, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._state = State(self.settings)
        self._faults = FaultBook()
        self._watch = Watch()
        self._front = Front(self._state, self._faults, self._watch)
        self._listeners = [Listener(name, context, self._front.answer) for name in HOSTS]
        urls = {each.name: f"https://127.0.0.1:{each.port}" for each in self._listeners}
        self._state.urls = Urls(**urls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Close all hosts; raise what went wrong inside the cloud, if nothing else is raised."""
        self.close()
        crashes = [crash for listener in self._listeners for crash in listener.crashes]
        if crashes and error is None:
            raise RuntimeError("the cloud itself failed") from crashes[0]

    def close(self) -> None:
        """Close all hosts; nobody waits for a request that hangs."""
        self._front.closing.set()
        for listener in self._listeners:
            listener.close()

    @property
    def login_url(self) -> str:
        """Entra's base URL; an authority is `{login_url}/{tenant}`."""
        return self._state.urls.login

    @property
    def graph_url(self) -> str:
        """Graph's base URL, without the version."""
        return self._state.urls.graph

    @property
    def upload_url(self) -> str:
        """The base of upload URLs."""
        return self._state.urls.upload

    @property
    def decoy_url(self) -> str:
        """The base URL of a foreign host that answers everything with an empty page."""
        return self._state.urls.decoy

    @property
    def lookalike_url(self) -> str:
        """The decoy's URL, beginning with the text of Graph's."""
        return f"{self.graph_url}@{self.decoy_url.removeprefix('https://')}"

    def add_tenant(self, tenant_id: str, *domains: str) -> Tenant:
        """Add a tenant, known by its id and its verified domains."""
        return self._state.directory.add_tenant(tenant_id, *domains)

    def add_app(
        self,
        tenant: str,
        client_id: str,
        secret: str,
        *,
        roles: Collection[str] = ("Mail.ReadWrite", "Mail.Send"),
        rbac_roles: Collection[str] = (),
    ) -> App:
        """Register an app; `roles` stand in its tokens, `rbac_roles` do not but work as well."""
        home = self._state.directory.require(tenant)
        app = App(home, client_id.casefold(), secret, frozenset(roles), frozenset(rbac_roles))
        home.apps[app.client_id] = app
        return app

    def add_user(
        self,
        tenant: str,
        object_id: str,
        address: str,
        *,
        name: str = "",
        send_as: Collection[str] = (),
        mailbox_error: str | None = None,
    ) -> Mailbox:
        """Add a user and return the mailbox.

        `send_as` are other addresses that may stand in From. `mailbox_error` is the code that
        Graph answers with 404: MailboxNotEnabledForRESTAPI, ResourceNotFound, …
        """
        home, owner = self._state.directory.require(tenant), len(self._state.directory.users())
        mailbox = Mailbox(owner, address, name, self._state.lock)
        others = frozenset(other.casefold() for other in send_as)
        user = User(home, object_id.casefold(), address, mailbox, others, mailbox_error)
        home.users.append(user)
        return mailbox

    def app(self, tenant: str, client_id: str) -> App:
        """Return an app, to change its fields: `disabled`, `secret_expired`, `policy`, …"""
        return self._state.directory.require(tenant).apps[client_id.casefold()]

    def mailbox(self, user: str) -> Mailbox:
        """Return the mailbox of a user, by object id or address."""
        wanted = user.casefold()
        for found in self._state.directory.users():
            if wanted in (found.object_id, found.address.casefold()):
                return found.mailbox
        raise KeyError(f"no user {user}")

    def fail(
        self,
        path: str,
        fault: Fault,
        *,
        method: str | None = None,
        host: str | None = None,
        times: int | None = 1,
        skip: int = 0,
        every: int = 1,
    ) -> Rule:
        """Let `fault` strike requests whose path and query, decoded, match the pattern `path`.

        It strikes `times` times (None: always), after the first `skip` that match, and of the
        rest only each `every`th. Returns the rule: `.hits`, `.cancel()`.
        """
        rule = Rule(path, fault, method=method, host=host, times=times, skip=skip, every=every)
        return self._faults.add(rule)

    def heal(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def expire_tokens(self) -> None:
        """End the life of every access token given out so far."""
        self._state.directory.expire_tokens()

    def expire_delta_tokens(self, status: int = 410, code: str = "SyncStateNotFound") -> None:
        """End the life of every delta and skip token given out so far."""
        text = "The sync state generation is not found; generation=1;[highest=3][3][2]."
        with self._state.lock:
            self._state.delta_error = GraphError(status, code, text)
            self._state.delta_generation += 1

    def drop_connections(self) -> None:
        """Break all open connections, idle ones too."""
        for listener in self._listeners:
            listener.drop_connections()

    @property
    def requests(self) -> list[Entry]:
        """All requests to all hosts, in order of arrival."""
        return list(self._watch.entries)

    @property
    def token_requests(self) -> int:
        """How many tokens were asked for."""
        return sum(e.host == "login" and e.method == "POST" for e in self._watch.entries)

    @property
    def peak_concurrency(self) -> dict[Caller, int]:
        """The most Graph requests at once, by (client id, object id)."""
        return dict(self._watch.peak)

    @property
    def early_retries(self) -> list[EarlyRetry]:
        """Requests that were repeated before the Retry-After of their 429 or 503 was over."""
        return list(self._watch.early)

    @property
    def requests_while_throttled(self) -> list[Entry]:
        """Requests that came for a mailbox while its last 429 or 503 asked the app to wait."""
        return list(self._watch.while_throttled)

    @property
    def foreign_hosts_with_token(self) -> list[Entry]:
        """Requests with an Authorization header to any host but Graph."""
        return [e for e in self._watch.entries if e.authorized and e.host != "graph"]

    @property
    def refused_handshakes(self) -> int:
        """TLS handshakes that failed, as where a client does not trust the certificate."""
        return sum(listener.refused_handshakes for listener in self._listeners)
