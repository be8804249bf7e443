"""Counts that stop: of a long list nobody asks how much longer it is."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, func, select

from services.text import COUNTED


def counted(session: Session, statement: Any, most: int = COUNTED) -> int:
    """Return how many rows a statement finds; above `most`, one more than that."""
    return int(session.exec(_count(statement, most)).one())


def counted_each(session: Session, statements: Sequence[Any]) -> list[int]:
    """Return the same of several statements, asked for in one."""
    numbers = (_count(statement, COUNTED).scalar_subquery() for statement in statements)
    return list(session.connection().execute(select(*numbers)).one())


def _count(statement: Any, most: int) -> Any:
    some = statement.order_by(None).limit(most + 1).subquery()
    return select(func.count()).select_from(some)
