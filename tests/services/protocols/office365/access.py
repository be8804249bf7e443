"""Ways to Entra: an account's tokens, and its Test Connection."""

from typing import Any

from models.account import EmailSettings
from services.protocols import office365_ladder
from services.protocols.base import LadderScope, Step
from services.protocols.office365_token import Tokens
from tests.servers.cloud.contoso import ADDRESS
from tests.services.protocols.office365.graph_desk import Desk, settings

BOTH = LadderScope(EmailSettings(default_email=ADDRESS), imports=True)


def tokens(desk: Desk, **changes: Any) -> Tokens:
    return Tokens(settings(**changes), desk.around, desk.patience)


def climbed(desk: Desk, scope: LadderScope = BOTH, **changes: Any) -> list[Step]:
    return list(office365_ladder.ladder(settings(**changes), scope, desk.around, desk.patience))
