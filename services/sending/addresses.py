"""Mailboxes as people write them, and the form in which they go over the wire."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from models.fields import EmailAddress, to_ascii_host

_ANGLED = re.compile(r"(?P<name>.*)<(?P<address>[^<>]*)>", re.DOTALL)
_QUOTED = re.compile(r'"(?P<inner>(?:[^"\\]|\\.)*)"', re.DOTALL)
_STRUCTURAL = set('<>@"')
# Cc holds CR, LF and NUL; Zl and Zp end a line for some parsers; Cs cannot be encoded.
_BREAKING = {"Cc", "Zl", "Zp", "Cs"}


@dataclass(frozen=True)
class Mailbox:
    """A display name, which may be empty, and an address in wire form."""

    name: str
    address: str


def breaks_header(text: str) -> bool:
    """Tell whether a text would break out of a header: line breaks, controls, lone surrogates."""
    return any(unicodedata.category(char) in _BREAKING for char in text)


def parse_mailbox(text: str) -> Mailbox:
    """Read one mailbox (RFC 5322 §3.4): ``a@b``, ``<a@b>`` or ``Name <a@b>``, quoted or not.

    Unlike RFC 5322 an unquoted name may hold commas and brackets, since the text is one mailbox.
    Raises ValueError with a sentence.
    """
    if breaks_header(text):
        raise ValueError("Control characters and line breaks are not allowed in an address.")
    text = text.strip()
    angled = _ANGLED.fullmatch(text)
    if angled is None:
        return Mailbox("", wire_address(text))
    return Mailbox(_display_name(angled["name"].strip()), wire_address(angled["address"].strip()))


def _display_name(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        return re.sub(r"\\(.)", r"\1", quoted["inner"]).strip()
    if _STRUCTURAL & set(text):
        raise ValueError('Write one address: name@example.com, or "Name" <name@example.com>.')
    return text


def wire_address(address: str) -> str:
    """Return a valid address as it goes over the wire, without needing SMTPUTF8 where possible.

    An international domain turns to IDNA; only a local part outside ASCII keeps the whole address
    in UTF-8 (RFC 6531). Raises ValueError with a sentence.
    """
    try:
        normal = _checker().validate_python(address)
    except ValidationError as error:
        raise ValueError(str(error.errors()[0].get("ctx", {}).get("error", ""))) from None
    local, _, domain = normal.rpartition("@")
    return f"{local}@{to_ascii_host(domain)}" if local.isascii() else normal


@cache
def _checker() -> TypeAdapter[str]:
    return TypeAdapter(EmailAddress)
