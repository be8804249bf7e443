"""What opens a mailbox of Microsoft 365 to an app: the form's Configuration."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from models.account import Advice, ProtocolSettings
from models.fields import Advanced, Guid, GuidOrDomain, Secret, Words, is_guid
from services.secrets.expiry import expiry_warning


class Office365Settings(ProtocolSettings):
    """Configuration"""

    tenant_id: GuidOrDomain = Field(title="Tenant ID", min_length=1, max_length=253)
    """The Office 365 Directory (tenant) ID, or a verified domain of the tenant."""

    user_object_id: Guid = Field(title="User Object ID", min_length=1)
    """The Object ID of the licensed user whose mailbox it is (Entra, Users)."""

    client_id: Guid = Field(title="Client ID", min_length=1)
    """The Application (client) ID of the app registration."""

    client_secret: Secret = Field(None, title="Client Secret")
    """The client secret's Value, which Entra shows once when it is made; not its Secret ID."""

    secret_expires: Annotated[date | None, Advanced()] = Field(None, title="Secret Expires On")
    """When the client secret ends. tourmail warns from four weeks before."""

    cloud: Annotated[
        Literal["global", "usgov", "dod", "china", "custom"],
        Words(
            {
                "global": "Global",
                "usgov": "US Government",
                "dod": "US Department of Defense",
                "china": "China (21Vianet)",
                "custom": "Custom",
            }
        ),
        Advanced(),
    ] = Field("global", title="Cloud")
    """Which Microsoft cloud the tenant lives in. Custom takes its addresses from
    TOURMAIL_O365_LOGIN_URL and TOURMAIL_GRAPH_URL."""

    def mailbox(self) -> str:
        """Count connections as the service does: by app and user.

        A user's Object ID belongs to one tenant, which has several names: its ID and its domains.
        """
        return f"{self.client_id}|{self.user_object_id}"

    def endpoint(self) -> tuple[str, ...]:
        """Bind the secret to cloud, tenant, app and user."""
        return ("office365", self.cloud, self.tenant_id, self.client_id, self.user_object_id)

    def mixed_up(self) -> tuple[Advice, ...]:
        """Tell of an ID that was pasted into two fields; blank ones are none yet."""
        if self.user_object_id and self.user_object_id in (self.client_id, self.tenant_id):
            words = "This is another field's ID; the user's own is in Entra under Users."
            return (Advice("user_object_id", words),)
        if self.client_id and self.client_id == self.tenant_id:
            return (Advice("client_id", "This is the Tenant ID; the app has an ID of its own."),)
        return ()

    def advice(self) -> tuple[Advice, ...]:
        """Warn of IDs that were mixed up, and of a secret that ends soon."""
        ends = expiry_warning(self.secret_expires, date.today())
        words = f"{ends[:1].upper()}{ends[1:]}: make a new one in the app registration."
        return self.mixed_up() + ((Advice("secret_expires", words),) if ends else ())

    def expires(self) -> date | None:
        """Return Secret Expires On."""
        return self.secret_expires

    def secret_errors(self, present: frozenset[str]) -> dict[str, str]:
        """Ask for the secret, and for its Value rather than its ID."""
        if "client_secret" not in present:
            return {"client_secret": "Required."}
        if self.client_secret and is_guid(self.client_secret.get_secret_value()):
            return {
                "client_secret": "This is the secret's ID. Enter its Value; if it is no longer "
                "shown, make a new secret."
            }
        return {}
