"""What a form needs to know of a pydantic field: label, help, bounds, choices, secrecy."""

import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Le, MaxLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from models.fields import Absent, Advanced, References, Section, Unit, Words
from models.help import field_help

M = TypeVar("M")
Choices = Callable[[str], Sequence[tuple[str, str]]]
"""Given a code table's key: the values that may be chosen, with their labels."""


@dataclass(frozen=True)
class FieldSpec:
    """One field of a section."""

    name: str
    title: str
    help: str
    required: bool
    default: Any
    members: tuple[Any, ...]
    """The annotation's alternatives, without None and without Annotated."""
    metadata: tuple[Any, ...]

    def find(self, kind: type[M]) -> M | None:
        """Return the field's metadata of a kind."""
        return next((entry for entry in self.metadata if isinstance(entry, kind)), None)

    @property
    def advanced(self) -> bool:
        """Whether few records need the field."""
        return self.find(Advanced) is not None

    @property
    def max_length(self) -> int | None:
        """How many characters fit."""
        found = self.find(MaxLen)
        return found.max_length if found else None

    @property
    def largest(self) -> int | None:
        """The largest number allowed."""
        found = self.find(Le)
        return int(str(found.le)) if found else None

    @property
    def unit(self) -> str:
        """What the number counts."""
        found = self.find(Unit)
        return found.name if found else ""

    @property
    def options(self) -> list[tuple[str, str]]:
        """The values of a closed choice with their words."""
        found = self.find(Words)
        labels = found.labels if found else {}
        literals = [value for kind in self.members for value in _literals(kind)]
        return [(str(value), labels.get(str(value), str(value))) for value in literals]

    def label(self, value: str) -> str:
        """Return a value's label."""
        found = self.find(Words)
        return found.labels.get(value, value) if found else value

    def has(self, kind: type) -> bool:
        """Tell whether the type is one of the annotation's alternatives."""
        return kind in self.members

    @property
    def item(self) -> Any:
        """What a tuple holds, None where the field is no tuple."""
        tuples = [kind for kind in self.members if get_origin(kind) is tuple]
        return get_args(tuples[0])[0] if tuples else None

    @property
    def item_section(self) -> type[Section] | None:
        """The section that each entry of a list is, None where it is no list of sections."""
        item = self.item
        return item if isinstance(item, type) and issubclass(item, Section) else None

    @property
    def secret(self) -> bool:
        """Whether the field holds a secret."""
        return self.has(SecretStr)

    @property
    def absent(self) -> Absent | None:
        """The words for an optional number's absence."""
        return self.find(Absent)

    @property
    def references(self) -> str:
        """The code table that the value is a key of, "" where there is none."""
        found = self.find(References)
        return found.table if found else ""

    @property
    def dated_choice(self) -> bool:
        """Whether it is one of a few words or a date."""
        return self.has(date) and bool(self.options)


def specs(section: type[Section]) -> dict[str, FieldSpec]:
    """Return a section's fields in their order."""
    helps = field_help(section)
    return {name: _spec(name, info, helps[name]) for name, info in section.model_fields.items()}


def _spec(name: str, info: FieldInfo, help_text: str) -> FieldSpec:
    default = None if info.is_required() else info.default
    metadata = (*info.metadata, *_inner_metadata(info.annotation))
    members = tuple(kind for kind in _members(info.annotation) if kind is not type(None))
    # What the model asks for when it is left blank, and what may not be blank though it has none.
    required = info.is_required() or (int in members and default is not None)
    return FieldSpec(
        name,
        info.title or name.replace("_", " ").capitalize(),
        help_text,
        required,
        default,
        members,
        metadata,
    )


def _members(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _members(part)
    else:
        yield annotation


def _inner_metadata(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from get_args(annotation)[1:]
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _inner_metadata(part)


def _literals(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()
