"""Values of fields as people read them, in screens, commands and the history."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic.fields import FieldInfo

from models.fields import Absent, Section, Unit, Words


def words(info: FieldInfo, value: Any) -> str:
    """Return one value as a person reads it: choices by their labels; "" for what is blank."""
    for metadata in info.metadata:
        if isinstance(metadata, Words) and not isinstance(value, date):
            return metadata.labels.get(value, str(value))
        if isinstance(metadata, Absent):
            return metadata.absent if value is None else _counted(metadata, info, value)
    return text(value)


def text(value: Any) -> str:
    """Return a value that has no labels of its own as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(text(item) for item in value)
    if isinstance(value, Section | Mapping):
        return _entry(dict(value))
    return "" if value is None else str(value)


def _entry(values: dict[str, Any]) -> str:
    """Return an entry of a list, such as a forward address or a contact."""
    email, name = values.pop("email", ""), values.pop("name", "")
    others = (text(value) for value in values.values())
    mailbox = f"{name} <{email}>" if name else str(email)
    return " ".join(part for part in (mailbox, *others) if part)


def _counted(absent: Absent, info: FieldInfo, number: Any) -> str:
    unit = next((metadata.name for metadata in info.metadata if isinstance(metadata, Unit)), "")
    return f"{absent.present} {number} {unit}".strip()
