"""Records as commands show them: by label for people, by option for programs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from models.fields import Absent, Section, Words
from services.text import clock
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
            yield option.info.title or option.word, words(option, option.value_in(sections))


def words(option: FieldOption, value: Any) -> str:
    """Return one value as a person reads it."""
    for metadata in option.info.metadata:
        if isinstance(metadata, Words) and not isinstance(value, date):
            return metadata.labels.get(value, str(value))
        if isinstance(metadata, Absent) and value is None:
            return metadata.absent
    return _text(value)


def yes_no(value: bool) -> str:
    """Return a tick in a word."""
    return "yes" if value else "no"


def moment(value: datetime | None) -> str:
    """Return a time for people, in this host's zone."""
    return clock(value, datetime.now().astimezone())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return yes_no(value)
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, Section):
        email, name = getattr(value, "email", ""), getattr(value, "name", "")
        return f"{name} <{email}>" if name else str(email)
    return "" if value is None else str(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_jsonable(item) for item in value]
    return value.model_dump() if isinstance(value, Section) else value
