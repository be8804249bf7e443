"""Test Connection for Office 365: IDs, authority, token, inbox; sending as far as it can be told.

Everything is asked afresh: msal repeats failures from its cache, and an admin has just mended one.
"""

from collections.abc import Iterator

from models.fields import is_guid
from services.errors import ServiceError
from services.protocols.base import LadderScope, Step, Surroundings, climb
from services.protocols.office365_graph import Graph
from services.protocols.office365_mailbox import inbox_count
from services.protocols.office365_settings import Office365Settings
from services.protocols.office365_token import Tokens, roles_in
from services.protocols.office365_wire import Patience
from services.text import count

_SENDING_ROLES = frozenset({"Mail.Send"})
_TEST_MESSAGE = "Send a test message: nothing else proves the right to send."


def ladder(
    settings: Office365Settings,
    scope: LadderScope,
    surroundings: Surroundings,
    patience: Patience | None = None,
) -> Iterator[Step]:
    """Climb; nothing is sent and nothing in the mailbox changes. Never raises."""
    rungs = _Rungs(settings, surroundings, patience or Patience())
    wanted = [("IDs", rungs.ids), ("Authority", rungs.authority), ("Token", rungs.token)]
    if scope.imports:
        wanted.append(("Inbox", rungs.inbox))
    passed = True
    try:
        for step in climb(wanted, surroundings.clock):
            passed = bool(step.ok)
            yield step
    finally:
        rungs.close()
    if scope.email:
        yield rungs.sending(scope.email.default_email) if passed else Step("Sending", None)


class _Rungs:
    """Each returns what it found in words, or raises ServiceError with hint and field."""

    def __init__(
        self, settings: Office365Settings, around: Surroundings, patience: Patience
    ) -> None:
        self._settings, self._around, self._patience = settings, around, patience
        self._tokens: Tokens | None = None
        self._graph: Graph | None = None
        self._token = ""

    def close(self) -> None:
        """Close the connections; never raises."""
        if self._graph is not None:
            self._graph.close()
        if self._tokens is not None:
            self._tokens.close()

    def ids(self) -> str:
        """Look at the shape of what was entered, without asking anybody."""
        secret = self._settings.client_secret
        value = secret.get_secret_value() if secret else ""
        if is_guid(value):
            raise ServiceError(
                "The client secret has the shape of its ID.",
                "Paste the secret's Value; where it is no longer shown, make a new secret.",
                "settings.client_secret",
            )
        for advice in self._settings.mixed_up():
            raise ServiceError(advice.words, "", f"settings.{advice.field}")
        cloud = self._fresh().cloud
        return f"well-formed, for {cloud.login} and {cloud.graph}"

    def authority(self) -> str:
        """Find the tenant."""
        certificate = self._fresh().discover(self._around)
        return f"tenant {self._settings.tenant_id} found, {certificate or 'verified'}"

    def token(self) -> str:
        """Sign in as the app."""
        self._token = self._fresh().get(self._around)
        roles = roles_in(self._token)
        if not roles:
            return "given; it names no permissions"
        return f"given, with the permissions {', '.join(roles)}"

    def inbox(self) -> str:
        """Read the inbox's count, which takes Mail.Read."""
        self._graph = Graph(self._settings, self._around, self._patience, self._fresh())
        return f"Inbox with {count(inbox_count(self._graph), 'message')}"

    def sending(self, address: str) -> Step:
        """Tell what the token says of sending: a hint, no verdict."""
        if _SENDING_ROLES & set(roles_in(self._token) or ()):
            detail = f"the token permits Mail.Send; {address} was not tried"
            return Step("Sending", True, 0, detail, _TEST_MESSAGE)
        detail = "the token does not name Mail.Send, which Exchange RBAC may grant unseen"
        hint = f"Grant Mail.Send as an Application permission, or use RBAC. {_TEST_MESSAGE}"
        return Step("Sending", True, 0, detail, hint)

    def _fresh(self) -> Tokens:
        if self._tokens is None:
            self._tokens = Tokens(self._settings, self._around, self._patience)
        return self._tokens
