"""AUTH (RFC 4954) with passwords in UTF-8, which smtplib's own cannot encode."""

import base64
import binascii
import hmac
import smtplib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

NOT_THIS_ONE = (504, 534)
"""Replies by which a server refuses a mechanism, not the password."""


@dataclass(frozen=True)
class Login:
    """Who logs in, and what may therefore not be shown."""

    user: str
    password: str = field(repr=False)

    def redact(self, words: str) -> str:
        """Take the password out of what a server says; some repeat the command."""
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words

    @cached_property
    def _secrets(self) -> Sequence[str]:
        if not self.password:
            return ()
        return (self._plain(), _base64(self.password), self.password)

    def choose(self, offered: str, encrypted: bool) -> Sequence[str]:
        """Return the mechanisms to try in order; in clear, one that hides the password first."""
        names = offered.upper().split()
        order = sorted(_MECHANISMS, key=lambda name: encrypted or name != "CRAM-MD5")
        return [name for name in order if name in names]

    def try_one(self, mechanism: str, client: smtplib.SMTP) -> tuple[int, bytes]:
        """Return the server's reply to a mechanism."""
        return _MECHANISMS[mechanism](self, client)

    def by_plain(self, client: smtplib.SMTP) -> tuple[int, bytes]:
        """Log in by PLAIN (RFC 4616)."""
        return client.docmd("AUTH", f"PLAIN {self._plain()}")

    def by_login(self, client: smtplib.SMTP) -> tuple[int, bytes]:
        """Log in by LOGIN, which some servers offer alone (draft-murchison-sasl-login)."""
        reply = client.docmd("AUTH", "LOGIN")
        for text in (self.user, self.password):
            if reply[0] == 334:
                reply = client.docmd(_base64(text))
        return reply

    def by_cram_md5(self, client: smtplib.SMTP) -> tuple[int, bytes]:
        """Log in by CRAM-MD5 (RFC 2195)."""
        code, challenge = client.docmd("AUTH", "CRAM-MD5")
        if code != 334:
            return code, challenge
        try:
            asked = base64.b64decode(challenge, validate=True)
        except binascii.Error:
            return client.docmd("*")  # gives the mechanism up (RFC 4954 §4)
        digest = hmac.new(self.password.encode(), asked, "md5").hexdigest()
        return client.docmd(_base64(f"{self.user} {digest}"))

    def _plain(self) -> str:
        return _base64(f"\0{self.user}\0{self.password}")


_MECHANISMS: dict[str, Callable[[Login, smtplib.SMTP], tuple[int, bytes]]] = {
    "PLAIN": Login.by_plain,
    "LOGIN": Login.by_login,
    "CRAM-MD5": Login.by_cram_md5,
}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
