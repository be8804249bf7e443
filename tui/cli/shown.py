"""Records as commands show them: by label for people, by option for programs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from models.fields import Section
from services.text import clock
from services.words import words
from tui.cli.fields import FieldOption, Kind


def as_json(fields: Iterable[FieldOption], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields' values by the words of their options; secrets are left out."""
    return {
        option.key: _jsonable(option.value_in(sections))
        for option in fields
        if option.kind is not Kind.SECRET
    }


def as_pairs(
    fields: Iterable[FieldOption], sections: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield the fields' labels and values in words; secrets are left out."""
    for option in fields:
        if option.kind is not Kind.SECRET:
            yield option.info.title or option.word, words(option.info, option.value_in(sections))


def yes_no(value: bool) -> str:
    """Return a tick in a word."""
    return "yes" if value else "no"


def moment(value: datetime | None) -> str:
    """Return a time for people, in this host's zone."""
    return clock(value, datetime.now().astimezone())


def _jsonable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_jsonable(item) for item in value]
    return value.model_dump() if isinstance(value, Section) else value
