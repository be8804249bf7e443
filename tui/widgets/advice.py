"""What a section says of a set-up that is still being typed, before all of it is valid."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from models.account import Advice, Advised, ProtocolSettings
from models.fields import Section

A = TypeVar("A", bound=Advised)


def advice_on(section: type[Section], raw: Mapping[str, Any]) -> dict[str, Advice]:
    """Return the first warning for each field, judged by those fields that are valid already."""
    if not issubclass(section, Advised):
        return {}
    found: dict[str, Advice] = {}
    for advice in _partial(section, raw).advice():
        found.setdefault(advice.field, advice)
    return found


def secret_errors_on(
    section: type[Section], raw: Mapping[str, Any], stored: frozenset[str]
) -> dict[str, str]:
    """Return which secrets are missing, or are there without what belongs to them."""
    if not issubclass(section, ProtocolSettings):
        return {}
    settings = _partial(section, raw)
    typed = {name for name in settings.secret_fields() if getattr(settings, name) is not None}
    return settings.secret_errors(stored | typed)


def _partial(section: type[A], raw: Mapping[str, Any]) -> A:
    values = {name: _valid(section, name, raw.get(name)) for name in section.model_fields}
    return cast(A, section.model_construct(**values))


def _valid(section: type[Section], name: str, value: Any) -> Any:
    """Return a field's value as the model makes it, a blank one where it is not valid yet."""
    info = section.model_fields[name]
    try:
        return _adapter(section, name).validate_python(value)
    except ValidationError:
        return "" if info.is_required() else info.default


@cache
def _adapter(section: type[Section], name: str) -> TypeAdapter[Any]:
    info = section.model_fields[name]
    kind: Any = info.annotation
    for entry in info.metadata:
        kind = Annotated[kind, entry]
    return TypeAdapter(kind)
