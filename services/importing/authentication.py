"""What the receiving server found out about a sender: Authentication-Results (RFC 8601).

Anybody can write such a header into a mail. Servers put their own lines on top, so a header above
every Received line is the receiving server's. Many set-ups add another Received line on the last
steps to the mailbox; there the topmost header still counts where it bears the name of the server
that wrote the top Received line, but only for a failure: nobody forges that against himself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

METHODS = ("dmarc", "spf", "dkim")
FIELDS = ("received", "authentication-results")
"""The fields that `authentication` looks at."""

_RESULT = re.compile(r"\s*(dmarc|spf|dkim)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_BY = re.compile(r"\bby\s+([A-Za-z0-9.-]+)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Authentication:
    """The verdicts that can be believed."""

    server: str
    verdicts: dict[str, str]
    """Method (dmarc, spf, dkim) → result, such as ``pass``, ``fail``, ``none``."""

    @property
    def failed(self) -> bool:
        """Whether a check failed outright."""
        return "fail" in self.verdicts.values()

    def __str__(self) -> str:
        shown = ", ".join(f"{method} {result}" for method, result in self.verdicts.items())
        return f"{self.server or 'The receiving server'} says: {shown}."


def authentication(fields: Iterable[tuple[str, str]]) -> Authentication | None:
    """Return the receiving server's verdicts out of a mail's fields, from the top down."""
    top_received: str | None = None
    for name, value in fields:
        if name == "received" and top_received is None:
            top_received = value
        if name == "authentication-results":
            found = _parse(value)
            return found if top_received is None else _doubtful(found, top_received)
    return None


def _doubtful(found: Authentication | None, top_received: str) -> Authentication | None:
    by = _BY.search(top_received)
    if found is None or not found.failed or by is None:
        return None
    if by[1].strip(".").casefold() != found.server.casefold():
        return None
    verdicts = {method: result for method, result in found.verdicts.items() if result == "fail"}
    return Authentication(found.server, verdicts)


def _parse(value: str) -> Authentication | None:
    segments = _QUOTED.sub(" ", _without_comments(value)).split(";")
    server = segments[0].split()[0] if segments[0].split() else ""
    if "=" in server:  # Exchange Online leaves the server's name out
        server = ""
    found: dict[str, str] = {}
    for segment in segments:
        if match := _RESULT.match(segment):
            method, result = match[1].lower(), match[2].lower()
            if method not in found or result == "pass":  # one good DKIM signature is enough
                found[method] = result
    if not found:
        return None
    return Authentication(server.strip("."), {m: found[m] for m in METHODS if m in found})


def _without_comments(text: str) -> str:
    """Drop comments in parentheses, nested ones too (RFC 5322 §3.2.2)."""
    kept, depth = [], 0
    for char in text:
        depth += char == "("
        if not depth:
            kept.append(char)
        depth -= char == ")" and depth > 0
    return "".join(kept)
