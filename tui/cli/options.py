"""Options made from the sections that the forms are made from, so that a field is named once.

A field's docstring is its help, `Named` its word where that is not its name. What was given stays
raw text: the service validates it, as it does what a form was given.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import wraps
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer

from models.fields import Absent, EmailAddress
from services.errors import InvalidInput
from tui.cli.fields import FieldOption, Kind, branches

T = TypeVar("T")
Key = Annotated[str, typer.Argument()]
"""The argument that names a record; `keyed` describes it."""


@dataclass
class Given:
    """What was given on the command line: path → raw value, and the secrets to forget."""

    values: dict[str, Any] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)

    def into(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Put the values into nested raw values and return these."""
        for path, value in self.values.items():
            section, _, name = path.rpartition(".")
            place = raw.setdefault(section, {}) if section else raw
            place[name] = value
        return raw


def takes(
    fields: Sequence[FieldOption], named: Mapping[str, str] | None = None
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command the fields as options; it gets what was given as `given`.

    Errors at a field are told by its option; `named` adds the words of further paths, such as
    ``identity.name`` → ``NAME``.
    """
    words = {option.path: option.flag for option in fields} | dict(named or {})
    added = [parameter for option in fields for parameter in _parameters(option)]

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "given"]

        @wraps(command)
        def run(**values: Any) -> T:
            rest = {parameter.name: values[parameter.name] for parameter in own}
            with told_by_option(words):
                return command(**rest, given=_collect(fields, values))

        keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *added)]
        run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
        return run

    return decorate


def keyed(command: Callable[..., T], option: FieldOption) -> Callable[..., T]:
    """Describe a command's argument `key` by the field that names a record."""
    info = typer.Argument(metavar=option.key.upper(), help=option.helps[0][1])
    own = inspect.signature(command)
    command.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[
            p.replace(annotation=Annotated[str, info]) if p.name == "key" else p
            for p in own.parameters.values()
        ]
    )
    return command


@contextmanager
def told_by_option(words: Mapping[str, str]) -> Iterator[None]:
    """Name the fields of an InvalidInput by what is typed for them: path → word."""
    try:
        yield
    except InvalidInput as error:
        named = {_word(words, path): text for path, text in error.errors.items()}
        raise InvalidInput(named) from error


def _word(words: Mapping[str, str], path: str) -> str:
    """Return the word of the longest path that this one lies under, else the path itself."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if word := words.get(".".join(parts[:length])):
            return word
    return path


def _parameters(option: FieldOption) -> Iterator[inspect.Parameter]:
    help_text = _help(option)
    if option.kind is Kind.FLAG:
        flags = f"{option.flag}/--no-{option.word}"
        yield _parameter(option.path, bool | None, flags, help_text)
    elif option.kind is Kind.CHOICE:
        choice = next(b for b in branches(option.info.annotation) if get_origin(b) is Literal)
        yield _parameter(option.path, choice | None, option.flag, help_text)
    elif option.kind in (Kind.TEXTS, Kind.MAILBOXES):
        yield _parameter(option.path, list[str] | None, option.flag, help_text, _metavar(option))
    elif option.kind is Kind.SECRET:
        yield _parameter(option.path, str | None, option.flag, help_text, "FILE|-")
        forget = f"Forget the stored {option.info.title}."
        yield _parameter(f"{option.path}.clear", bool, f"--clear-{option.word}", forget)
    else:
        yield _parameter(option.path, str | None, option.flag, help_text, _metavar(option))
        if absent := _absent(option):
            yield _parameter(f"{option.path}.absent", bool, f"--no-{option.word}", absent)


def _parameter(
    path: str, annotation: Any, flag: str, help_text: str, metavar: str | None = None
) -> inspect.Parameter:
    info = typer.Option(flag, help=help_text, metavar=metavar, show_default=False)
    return inspect.Parameter(
        _identifier(path),
        inspect.Parameter.KEYWORD_ONLY,
        default=False if annotation is bool else None,
        annotation=Annotated[annotation, info],
    )


def _identifier(path: str) -> str:
    """Return a parameter's name, apart from the command's own ones and from keywords."""
    return f"field__{path.replace('.', '__')}"


def _help(option: FieldOption) -> str:
    texts = list(dict.fromkeys(text for _label, text in option.helps))
    if len(texts) > 1:
        texts = [f"{label}: {text}" for label, text in option.helps]
    if option.kind is Kind.SECRET:
        texts.append("Read from FILE, - for standard input.")
    elif option.kind in (Kind.TEXTS, Kind.MAILBOXES):
        texts.append("Repeat it for several; '' for none.")
    return " ".join(texts)


def _metavar(option: FieldOption) -> str:
    if option.kind is Kind.MAILBOXES:
        return "'NAME <ADDRESS>'"
    if get_args(EmailAddress)[1] in option.info.metadata:
        return "ADDRESS"
    names: dict[Any, str] = {str: "TEXT", int: "N", date: "YYYY-MM-DD"}
    words: list[str] = []
    for branch in branches(option.info.annotation):
        if get_origin(branch) is Literal:
            words += map(str, get_args(branch))
        elif branch in names:
            words.append(names[branch])
    return "|".join(words) or "TEXT"


def _absent(option: FieldOption) -> str:
    found = [m.absent for m in option.info.metadata if isinstance(m, Absent)]
    return f"{found[0]}." if found else ""


# ------------------------------------------------------------------------- collecting


def _collect(fields: Sequence[FieldOption], values: Mapping[str, Any]) -> Given:
    given = Given()
    for option in fields:
        value = values[_identifier(option.path)]
        if value is not None:
            given.values[option.path] = _raw(option, value)
        if values.get(_identifier(f"{option.path}.absent")):
            given.values[option.path] = None
        if values.get(_identifier(f"{option.path}.clear")):
            _refuse_both(option, value)
            given.cleared.add(option.path.rpartition(".")[2])
    return given


def _refuse_both(option: FieldOption, value: object) -> None:
    if value is not None:
        words = f"Give either this or --clear-{option.word}."
        raise InvalidInput({option.path: words})


def _raw(option: FieldOption, value: Any) -> Any:
    if option.kind is Kind.SECRET:
        from tui.cli.secret import read_secret

        return read_secret(value, option.path, option.info.title or option.word)
    if option.kind is Kind.TEXTS:
        return tuple(text for text in value if text.strip())
    if option.kind is Kind.MAILBOXES:
        return tuple(_mailbox(text) for text in value if text.strip())
    return None if value == "" and option.optional else value


def _mailbox(text: str) -> dict[str, str]:
    """Split ``Name <address>``; what has no angle brackets is an address."""
    name, opened, rest = text.strip().rpartition("<")
    if opened and rest.endswith(">"):
        return {"email": rest[:-1].strip(), "name": name.strip().strip('"')}
    return {"email": text.strip(), "name": ""}
