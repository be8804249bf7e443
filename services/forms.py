"""Turning what somebody typed into a section, with each error in words at its field.

Faces validate through here and so cannot disagree with the services or with each other.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.fields import Section
from services.errors import InvalidInput

S = TypeVar("S", bound=Section)

REQUIRED = "Required."
"""What is said of a field that may not be blank."""
_WORDS = {
    "missing": REQUIRED,
    "string_too_short": REQUIRED,
    "string_too_long": "At most {max_length} characters.",
    "string_type": "Enter text.",
    "string_pattern_mismatch": "Letters and digits only.",
    "int_parsing": "Enter a whole number.",
    "int_type": "Enter a whole number.",
    "int_from_float": "Enter a whole number.",
    "int_parsing_size": "This number is too large.",
    "greater_than_equal": "At least {ge}.",
    "less_than_equal": "At most {le}.",
    "literal_error": "Choose one of {expected}.",
    "bool_parsing": "Enter yes or no.",
    "date_from_datetime_parsing": "Enter a date as YYYY-MM-DD.",
    "date_from_datetime_inexact": "Enter a date as YYYY-MM-DD.",
    "date_parsing": "Enter a date as YYYY-MM-DD.",
    "date_type": "Enter a date as YYYY-MM-DD.",
    "tuple_type": "Enter a list.",
    "list_type": "Enter a list.",
    "extra_forbidden": "There is no such field here.",
}


def check(section: type[S], raw: Mapping[str, Any], prefix: str = "") -> S:
    """Return the validated section. Raises InvalidInput with paths that begin with `prefix`."""
    try:
        return section.model_validate(dict(raw))
    except ValidationError as error:
        raise InvalidInput(field_errors(error, section, prefix)) from None


def errors_of(section: type[Section], raw: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return what is wrong with the fields, none where all is right: path → sentence."""
    try:
        section.model_validate(dict(raw))
    except ValidationError as error:
        return field_errors(error, section, prefix)
    return {}


def field_errors(error: ValidationError, section: type[Section], prefix: str) -> dict[str, str]:
    """Return the first error of each field in words, in the order of the fields.

    The rejected value is left out: it may be a secret.
    """
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path, words = _path(detail, prefix), in_words(detail)
        # Of a union's branches the last one says most: "a date", after the words that it excludes.
        if path not in found or detail["loc"][-1] == "date":
            found[path] = words
    order = {f"{prefix}{name}": place for place, name in enumerate(section.model_fields)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _path(detail: ErrorDetails, prefix: str) -> str:
    """Return a field's dotted path; a union's own branches are no part of it."""
    parts = [str(part) for part in detail["loc"][:1]]
    parts += [str(part) for part in detail["loc"][1:] if str(part).isidentifier() or _index(part)]
    named = [part for part in parts if not part.startswith(("literal", "function", "date", "int"))]
    return prefix + ".".join(named or parts[:1])


def _index(part: int | str) -> bool:
    return isinstance(part, int)


def in_words(detail: ErrorDetails) -> str:
    """Return one error in a sentence of ours."""
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    # What has no words of ours has none that an admin would understand.
    return _WORDS.get(detail["type"], "This cannot be taken here.").format(**context)
