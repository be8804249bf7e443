"""What fields say of themselves: the docstring under each, which is the help an admin reads.

Pydantic would read the source of every section at every start (`use_attribute_docstrings`, a tenth
of it); here a module is read when a face first asks.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from models.fields import Section


@cache
def field_help(section: type[Section]) -> Mapping[str, str]:
    """Return the help of a section's fields, on one line each; "" where there is none."""
    helps = dict.fromkeys(section.model_fields, "")
    for kind in reversed(section.__mro__):
        if issubclass(kind, Section):
            helps |= _docstrings(kind.__module__).get(kind.__qualname__, {})
    return helps


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Return class → field → docstring of the sections that a module has at its top level."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: dict(_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(section: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in pairwise(section.body):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
