"""The token in a subject that replies are matched by: written here, and read from what comes back.

An import reads it at every start, so it stands apart from all that composing a message needs.
"""

import re

_BRACKETED = re.compile(r"\[\s*#([^\[\]]{1,80})\]")
_INSIDE = re.compile(r"(?P<booking>[A-Za-z0-9./-]{1,20})-(?P<token>[a-z0-9]{6,16})", re.IGNORECASE)


def subject_line(subject: str, booking: str | None, token: str) -> str:
    """Return the subject with the token that replies are matched by, where there is a booking."""
    return f"{subject.strip()} {subject_tag(booking, token)}".strip()


def subject_tag(booking: str | None, token: str) -> str:
    """Return what replies are matched by, "" without a booking."""
    return f"[#{booking}-{token}]" if booking else ""


def parse_token(subject: str) -> tuple[str, str] | None:
    """Find (booking, random part) in a subject that came back, whatever stands around it.

    Spaces that folding left inside and changed case are forgiven; the last token wins, as the
    newest message's stands last. Only the store can tell whether it is one of ours.
    """
    for inside in reversed(_BRACKETED.findall(subject)):
        if found := _INSIDE.fullmatch(re.sub(r"\s+", "", inside)):
            return found["booking"], found["token"].lower()
    return None
