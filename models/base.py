"""What all tables share: names for every constraint, so that a migration can refer to them."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel


class Row(SQLModel):
    """The base of every table. Rows stay inside the services; faces get detached values."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
