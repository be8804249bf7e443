"""The field types that every form, table and command shares, so that a rule is written once.

A rule's message is what an admin reads at the field, so it is a sentence, without the value
(which may be secret). Metadata here describes data (what a value means, which table
it names), never layout.
"""

import ipaddress
import re
import unicodedata
import uuid
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

# Unicode categories that can steer a terminal or reorder text: Cc control, Cf format (bidi
# overrides among them), Zl and Zp line and paragraph separators, Cs lone surrogates, Co private.
_STEERING = {"Cc", "Cf", "Zl", "Zp", "Cs"}
# Joiners are Cf too, yet several scripts cannot be written without them.
_JOINERS = {"\u200c", "\u200d"}

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


class Section(BaseModel):
    """One titled group of fields; the unit that forms and commands are made from.

    Each field's `title` is its label and its docstring the help an admin reads (`models.help`).
    """

    model_config = ConfigDict(
        extra="forbid",
        str_strip_whitespace=True,
        hide_input_in_errors=True,
        frozen=True,
    )


@dataclass(frozen=True)
class References:
    """Says that a field's text is the key of a record in the named code table."""

    table: str
    """The code table's key, such as ``contact-type``."""


@dataclass(frozen=True)
class Words:
    """Names the values of a closed choice as an admin reads them: value → label."""

    labels: dict[str, str]


@dataclass(frozen=True)
class Absent:
    """Names both sides of an optional number: what its absence means, and what precedes it."""

    absent: str
    present: str


@dataclass(frozen=True)
class Unit:
    """Names what a number counts, such as ``minutes``."""

    name: str


@dataclass(frozen=True)
class Named:
    """The word that commands use for a field, where it is not the field's own name."""

    option: str
    """Without its dashes, such as ``from-match``."""


@dataclass(frozen=True)
class Advanced:
    """Marks a field that few accounts need, so that faces may offer it apart from the rest."""


def is_steering(char: str) -> bool:
    """Tell whether a character can steer a terminal or reorder text, and so is refused."""
    return unicodedata.category(char) in _STEERING and char not in _JOINERS


def _one_line(text: str) -> str:
    if any(is_steering(char) for char in text):
        raise ValueError("Control characters and line breaks are not allowed here.")
    return text


def _composed(value: object) -> object:
    """Compose before anything is counted: NFC can make a text longer (U+0958 becomes two)."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _one_line_secret(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in value):
        raise ValueError("Control characters and line breaks are not allowed in a secret.")
    if len(value) > 1024:
        raise ValueError("At most 1,024 characters.")
    return secret


def _blank_secret_is_none(value: object) -> object:
    """A blank secret means "keep the one that is stored" and is carried as None."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return None if text == "" else value


def _host(text: str) -> str:
    """Check a host name or an IP address; an IDN stays as it was typed, in lower case."""
    text = text.rstrip(".").lower() if not text.endswith("..") else text
    if "://" in text or "/" in text:
        raise ValueError("Enter the host name alone, without a scheme such as https:// or a path.")
    if any(char.isspace() for char in text):
        raise ValueError("A host name has no spaces.")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_address(bare).compressed
    except ValueError:
        pass
    if ":" in text:
        raise ValueError("Enter the host name alone; the port has a field of its own.")
    ascii_form = to_ascii_host(text)
    if len(ascii_form) > 253 or not all(
        _HOST_LABEL.fullmatch(label) for label in ascii_form.split(".")
    ):
        raise ValueError("This is not a host name or an IP address.")
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError("This is not a complete IP address.")
    return text


def to_ascii_host(host: str) -> str:
    """Return a host name as it goes over the wire: IDNA (RFC 5891), UTS 46 mapped.

    Raises ValueError with a sentence where the name cannot be a host's.
    """
    if host.isascii():
        return host
    import idna  # only names outside ASCII pay for its tables

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError("This is not a host name or an IP address.") from error


def _guid(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise ValueError(
            "Enter a GUID: 32 hexadecimal digits in the form 00000000-0000-0000-0000-000000000000."
        )
    return str(uuid.UUID(text))


def _guid_or_domain(text: str) -> str:
    if _GUID.fullmatch(text):
        return str(uuid.UUID(text))
    try:
        host = _host(text)
    except ValueError:
        host = ""
    if "." not in host or ":" in host or host.replace(".", "").isdigit():
        raise ValueError("Enter the Directory ID (a GUID) or a verified domain of the tenant.")
    return host


def is_guid(text: str) -> bool:
    """Tell whether a text has a GUID's shape, as the *ID* of a client secret has."""
    return _GUID.fullmatch(text.strip()) is not None


def _email(text: str) -> str:
    """Check an addr-spec (RFC 5321, internationalised by RFC 6531), without asking the DNS."""
    from email_validator import EmailNotValidError, validate_email  # costs 60 ms, rarely needed

    if any(is_steering(char) for char in text):
        raise ValueError("Control characters and line breaks are not allowed here.")
    try:
        found = validate_email(
            text, check_deliverability=False, allow_domain_literal=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(f"This is not an email address: {error}") from error
    return found.normalized


def address_key(address: str) -> str:
    """Return the form in which addresses are compared: no case, the domain in IDNA form.

    Never raises: what is no address at all is compared as it stands.
    """
    if address.isascii():  # the same, in a fifth of the time
        return address.strip().lower()
    local, at, domain = address.strip().rpartition("@")
    try:
        domain = to_ascii_host(unicodedata.normalize("NFC", domain).casefold())
    except ValueError:
        domain = domain.casefold()
    return f"{unicodedata.normalize('NFC', local).casefold()}{at}{domain}"


def name_key(name: str) -> str:
    """Return the form in which names are unique: no case, whatever the alphabet.

    Made here because SQLite's ``lower`` knows ASCII only.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _upper(value: object) -> object:
    return _composed(value.upper()) if isinstance(value, str) else value


Line = Annotated[str, BeforeValidator(_composed), AfterValidator(_one_line)]
"""Text of one line without control, format or bidi characters, in Unicode's composed form."""

UpperLine = Annotated[str, BeforeValidator(_upper), AfterValidator(_one_line)]
"""A line forced to capitals, as codes and user names are."""

HostName = Annotated[
    str, BeforeValidator(_composed), AfterValidator(_one_line), AfterValidator(_host)
]
"""A host name (IDN accepted) or an IP address, without scheme, port or spaces."""

Guid = Annotated[str, AfterValidator(_guid)]
"""A GUID in lower case with hyphens."""

GuidOrDomain = Annotated[str, AfterValidator(_guid_or_domain)]
"""A tenant: its Directory ID or one of its verified domains."""

EmailAddress = Annotated[str, AfterValidator(_email)]
"""An addr-spec without display name."""

Secret = Annotated[
    SecretStr | None,
    BeforeValidator(_blank_secret_is_none),
    AfterValidator(lambda value: None if value is None else _one_line_secret(value)),
]
"""A password or client secret; None means that none was typed."""
