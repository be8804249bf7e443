"""Errors in words, each at its field."""

from decimal import Decimal

import pytest

from models.account import ConnectionLimit, ImportSettings
from models.fields import Section
from models.help import field_help
from services.errors import InvalidInput
from services.forms import check, errors_of
from services.protocols import PROTOCOLS
from services.protocols.imap_settings import ImapSettings


def test_each_error_is_a_sentence_at_its_path() -> None:
    found = errors_of(ImapSettings, {"port": "x", "timeout": 61, "user": ""}, "settings.")
    assert found == {
        "settings.server": "Required.",
        "settings.port": "Enter a whole number.",
        "settings.user": "Required.",
        "settings.timeout": "At most 60.",
    }


@pytest.mark.parametrize("start", ["soon", "2026-13-01", 5, None])
def test_a_wrong_date_is_told_as_a_date(start: object) -> None:
    assert "Enter a date as YYYY-MM-DD" in errors_of(ImportSettings, {"start": start})["start"]


@pytest.mark.parametrize(("word", "kept"), [("Everything", "all"), ("NOW", "now"), ("all", "all")])
def test_import_from_takes_the_words_that_the_form_shows(word: str, kept: str) -> None:
    assert check(ImportSettings, {"start": word}).start == kept
    assert "Now or Everything" in errors_of(ImportSettings, {"start": word + "x"})["start"]


def test_an_error_that_has_no_words_of_ours_is_not_told_in_the_librarys() -> None:
    class Odd(Section):
        ratio: Decimal = Decimal(0)

    assert errors_of(Odd, {"ratio": "x"}) == {"ratio": "This cannot be taken here."}


def test_an_entry_of_a_list_is_named_by_place() -> None:
    raw = {"forward": [{"email": "a@b.co"}, {"email": "nobody"}]}
    assert list(errors_of(ImportSettings, raw)) == ["forward.1.email"]


def test_what_is_right_has_no_errors() -> None:
    assert errors_of(ConnectionLimit, {"limit_to": "3"}) == {}
    assert check(ConnectionLimit, {"limit_to": "3"}).limit_to == 3


def test_the_rejected_value_is_never_repeated() -> None:
    with pytest.raises(InvalidInput) as caught:
        check(ImapSettings, {"password": "se\x00cret-word", "server": "x", "user": "y"})
    assert "cret-word" not in f"{caught.value} {caught.value.__cause__} {caught.value.errors}"


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda p: p.key)
def test_every_field_has_a_label_and_help(protocol: object) -> None:
    for name, info in protocol.settings.model_fields.items():  # type: ignore[attr-defined]
        assert info.title, name
        assert field_help(protocol.settings)[name], name  # type: ignore[attr-defined]
