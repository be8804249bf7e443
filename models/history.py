"""What administrators changed, and what they had typed when their line dropped."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, UniqueConstraint
from sqlmodel import Field as Col

from models.base import Row


class Act(StrEnum):
    """What was done to a record."""

    INSERT = "insert"
    CHANGE = "change"
    DELETE = "delete"


class ChangeRow(Row, table=True):
    """One save or deletion of a Code Setup record: who, when, and field by field what it changed.

    It names its record by kind and name, which are fixed once saved, and so outlives it.
    """

    __tablename__ = "change"
    __table_args__ = (
        CheckConstraint("act IN ('insert','change','delete')", name="ck_change_act"),
        Index("ix_change_record", "kind", "name_key", "id"),
    )

    id: int | None = Col(default=None, primary_key=True)
    at: datetime
    who: str
    kind: str
    """The record's kind as commands name it: ``account``, ``queue``, ``agent``, ``schedule``."""
    name: str
    name_key: str
    version: int
    """The record's version that the save made, by which an editor knows what it has not seen."""
    act: str
    fields: list[dict[str, Any]] = Col(sa_column=Column(JSON, nullable=False))
    """``{"field": path, "title": label, "old": words, "new": words}`` each; of a secret only that
    it changed."""


class KeptDraftRow(Row, table=True):
    """What was typed into a form when its line dropped, secrets excepted; offered next time."""

    __tablename__ = "kept_draft"
    __table_args__ = (UniqueConstraint("login", "form", "record", name="uq_kept_draft_form"),)

    id: int | None = Col(default=None, primary_key=True)
    login: str
    form: str
    """Which form: its kind as commands name it."""
    record: str = ""
    """The key of the record that was open; "" for a new one."""
    seen_version: int | None = None
    values: dict[str, Any] = Col(sa_column=Column(JSON, nullable=False))
    kept_at: datetime
