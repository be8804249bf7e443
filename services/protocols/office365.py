"""Office 365 Modern Authentication: sends and imports through Microsoft Graph, app-only."""

from collections.abc import Iterator

from services.protocols.base import (
    Importer,
    LadderScope,
    MailProtocol,
    Sender,
    Step,
    Surroundings,
)
from services.protocols.office365_cloud import cloud_errors
from services.protocols.office365_settings import Office365Settings


def _open_sender(settings: Office365Settings, surroundings: Surroundings) -> Sender:
    from services.protocols.office365_sender import Office365Sender  # requests, only to connect

    return Office365Sender(settings, surroundings)


def _open_importer(settings: Office365Settings, surroundings: Surroundings) -> Importer:
    from services.protocols.office365_mailbox import Office365Importer

    return Office365Importer(settings, surroundings)


def _climb(
    settings: Office365Settings, scope: LadderScope, surroundings: Surroundings
) -> Iterator[Step]:
    from services.protocols.office365_ladder import ladder

    return ladder(settings, scope, surroundings)


OFFICE365 = MailProtocol(
    key="office365",
    title="Office 365 Modern Authentication",
    settings=Office365Settings,
    ladder=_climb,
    sender=_open_sender,
    importer=_open_importer,
    has_envelope=False,
    connection_ceiling=4,
    unfit=cloud_errors,
)
