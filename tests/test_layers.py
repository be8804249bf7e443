"""The house's one-way streets: tui → services → models, and no network library in the face."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "models": {"models"},
    "services": {"models", "services"},
    "tui": {"models", "services", "tui"},
}
FORBIDDEN = {
    "models": {"textual", "typer", "requests", "imapclient", "msal", "smtplib", "socket"},
    "services": {"textual", "typer", "rich"},
    "tui": {"sqlalchemy", "sqlmodel", "socket", "smtplib", "imapclient", "requests", "msal"},
}
MODULES = sorted(path for layer in ALLOWED for path in (ROOT / layer).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level package of everything that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    found = set(imported(path))
    assert found & set(ALLOWED) <= ALLOWED[layer]
    assert not found & FORBIDDEN[layer]


def test_nothing_but_its_own_file_and_the_registry_names_a_protocol() -> None:
    named = {"imap.py", "smtp.py", "office365.py"}
    for path in MODULES:
        if path.name in named or path.parent.name in {"office365", "protocols", "versions"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                words = {
                    leaf.value
                    for leaf in ast.walk(node)
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
                }
                assert not words & {"imap", "smtp", "office365"}, f"{path}:{node.lineno}"
