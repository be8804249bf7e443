"""Test Connection: proves an unsaved form step by step, under the mailbox's connection limit."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

from models.account import AccountDraft
from services.accounts.service import AccountService
from services.connections.service import Connections
from services.protocols import PROTOCOLS
from services.protocols.base import LadderScope, Step, Surroundings

WAIT_SECONDS = 10.0
"""How long a test waits for a free connection before it says who holds them."""


class ProbeService:
    """Runs a protocol's ladder for a form that need not be saved."""

    def __init__(self, accounts: AccountService, connections: Connections) -> None:
        """Take where stored secrets and connection slots come from."""
        self._accounts, self._connections = accounts, connections

    def climb(
        self, draft: AccountDraft, of: uuid.UUID | None, surroundings: Surroundings
    ) -> Iterator[Step]:
        """Yield the steps as they are climbed.

        Raises InvalidInput where a secret is missing or must be typed again; MailboxBusy.
        Nothing is saved, sent or imported.
        """
        protocol = PROTOCOLS[draft.protocol]
        settings = self._accounts.filled_draft(draft, of)
        scope = LadderScope(
            email=draft.email,
            imports=bool(draft.importing and (draft.importing.enabled or not protocol.sender)),
        )
        with self._connections.hold(
            settings.mailbox(),
            "test",
            draft.identity.name,
            ceiling=protocol.connection_ceiling,
            cancel=surroundings.cancel,
            say=surroundings.say,
            wait=WAIT_SECONDS,
            unsaved_limit=draft.limit.limit_to,
        ) as held:
            around = replace(surroundings, cancel=held.cancel)
            yield from protocol.ladder(settings, scope, around)
