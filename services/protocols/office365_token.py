"""Access tokens for Graph by msal's client credentials: asked for once, however many wait.

msal keeps tokens in memory until five minutes before their end, has no single flight of its own,
repeats failures from a cache without asking, and speaks its errors in four ways.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import requests

from services import network
from services.errors import ConnectionFailed
from services.protocols.base import Surroundings
from services.protocols.office365_advice import Fault, refusal
from services.protocols.office365_cloud import Cloud, cloud_of
from services.protocols.office365_settings import Office365Settings
from services.protocols.office365_throttle import Throttled, retry_after, waiting
from services.protocols.office365_wire import Line, Patience

if TYPE_CHECKING:
    from msal import ConfidentialClientApplication

_POLL = 0.05
_GIVEN = "access_token"


class Tokens:
    """One app's tokens for one tenant and cloud. Safe from any thread."""

    def __init__(
        self, settings: Office365Settings, around: Surroundings, patience: Patience | None = None
    ) -> None:
        """Take whose they are. Nothing is asked yet; a fresh instance knows no old failures.

        Raises ServiceError for a custom cloud without addresses or an unusable CA bundle.
        """
        self._settings = settings
        self.cloud: Cloud = cloud_of(settings, around.config)
        self._patience = patience or Patience()
        self.context = network.tls_context(around.config.ca_bundle)
        """What verifies the certificates of this cloud."""
        self._line = Line(self.context, self._patience)
        self._line.session.hooks["response"].append(self._note)
        self._app: ConfidentialClientApplication | None = None
        self._refused: _Refused | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connection, for an instance that nobody shares; never raises."""
        self._line.close()

    def get(self, around: Surroundings) -> str:
        """Return a token that is good for some minutes.

        Raises AccountRefused with what to correct, ConnectionFailed, Cancelled.
        """
        with self._turn(around):
            return self._patiently(around)

    def renewed(self, spent: str, around: Surroundings) -> str:
        """Return another token than the one that Graph refuses, asked for once by all who ask."""
        with self._turn(around):
            if self._app is not None and self._patiently(around) == spent:
                self._app.remove_tokens_for_client()
            return self._patiently(around)

    def discover(self, around: Surroundings) -> str:
        """Find the tenant at its authority and describe whom we reached, for Test Connection."""
        with self._turn(around):
            self._patiently(around, lambda: {_GIVEN: str(bool(self._open()))})
        return self._line.certificate

    @contextmanager
    def _turn(self, around: Surroundings) -> Iterator[None]:
        while not self._lock.acquire(timeout=_POLL):
            around.cancel.check()
        try:
            around.cancel.check()
            yield
        finally:
            self._lock.release()

    def _patiently(
        self, around: Surroundings, ask: Callable[[], Mapping[str, Any]] | None = None
    ) -> str:
        """Ask, and where Entra wants us to wait, wait that long and ask again."""
        waited = 0.0
        while True:
            answer = self._ask(around, ask or self._acquire)
            if token := answer.get(_GIVEN):
                return str(token)
            fault, pause = self._fault(answer), self._pause()
            if pause is None:
                raise refusal(fault)
            waited += pause
            if waited > self._patience.throttled:
                raise Throttled(pause)
            self._app = None  # it would repeat the refusal from its cache
            around.say(waiting(pause))
            around.cancel.sleep(pause)

    def _ask(self, around: Surroundings, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what Entra says, {} where msal made an exception of it."""
        from msal.exceptions import MsalServiceError

        with self._line.under(around.cancel, self._patience.read):
            try:
                return ask()
            except MsalServiceError:
                return {}
            except requests.RequestException as error:
                self._app = None
                around.cancel.check()
                raise self._line.trouble(self.cloud.login, error) from None
            except (ValueError, KeyError):  # msal's words for a tenant that is not found
                if self._refused is not None:
                    return {}
                raise ConnectionFailed(
                    f"{self.cloud.login} does not answer as Entra does.",
                    "Check TOURMAIL_O365_LOGIN_URL, and proxies in between.",
                ) from None

    def _acquire(self) -> Mapping[str, Any]:
        found = self._open().acquire_token_for_client([f"{self.cloud.graph}/.default"])
        return dict(found or {})

    def _open(self) -> "ConfidentialClientApplication":
        """Return msal's client; making it asks the authority for its addresses."""
        if self._app is None:
            from msal import ConfidentialClientApplication

            secret = self._settings.client_secret
            self._app = ConfidentialClientApplication(
                self._settings.client_id,
                client_credential=secret.get_secret_value() if secret else "",
                authority=f"{self.cloud.login}/{self._settings.tenant_id}",
                instance_discovery=False,
                http_client=self._line.session,
            )
        return self._app

    def _note(self, response: requests.Response, *_args: object, **_given: object) -> None:
        """Keep what msal keeps for itself: status, Retry-After, and the codes of a refusal."""
        refused = response.status_code >= 400
        self._refused = _Refused.of(response) if refused else None

    def _fault(self, answer: Mapping[str, Any]) -> Fault:
        """Return Entra's error, out of msal's dict or of what came over the wire."""
        refused = self._refused or _Refused(0, {}, {})
        answer = answer if answer.get("error_codes") else refused.said
        code = next(iter(answer.get("error_codes") or ()), None)
        return Fault(
            "Entra",
            refused.status,
            f"AADSTS{code}" if code else str(answer.get("error", "")),
            str(answer.get("error_description", "")).partition(" Trace ID")[0],
            str(answer.get("trace_id", "")),
            str(answer.get("timestamp", "")),
        )

    def _pause(self) -> float | None:
        """Return how many seconds Entra asks us to wait, where that is what it said."""
        if self._refused is None or self._refused.status not in (429, 503):
            return None
        return retry_after(self._refused.headers) or self._patience.unasked


@dataclass(frozen=True)
class _Refused:
    """A refusal without the request, which holds the secret."""

    status: int
    headers: Mapping[str, str]
    said: Mapping[str, Any]

    @classmethod
    def of(cls, response: requests.Response) -> Self:
        try:
            said = response.json()
        except ValueError:
            said = {}
        return cls(response.status_code, response.headers, said if isinstance(said, dict) else {})


_SHARED: dict[tuple[str, ...], Tokens] = {}
_LOCK = threading.Lock()


def shared_tokens(settings: Office365Settings, around: Surroundings) -> Tokens:
    """Return this process's one instance for a cloud, tenant, app and secret."""
    cloud = cloud_of(settings, around.config)
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    bundle = str(around.config.ca_bundle)
    key = (cloud.login, cloud.graph, settings.tenant_id, settings.client_id, digest, bundle)
    with _LOCK:
        if key not in _SHARED:
            _SHARED[key] = Tokens(settings, around)
        return _SHARED[key]


def roles_in(token: str) -> list[str] | None:
    """Return the application permissions that a token names; None where it cannot be read.

    They prove nothing: Exchange RBAC for Applications gives rights that no token shows.
    """
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return [str(role) for role in claims.get("roles", ())]
    except (IndexError, ValueError, AttributeError, TypeError):
        return None
