"""What differs between two states of a record, field by field in words: what the history keeps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from models.account import secret_fields
from models.fields import Section, address_key
from services.words import text, words

NONE = "none"
"""Stands for a blank value that became another, or was one."""


@dataclass(frozen=True)
class FieldChange:
    """One field that became another; of a list, one entry that came, went or changed."""

    field: str
    """Its dotted path, such as ``settings.port``."""
    title: str
    old: str
    """What it was; "" where there was no record, and for entries that came or went."""
    new: str

    @property
    def change(self) -> str:
        """Old and new, where there are both, with a word between them that needs no glyph."""
        return f"{self.old} -> {self.new}" if self.old and self.new else self.old or self.new


def differences(
    section: type[Section], before: Section | None, after: Section | None, prefix: str = ""
) -> list[FieldChange]:
    """Return what differs between two states of a section, None where there is no record.

    `prefix` begins the paths. Secrets are left out: a section's value never holds the stored ones.
    """
    secrets = secret_fields(section)
    return [
        change
        for name, info in section.model_fields.items()
        if name not in secrets
        for change in _of_field(
            f"{prefix}{name}",
            info,
            getattr(before, name, None),
            getattr(after, name, None),
            both=before is not None and after is not None,
        )
    ]


def _of_field(
    path: str, info: FieldInfo, old: Any, new: Any, *, both: bool
) -> Iterator[FieldChange]:
    title = info.title or path.rpartition(".")[2]
    if old == new:
        return
    if isinstance(old, tuple) or isinstance(new, tuple):
        yield from _of_list(path, title, old or (), new or (), both=both)
    elif both:
        yield FieldChange(path, title, words(info, old) or NONE, words(info, new) or NONE)
    elif old or new:  # a record that is made or deleted is told by what it has
        yield FieldChange(path, title, words(info, old) if old else "", words(info, new)
                          if new else "")  # fmt: skip


def _of_list(
    path: str, title: str, old: tuple[Any, ...], new: tuple[Any, ...], *, both: bool
) -> Iterator[FieldChange]:
    before, after = keyed(old), keyed(new)
    for key in (*after, *(key for key in before if key not in after)):
        was, now = text(before.get(key)), text(after.get(key))
        if was == now:
            continue
        if not both or (was and now):
            yield FieldChange(path, title, was, now)
        else:
            yield FieldChange(path, title, "", f"added {now}" if now else f"removed {was}")


def keyed(entries: tuple[Any, ...]) -> dict[str, Any]:
    """Return a list's entries by what tells them apart: an address with its type, a code."""
    return {entry_key(entry): entry for entry in entries}


def entry_key(entry: Any) -> str:
    """Return what tells an entry of a list from the others: all of it but the person's name."""
    if isinstance(entry, Section | Mapping):
        values = {name: value for name, value in dict(entry).items() if name != "name"}
        return " ".join(address_key(str(value)) for value in values.values())
    return str(entry)
