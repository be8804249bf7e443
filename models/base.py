"""What all tables share: names for every constraint, so that a migration can refer to them."""

from sqlalchemy import Index, MetaData, text
from sqlmodel import SQLModel


class Row(SQLModel):
    """The base of every table. Rows stay inside the services; faces get detached values."""

    # Pydantic's validators of rows would be built at every start, and used by nobody: rows are made
    # by the services from what sections have validated.
    model_config = {"defer_build": True}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index over the rows for which `where` (SQL) holds.

    SQLAlchemy loads a dialect as soon as one of its options is named, and PostgreSQL's is a
    twentieth of a start: its condition is added by `complete_indexes`.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where))


def complete_indexes(metadata: MetaData) -> None:
    """Give partial indexes their condition on PostgreSQL too; whoever reads indexes needs it."""
    for table in metadata.tables.values():
        for index in table.indexes:
            where = index.dialect_options["sqlite"]["where"]
            index.dialect_options["postgresql"]["where"] = where
