"""What most tests of the cloud need: one tenant, one app, one mailbox, and clients for them."""

import base64
import json
from pathlib import Path
from typing import Any

import msal
import requests
from requests.adapters import HTTPAdapter

from tests.servers.cloud.cloud import Cloud

TENANT = "0a1b2c3d-0000-4000-8000-000000000001"
CLIENT = "0a1b2c3d-0000-4000-8000-000000000002"
USER = "0a1b2c3d-0000-4000-8000-000000000003"
SECRET = "Abc8Q~the.secrets-value_not.its-id"
DOMAIN = "contoso.test"
ADDRESS = f"bookings@{DOMAIN}"


class _Impatient(HTTPAdapter):
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        super().__init__()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **given: Any
    ) -> requests.Response:
        """Send with the adapter's timeout where none is given."""
        given["timeout"] = given.get("timeout") or self._timeout
        return super().send(request, *args, **given)


class Contoso:
    """The tenant in `cloud`; `bundle` is the CA file that its clients trust."""

    def __init__(self, cloud: Cloud, bundle: Path) -> None:
        self.cloud = cloud
        self.bundle = bundle
        cloud.add_tenant(TENANT, DOMAIN)
        self.app = cloud.add_app(TENANT, CLIENT, SECRET)
        self.mailbox = cloud.add_user(TENANT, USER, ADDRESS, name="Bookings")

    def url(self, rest: str, user: str = USER) -> str:
        """Return a Graph URL below the user."""
        return f"{self.cloud.graph_url}/v1.0/users/{user}/{rest}"

    def session(self, timeout: float = 10.0) -> requests.Session:
        """Return a session that trusts the CA, nothing of the environment, and waits `timeout` s.

        msal leaves the timeout to a session that it is given.
        """
        session = requests.Session()
        session.mount("https://", _Impatient(timeout))
        # REQUESTS_CA_BUNDLE silently beats `verify` (psf/requests #3829).
        session.trust_env = False
        session.verify = str(self.bundle)
        return session

    def client(self, tenant: str = TENANT, **given: Any) -> msal.ConfidentialClientApplication:
        """Return msal's client for the app; `given` goes before the usual arguments."""
        usual: dict[str, Any] = {
            "client_id": CLIENT,
            "client_credential": SECRET,
            "http_client": self.session(),
        }
        return msal.ConfidentialClientApplication(
            authority=f"{self.cloud.login_url}/{tenant}",
            instance_discovery=False,
            **(usual | given),
        )

    def acquire(self, tenant: str = TENANT, **given: Any) -> dict[str, Any]:
        """Return what msal says to a request for a token with a client of its own."""
        answer = self.client(tenant, **given).acquire_token_for_client([self.scope])
        return dict(answer)

    @property
    def scope(self) -> str:
        """The scope of Graph's application permissions."""
        return f"{self.cloud.graph_url}/.default"

    def signed_in(self, *, immutable: bool = True) -> requests.Session:
        """Return a session that sends a token with every request, to whatever host."""
        session = self.session()
        session.headers["Authorization"] = f"Bearer {self.acquire()['access_token']}"
        if immutable:
            session.headers["Prefer"] = 'IdType="ImmutableId"'
        return session


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT."""
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
