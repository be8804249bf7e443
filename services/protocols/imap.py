"""IMAP: imports replies from a mailbox (RFC 3501, RFC 8314). Reads only, never downgrades."""

from collections.abc import Iterator

from services.protocols.base import Importer, LadderScope, MailProtocol, Step, Surroundings
from services.protocols.imap_settings import ImapSettings


def _open_importer(settings: ImapSettings, surroundings: Surroundings) -> Importer:
    from services.protocols.imap_mailbox import ImapImporter  # imapclient, only to connect

    return ImapImporter(settings, surroundings)


def _climb(
    settings: ImapSettings, _scope: LadderScope, surroundings: Surroundings
) -> Iterator[Step]:
    from services.protocols.imap_ladder import ladder

    return ladder(settings, surroundings)


IMAP = MailProtocol(
    key="imap",
    title="IMAP",
    settings=ImapSettings,
    ladder=_climb,
    importer=_open_importer,
)
