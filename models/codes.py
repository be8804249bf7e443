"""The tables that Code Setup maintains. A new one is a class pair here and a line in CODE_TABLES.

Lengths follow the older Tourplan guides (`Contact Types`, `Queue Destination`, `Users`).
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import CheckConstraint
from sqlmodel import Field as Col
from sqlmodel import Relationship

from models.base import Row
from models.fields import EmailAddress, Line, Named, References, Section, UpperLine


class ContactTypeForm(Section):
    """Contact Types"""

    code: UpperLine = Field(title="Code", min_length=1, max_length=2)
    """Two characters that stand for the type, such as RS. It cannot be changed once saved."""

    description: Line = Field(title="Description", min_length=1, max_length=60)
    """What kind of contact it is, such as Reservations or Accounts."""


class QueueDestinationForm(Section):
    """Queue Destination"""

    name: Line = Field(title="Name", min_length=1, max_length=15)
    """Names the queue, in Email Account's Error Queue too. It cannot be changed once saved."""

    description: Line = Field("", title="Description", max_length=60)
    """What the queue is for."""

    system_event: bool = Field(False, title="System Event Queue")
    """The queue also receives what the system itself has to report."""

    owner: Annotated[Line | None, References("user")] = Field(None, title="Owner")
    """The user who may hand the queue's messages to others."""

    members: Annotated[tuple[str, ...], References("user"), Named("member")] = Field(
        (), title="Queue Members"
    )
    """The users who receive the queue's messages."""


class UserForm(Section):
    """Users"""

    name: UpperLine = Field(title="Name", min_length=1, max_length=30)
    """The user's login name, in capitals. It cannot be changed once saved."""

    full_name: Line = Field("", title="Full Name", max_length=100)
    """The user's full name."""

    email: EmailAddress | None = Field(None, title="Email", max_length=254)
    """Where the user reads email."""


class ContactTypeRow(Row, table=True):
    """A kind of contact, by which import decides whose replies are wanted."""

    __tablename__ = "contact_type"
    __table_args__ = (
        CheckConstraint("length(code) BETWEEN 1 AND 2", name="ck_contact_type_code"),
        CheckConstraint("length(description) BETWEEN 1 AND 60", name="ck_contact_type_description"),
    )

    id: int | None = Col(default=None, primary_key=True)
    key: str = Col(unique=True)
    code: str
    description: str
    version: int = 1


class QueueMemberRow(Row, table=True):
    """A user's membership in a queue."""

    __tablename__ = "queue_member"

    queue_id: int = Col(foreign_key="queue_destination.id", primary_key=True, ondelete="CASCADE")
    user_id: int = Col(foreign_key="app_user.id", primary_key=True, index=True)


class UserRow(Row, table=True):
    """Somebody who works with the back office."""

    __tablename__ = "app_user"  # "user" is a reserved word in PostgreSQL
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 30", name="ck_app_user_name"),
        CheckConstraint("length(full_name) <= 100", name="ck_app_user_full_name"),
    )

    id: int | None = Col(default=None, primary_key=True)
    key: str = Col(unique=True)
    name: str
    full_name: str = ""
    email: str | None = None
    version: int = 1


class QueueDestinationRow(Row, table=True):
    """A queue that messages for several users go to."""

    __tablename__ = "queue_destination"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 15", name="ck_queue_destination_name"),
        CheckConstraint("length(description) <= 60", name="ck_queue_destination_description"),
    )

    id: int | None = Col(default=None, primary_key=True)
    key: str = Col(unique=True)
    name: str
    description: str = ""
    system_event: bool = False
    owner_id: int | None = Col(default=None, foreign_key="app_user.id", index=True)
    version: int = 1

    owner: UserRow | None = Relationship()
    members: list[UserRow] = Relationship(link_model=QueueMemberRow)


@dataclass(frozen=True)
class CodeTable:
    """What faces and services need to maintain one code table; the only thing said about it."""

    key: str
    """Names the table on the command line and in References, such as ``contact-type``."""
    noun: str
    """One record of it, as messages call it."""
    form: type[Section]
    row: type[Row]

    @property
    def title(self) -> str:
        """The screen's title: the form's docstring."""
        return (self.form.__doc__ or self.key).strip()

    @property
    def key_field(self) -> str:
        """The field that names a record and is fixed once saved: the form's first."""
        return next(iter(self.form.model_fields))


CODE_TABLES: dict[str, CodeTable] = {
    table.key: table
    for table in (
        CodeTable("contact-type", "contact type", ContactTypeForm, ContactTypeRow),
        CodeTable("queue", "queue destination", QueueDestinationForm, QueueDestinationRow),
        CodeTable("user", "user", UserForm, UserRow),
    )
}
