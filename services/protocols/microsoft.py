"""Which hosts are Microsoft 365's, where passwords are being switched off."""

from models.account import Advice

_DOMAINS = ("office365.com", "outlook.com", "office.com", "outlook.de", "office365.us")


def microsoft_advice(server: str) -> tuple[Advice, ...]:
    """Point a password account on a Microsoft 365 host to the protocol that will keep working."""
    if not any(server == domain or server.endswith("." + domain) for domain in _DOMAINS):
        return ()
    return (
        Advice(
            "server",
            "Microsoft 365 switches passwords off for mail: use the protocol Office 365 Modern "
            "Authentication.",
        ),
    )
