"""The fields of sections as options see them: which word, which kind, which help."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from models.fields import Named, Section
from models.help import field_help


class Kind(StrEnum):
    """How a field's value is written on a command line."""

    FLAG = "flag"
    CHOICE = "choice"
    TEXT = "text"
    TEXTS = "texts"
    MAILBOXES = "mailboxes"
    SECRET = "secret"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True)
class FieldOption:
    """One field of a section, as a command offers it."""

    path: str
    """Where it lies in the raw values and in error messages: ``settings.port``."""
    word: str
    """Its word, such as ``from-match``."""
    kind: Kind
    info: FieldInfo
    helps: tuple[tuple[str, str], ...]
    """(label, help) of each section that has the field."""

    @property
    def flag(self) -> str:
        """What is typed: ``--port``, ``--password-file``."""
        return f"--{self.word}-file" if self.kind is Kind.SECRET else f"--{self.word}"

    @property
    def key(self) -> str:
        """Its name in JSON."""
        return self.word.replace("-", "_")

    @property
    def optional(self) -> bool:
        """Whether it may have no value at all."""
        return NoneType in get_args(self.info.annotation)

    def value_in(self, sections: Mapping[str, Any]) -> Any:
        """Return the field's value, from sections by their key ("" for a lone one)."""
        section, _, name = self.path.rpartition(".")
        return getattr(sections[section], name)


def fields_of(
    section: type[Section], key: str = "", label: str = "", skip: Iterable[str] = ()
) -> Iterator[FieldOption]:
    """Yield a section's fields; `key` is its place in the raw values, `label` whose it is."""
    helps = field_help(section)
    for name, info in section.model_fields.items():
        if name not in skip:
            named = next((m.option for m in info.metadata if isinstance(m, Named)), None)
            path = f"{key}.{name}" if key else name
            word = named or name.replace("_", "-")
            yield FieldOption(path, word, _kind(path, info), info, ((label, helps[name]),))


def merged(fields: Iterable[FieldOption]) -> list[FieldOption]:
    """Make one option of a field that several protocols have, with all that is said about it."""
    found: dict[str, FieldOption] = {}
    for option in fields:
        first = found.get(option.path)
        found[option.path] = replace(first, helps=first.helps + option.helps) if first else option
    return list(found.values())


def _kind(path: str, info: FieldInfo) -> Kind:
    plain = [branch for branch in branches(info.annotation) if branch is not NoneType]
    match plain:
        case [one] if one is bool:
            return Kind.FLAG
        case [one] if one is SecretStr:
            return Kind.SECRET
        case [one] if get_origin(one) is Literal:
            return Kind.CHOICE
        case [one] if get_origin(one) is tuple:
            return _repeated(path, get_args(one)[0])
        case _ if all(_is_text(branch) for branch in plain):
            return Kind.TEXT
    raise TypeError(f"{path} has a type that no option is known for: {info.annotation}")


def _repeated(path: str, item: Any) -> Kind:
    if item is str:
        return Kind.TEXTS
    if set(getattr(item, "model_fields", ())) == {"email", "name"}:
        return Kind.MAILBOXES
    raise TypeError(f"{path} holds items that no option is known for: {item}")


def branches(annotation: Any) -> tuple[Any, ...]:
    """Return a union's members, or the one type, without what Annotated adds."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return branches(args[0])
    if not args or origin in (Literal, tuple):
        return (annotation,)
    return tuple(branch for arg in args for branch in branches(arg))


def _is_text(branch: Any) -> bool:
    return branch in (str, int, date) or get_origin(branch) is Literal
