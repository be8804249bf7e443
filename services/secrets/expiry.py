"""When a secret ends, and from when on that is worth a warning."""

from datetime import date

from services.text import count

EXPIRY_NOTICE_DAYS = 28
"""How long before its end a secret is warned about."""


def expiry_warning(expires: date | None, today: date) -> str:
    """Return a clause on a secret that has ended or soon will, "" while there is time."""
    if expires is None or (left := (expires - today).days) > EXPIRY_NOTICE_DAYS:
        return ""
    if left < 0:
        return f"its secret expired on {expires}"
    when = f"in {count(left, 'day')}" if left else "today"
    return f"its secret expires {when}, on {expires}"
