"""A server's words as they are told: without the password, however it is echoed."""

import imaplib
from collections.abc import Callable

import pytest

from services.protocols.imap_wire import quoted, redacted, trouble_of

QUOTED = b' " '
ECHOES: list[Callable[[bytes], Exception]] = [
    lambda echo: imaplib.IMAP4.error(b"NO " + echo),
    lambda echo: imaplib.IMAP4.error(b"NO " + echo + b" is wrong.\r\n again"),
    lambda echo: imaplib.IMAP4.error(f"LOGIN command error: BAD {[b'what is ' + echo]!r}"),
    lambda echo: imaplib.IMAP4.error(f"LOGIN command error: BAD {[QUOTED + echo + QUOTED]!r}"),
    lambda echo: imaplib.IMAP4.abort(f"unexpected response: {b'x ' + echo!r}"),
]
"""As imaplib raises them."""


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize(
    "password", ["plain", "two  blanks", "a dot.", "blank ", "O'Reilly", 'a"b\\c', "Bäume", "'\"'"]
)
def test_no_password_is_told(password: str, echo: Callable[[bytes], Exception]) -> None:
    for form in (password, quoted(password)[1:-1]):
        words = redacted(trouble_of(echo(form.encode()), 0, 60).words, "user", password)
        assert "•••" in words
        assert " ".join(form.split()).rstrip(".") not in words
