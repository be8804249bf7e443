"""SMTP: sends through a submission server or a relay (RFC 5321, RFC 6409, RFC 8314)."""

from collections.abc import Iterator

from services.protocols.base import LadderScope, MailProtocol, Sender, Step, Surroundings
from services.protocols.smtp_settings import SmtpSettings


def _open_sender(settings: SmtpSettings, surroundings: Surroundings) -> Sender:
    from services.protocols.smtp_sender import SmtpSender  # smtplib, only to connect

    return SmtpSender(settings, surroundings)


def _climb(
    settings: SmtpSettings, scope: LadderScope, surroundings: Surroundings
) -> Iterator[Step]:
    from services.protocols.smtp_ladder import ladder

    return ladder(settings, scope, surroundings)


SMTP = MailProtocol(
    key="smtp",
    title="SMTP",
    settings=SmtpSettings,
    ladder=_climb,
    sender=_open_sender,
)
