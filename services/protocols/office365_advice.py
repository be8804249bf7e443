"""What an error code of Entra or Graph means for an admin; decided by codes, never by texts.

Codes: Entra, "Microsoft Entra authentication and authorization error codes"; Graph, "Microsoft
Graph error responses and resource types", and what users of both report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from services.errors import ConnectionFailed, LoginRefused
from services.text import plain


class Whose(Enum):
    """What has to change before it can work."""

    ACCOUNT = "account"
    MESSAGE = "message"
    NOBODY = "nobody"
    """It passes by itself."""


@dataclass(frozen=True)
class Remedy:
    """What happened in a clause, what to do about it, and the field to jump to."""

    words: str
    hint: str
    field: str | None = None
    whose: Whose = Whose.ACCOUNT


@dataclass(frozen=True)
class Fault:
    """An error as a service answered it."""

    service: str
    """``Entra`` or ``Graph``."""
    status: int
    code: str
    text: str
    """The service's own words: foreign text."""
    request_id: str
    """By which Microsoft's support finds the request; Entra calls it trace id."""
    time: str

    @property
    def remedy(self) -> Remedy:
        """What to tell."""
        if self.code == "ErrorAccessDenied" and ("[RAOP]" in self.text or "OData" in self.text):
            return _POLICY
        found = _REMEDIES.get(self.code) or _BY_STATUS.get(self.status)
        return found or (_PASSING if self.status >= 500 else _UNKNOWN)

    @property
    def reference(self) -> str:
        """Code, request id and time, in brackets."""
        kind = "trace id" if self.service == "Entra" else "request-id"
        parts = [f"{self.service} {self.status or ''}".strip(), self.code]
        parts += [f"{kind} {self.request_id}" if self.request_id else "", self.time]
        return f"({plain(', '.join(filter(None, parts)), 200)})"


class GraphError(ConnectionFailed):
    """Entra or Graph refused a request, or cannot serve it now."""

    def __init__(self, fault: Fault) -> None:
        """Take what was answered."""
        remedy = fault.remedy
        words = remedy.words or plain(fault.text, 200).rstrip(".")
        super().__init__(f"{words} {fault.reference}.", remedy.hint, remedy.field)
        self.fault = fault
        self.temporary = remedy.whose is Whose.NOBODY


class AccountRefused(GraphError, LoginRefused):
    """A refusal that holds until somebody changes the account, the app or its permissions."""


def refusal(fault: Fault) -> GraphError:
    """Return the error to raise for a fault."""
    kind = AccountRefused if fault.remedy.whose is Whose.ACCOUNT else GraphError
    return kind(fault)


_TENANT = Remedy(
    "There is no such tenant",
    "Check Tenant ID (Entra calls it Directory ID), and Cloud under Advanced.",
    "settings.tenant_id",
)
_CLOUD = Remedy(
    "This cloud does not know Graph's address",
    "Check Cloud under Advanced, and TOURMAIL_GRAPH_URL where it is set.",
    "settings.cloud",
)
_USER = Remedy(
    "There is no such user",
    "Check User Object ID: the user's own, from Entra's Users, not the app's object id.",
    "settings.user_object_id",
)
_MAILBOX = Remedy(
    "The user has no Exchange Online mailbox",
    "Assign a licence or use a shared mailbox; guests, mailboxes on premises and deleted ones "
    "cannot be reached.",
    "settings.user_object_id",
)
_SIZE = Remedy(
    "The message is larger than the tenant allows",
    "Send smaller attachments, or raise the mailbox's message size limit.",
    whose=Whose.MESSAGE,
)
_MALFORMED = Remedy(
    "Graph cannot read the request, which is a fault of tourmail",
    "Report it with the request-id.",
    whose=Whose.MESSAGE,
)
_POLICY = Remedy(
    "An application access policy keeps the app out of this mailbox",
    "Add the mailbox to the policy's group; it takes an hour or more to work.",
    "settings.user_object_id",
)
_TOKEN = Remedy(
    "Graph does not accept the token",
    "Check Cloud under Advanced, and this host's clock.",
    "settings.cloud",
)
_THROTTLED = Remedy(
    "Microsoft is throttling this mailbox",
    "It passes; lower Limit Mailbox Connections if it happens often.",
    "limit.limit_to",
    Whose.NOBODY,
)
_PASSING = Remedy("Microsoft's service has a problem", "Try again later.", whose=Whose.NOBODY)
_UNKNOWN = Remedy("", "Report it with the code and the id.", whose=Whose.MESSAGE)

_REMEDIES: Mapping[str, Remedy] = {
    "AADSTS90002": _TENANT,
    "AADSTS900023": _TENANT,
    "AADSTS700016": Remedy(
        "The app is not registered in this tenant",
        "Check Client ID (Application ID), and that its app registration is in this tenant.",
        "settings.client_id",
    ),
    "AADSTS7000215": Remedy(
        "The client secret is wrong",
        "Paste the secret's Value, not its ID or description; it is shown once, so make a new "
        "secret where it is lost.",
        "settings.client_secret",
    ),
    "AADSTS7000222": Remedy(
        "The client secret has expired",
        "Make a new secret in the app registration and enter its Value here.",
        "settings.client_secret",
    ),
    "AADSTS7000216": Remedy(
        "No client secret was sent", "Enter the secret's Value.", "settings.client_secret"
    ),
    "AADSTS7000112": Remedy(
        "The app is disabled",
        "Enable it in Entra under Enterprise applications.",
        "settings.client_id",
    ),
    "AADSTS1002012": _CLOUD,
    "AADSTS500011": _CLOUD,
    "InvalidAuthenticationToken": _TOKEN,
    "ErrorAccessDenied": Remedy(
        "The app may not do this in the mailbox",
        "Grant Mail.Send (to send) and Mail.ReadWrite (to import and to send large mail) as "
        "Application permissions, then press Grant admin consent.",
        "settings.client_id",
    ),
    "Authorization_RequestDenied": Remedy(
        "Graph refuses a directory question, which is a fault of tourmail",
        "Report it with the request-id.",
    ),
    "ErrorInvalidUser": _USER,
    "Request_ResourceNotFound": _USER,
    "ResourceNotFound": _MAILBOX,
    "MailboxNotEnabledForRESTAPI": _MAILBOX,
    "ErrorMailboxNotEnabledForRESTAPI": _MAILBOX,
    "ErrorSendAsDenied": Remedy(
        "The mailbox may not send as this From",
        "Tick Send and From Match, or grant the mailbox Send As.",
        "email.send_from_match",
        Whose.MESSAGE,
    ),
    "ErrorMessageSizeExceeded": _SIZE,
    "ErrorInvalidRecipients": Remedy("", "Correct the address.", whose=Whose.MESSAGE),
    "ErrorMimeContentInvalidBase64String": _MALFORMED,
    "RequestBodyRead": _MALFORMED,
}
_BY_STATUS: Mapping[int, Remedy] = {
    401: _TOKEN,
    403: _REMEDIES["ErrorAccessDenied"],
    413: _SIZE,
    429: _THROTTLED,
    503: _THROTTLED,
}
