"""Field types: what passes, in which form, and which sentence meets the rest."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from models.fields import (
    EmailAddress,
    Guid,
    GuidOrDomain,
    HostName,
    Line,
    Secret,
    UpperLine,
    address_key,
    is_guid,
    is_steering,
    name_key,
    to_ascii_host,
)


def accepts(kind: object, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("mail.example.com", "mail.example.com"),
        ("Mail.Example.COM", "mail.example.com"),
        ("mail.example.com.", "mail.example.com"),
        ("münchen.example", "münchen.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("localhost", "localhost"),
        ("my_host.local", "my_host.local"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
    ],
)
def test_host_names(typed: str, kept: str) -> None:
    assert accepts(HostName, typed) == kept


@pytest.mark.parametrize(
    "typed",
    ["imap://x", "a b", "a/b", "-a", "a-", "a..b", "..", ".", "a" * 64, "host:993", "1.2.3",
     "999.1.1.1", "a\x00b", "exa\u202emple", "ex!ample", "user@host", "a." * 130 + "b"],
)  # fmt: skip
def test_what_is_no_host(typed: str) -> None:
    with pytest.raises(ValidationError):
        accepts(HostName, typed)


def test_idn_goes_over_the_wire_in_ascii() -> None:
    assert to_ascii_host("München.example") == "xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    "typed",
    ["anna@example.com", "anna+x@example.com", "o'neil@example.co.uk", "jürgen@groß.example",
     "anna@[192.0.2.7]", "anna@mail.test"],
)  # fmt: skip
def test_email_addresses(typed: str) -> None:
    assert accepts(EmailAddress, typed)


@pytest.mark.parametrize(
    "typed",
    ["anna", "anna@", "@example.com", "anna@example", "a b@example.com", "a@b@c.com",
     "Anna <anna@example.com>", "anna@example.com\nBcc: x@y.com", "anna@exa\x1bmple.com"],
)  # fmt: skip
def test_what_is_no_email_address(typed: str) -> None:
    with pytest.raises(ValidationError):
        accepts(EmailAddress, typed)


def test_guids_are_kept_in_one_form() -> None:
    typed = "6F1C1B1E-0000-4000-8000-00000000000A"
    assert accepts(Guid, typed) == typed.lower()
    assert accepts(GuidOrDomain, typed) == typed.lower()
    assert accepts(GuidOrDomain, "Contoso.onmicrosoft.com") == "contoso.onmicrosoft.com"
    assert is_guid(f" {typed} ")


@pytest.mark.parametrize("typed", ["", "x", "6F1C1B1E00004000800000000000000A", "1.2.3.4", "host"])
def test_what_is_no_tenant(typed: str) -> None:
    with pytest.raises(ValidationError):
        accepts(GuidOrDomain, typed)


class Form(BaseModel):
    secret: Secret = None


def test_a_blank_secret_is_none() -> None:
    assert Form.model_validate({"secret": ""}).secret is None
    assert Form.model_validate({"secret": SecretStr("")}).secret is None


@pytest.mark.parametrize("typed", [" leading and trailing ", "ü", "#;'\"\\"])
def test_a_secret_is_taken_as_typed(typed: str) -> None:
    secret = Form.model_validate({"secret": typed}).secret
    assert secret is not None
    assert secret.get_secret_value() == typed


@pytest.mark.parametrize("typed", ["a\nb", "a\x00", "x" * 1025])
def test_a_secret_is_one_line(typed: str) -> None:
    with pytest.raises(ValidationError):
        Form.model_validate({"secret": typed})


def test_codes_are_in_capitals() -> None:
    assert accepts(UpperLine, "ab") == "AB"


@given(st.text())
def test_a_line_that_passes_cannot_steer_a_terminal(text: str) -> None:
    try:
        kept = accepts(Line, text)
    except ValidationError:
        assert any(is_steering(char) for char in text)
    else:
        assert not any(is_steering(char) for char in str(kept))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.COM", "anna@example.com"),
        (" a@b.co ", "a@b.co"),
        ("a@münchen.example", "A@xn--mnchen-3ya.example"),
        ("a@cafe\u0301.example", "a@café.example"),
    ],
)
def test_addresses_compare_without_case_in_idna(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


@given(st.text(st.characters(max_codepoint=127)))
def test_an_ascii_address_compares_as_any_other(text: str) -> None:
    assert address_key(text + "@é") == text.lstrip().casefold() + "@xn--9ca"
    assert address_key(text) == text.strip().casefold()


@given(st.text())
def test_address_key_never_raises_and_is_stable(text: str) -> None:
    assert address_key(address_key(text)) == address_key(text)


@given(st.text(min_size=1))
def test_names_compare_without_case(text: str) -> None:
    assert name_key(text) == name_key(name_key(text))
    assert name_key("STRASSE") == name_key("straße")


def test_a_line_is_counted_as_it_is_kept() -> None:
    short = TypeAdapter(Annotated[Line, Field(max_length=30)])
    with pytest.raises(ValidationError):
        short.validate_python("\u0958" * 30)  # which NFC writes with two characters each
    assert short.validate_python("e\u0301" * 30) == "\xe9" * 30
