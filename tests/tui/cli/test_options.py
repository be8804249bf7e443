"""Options are made from sections: every field has one, and an unknown type is refused."""

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import Field

from models.fields import Line, Named, Secret, Section
from services.errors import InvalidInput
from services.protocols import PROTOCOLS
from tui.cli import account_values
from tui.cli.fields import Kind, fields_of, merged
from tui.cli.options import Given, told_by_option

PROMISED = [
    "--server",
    "--port",
    "--user",
    "--password-file",
    "--security",
    "--secure",
    "--timeout",
    "--tenant-id",
    "--user-object-id",
    "--client-id",
    "--client-secret-file",
    "--cloud",
    "--secret-expires",
    "--default-email",
    "--from-match",
    "--allow-cc",
    "--allow-bcc",
    "--allow-docx",
    "--limit",
    "--system",
    "--import",
    "--start",
    "--error-queue",
    "--agent-type",
    "--supplier-type",
    "--forward",
    "--description",
]


class Example(Section):
    """Example"""

    line: Line = Field("", title="Line")
    """A text."""
    number: int = Field(1, title="Number")
    """A number."""
    maybe: int | None = Field(None, title="Maybe")
    """A number or none."""
    tick: Annotated[bool, Named("switch")] = Field(False, title="Tick")
    """A tick."""
    choice: Literal["a", "b"] = Field("a", title="Choice")
    """A choice."""
    when: Literal["now"] | date = Field("now", title="When")
    """A word or a date."""
    many: tuple[str, ...] = Field((), title="Many")
    """Several."""
    secret: Secret = Field(None, title="Secret")
    """A secret."""


def test_every_kind_of_field_is_recognised() -> None:
    assert {option.path: option.kind for option in fields_of(Example)} == {
        "line": Kind.TEXT,
        "number": Kind.TEXT,
        "maybe": Kind.TEXT,
        "tick": Kind.FLAG,
        "choice": Kind.CHOICE,
        "when": Kind.TEXT,
        "many": Kind.TEXTS,
        "secret": Kind.SECRET,
    }


def test_words_are_the_fields_names_unless_another_is_named() -> None:
    flags = {option.path: option.flag for option in fields_of(Example, "part")}
    assert flags["part.line"] == "--line"
    assert flags["part.tick"] == "--switch"
    assert flags["part.secret"] == "--secret-file"


def test_a_type_without_an_option_is_refused() -> None:
    class Strange(Section):
        """Strange"""

        weight: float = Field(1.0, title="Weight")
        """What no option is known for."""

    with pytest.raises(TypeError, match="weight"):
        list(fields_of(Strange))


def test_a_field_of_two_protocols_is_one_option_with_both_helps() -> None:
    port = next(option for option in account_values.FIELDS if option.path == "settings.port")
    assert [label for label, _text in port.helps] == ["IMAP", "SMTP"]


def test_accounts_have_every_option_that_scripts_rely_on() -> None:
    flags = [option.flag for option in account_values.FIELDS]
    assert set(PROMISED) <= set(flags)
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("chosen", PROTOCOLS.values(), ids=lambda p: p.key)
def test_every_setting_of_every_protocol_has_an_option_with_help(chosen: object) -> None:
    protocol = PROTOCOLS[getattr(chosen, "key")]  # noqa: B009
    offered = {option.path: option for option in account_values.fields_for(protocol)}
    for name in protocol.settings.model_fields:
        assert offered[f"settings.{name}"].helps[0][1]


def test_merging_keeps_the_order_of_the_first() -> None:
    twice = merged([*fields_of(Example, label="A"), *fields_of(Example, label="B")])
    assert [option.path for option in twice] == list(Example.model_fields)


def test_errors_are_told_by_the_longest_path_that_has_a_word() -> None:
    words = {"importing": "section", "importing.forward": "--forward"}
    wrong = {"importing.forward.0.email": "No.", "importing.start": "No.", "other": "No."}
    with pytest.raises(InvalidInput) as caught, told_by_option(words):
        raise InvalidInput(wrong)
    assert list(caught.value.errors) == ["--forward", "section", "other"]


def test_what_was_given_goes_to_its_place() -> None:
    given = Given({"settings.port": "1", "name": "x"})
    assert given.into({"settings": {"server": "s"}}) == {
        "settings": {"server": "s", "port": "1"},
        "name": "x",
    }
