"""What queues hold for their members: errored mail, and what the system itself has to report.

A message is every member's until it is given to one user. Who has logged in is matched to a User by
the login name, whatever its domain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, or_, select

from models.codes import QueueDestinationRow, QueueMemberRow, UserRow
from models.fields import name_key
from models.queue import QueueMessageRow
from services.actor import Actor
from services.codes import row_id
from services.errors import NotFound, ServiceError
from services.paging import Page
from services.queues.views import QueueMessage, page
from services.results import Result, guarded
from services.store.engine import Store

ROOT = "root"


@dataclass(frozen=True)
class QueueCounts:
    """How many open messages there are."""

    user: str = ""
    """The User who has logged in; "" where none has the login name."""
    mine: int = 0
    queues: dict[str, int] = field(default_factory=dict)
    """By the queue's name; queues without any are left out."""


class QueueMessages:
    """Shows queue messages, closes them, and gives them to users."""

    def __init__(self, store: Store, actor: Actor, now: Callable[[], datetime]) -> None:
        """Take the store, and who has logged in."""
        self._store, self._actor, self._now = store, actor, now

    # ------------------------------------------------------------------ reading

    def user(self) -> str:
        """Return the name of the User who has logged in, "" where none has the login name."""
        with self._store.read() as session:
            me = self._me(session)
            return me.name if me else ""

    def mine(
        self, text: str = "", after: str | None = None, limit: int = 200
    ) -> Page[QueueMessage]:
        """Return what the user who has logged in is to look after, newest first.

        That is what was given to the user, and of the queues that the user is a member or the
        owner of, what was given to nobody yet. A user whom no User stands for has nothing.
        """
        with self._store.read() as session:
            me = self._me(session)
            if me is None:
                return Page([], None)
            return self._page(session, [_open(), _for(session, me)], text, after, limit)

    def list(
        self,
        queue: str = "",
        text: str = "",
        after: str | None = None,
        limit: int = 200,
        *,
        done: bool = False,
    ) -> Page[QueueMessage]:
        """Return the open messages of one queue or of all, newest first; or those that are `done`.

        Raises NotFound where there is no such queue.
        """
        with self._store.read() as session:
            where = [col(QueueMessageRow.done_at).is_not(None) if done else _open()]
            if queue:
                where.append(col(QueueMessageRow.queue_id) == row_id(session, "queue", queue))
            return self._page(session, where, text, after, limit)

    def counts(self) -> QueueCounts:
        """Return how many messages are open, for the user who has logged in and by queue."""
        by_queue = (
            select(QueueDestinationRow.name, func.count())
            .join(QueueMessageRow, col(QueueMessageRow.queue_id) == QueueDestinationRow.id)
            .where(_open())
            .group_by(col(QueueDestinationRow.name))
            .order_by(col(QueueDestinationRow.name))
        )
        with self._store.read() as session:
            me, queues = self._me(session), dict(session.exec(by_queue).all())
            if me is None:
                return QueueCounts(queues=queues)
            mine = (
                select(func.count()).select_from(QueueMessageRow).where(_open(), _for(session, me))
            )
            return QueueCounts(me.name, session.exec(mine).one(), queues)

    # ------------------------------------------------------------------ deciding

    def done(self, ids: Sequence[int]) -> Sequence[Result]:
        """Say of messages that they are looked after."""
        return self._each(ids, self._finish)

    def reassign(self, ids: Sequence[int], user: str | None) -> Sequence[Result]:
        """Give messages to a user, member or not, or with None back to every member.

        The queue's owner may, where it has none every member, and root, who may do anything here.
        Raises NotFound where there is no such user.
        """
        with self._store.read() as session:
            user_id = row_id(session, "user", user) if user else None
        return self._each(ids, partial(self._give, user_id=user_id, to=(user or "").upper()))

    def _each(
        self, ids: Sequence[int], decide: Callable[[Session, int], Result]
    ) -> Sequence[Result]:
        with self._store.write() as session:
            return [guarded(which, partial(decide, session, which)) for which in dict.fromkeys(ids)]

    def _finish(self, session: Session, which: int) -> Result:
        row = _open_row(session, which)
        row.done_at, row.done_by = self._now(), self._actor.who
        session.add(row)
        return Result(which, True, "done", "")

    def _give(self, session: Session, which: int, *, user_id: int | None, to: str) -> Result:
        row = _open_row(session, which)
        queue = session.get(QueueDestinationRow, row.queue_id)
        if queue is None or not self._may_reassign(session, queue):
            raise ServiceError(*_not_allowed(queue))
        row.user_id = user_id
        session.add(row)
        return Result(which, True, "reassigned", f"to {to or 'every member'}.")

    # ------------------------------------------------------------------ who

    def _me(self, session: Session) -> UserRow | None:
        key = name_key(login_name(self._actor))
        return session.exec(select(UserRow).where(UserRow.key == key)).first()

    def _may_reassign(self, session: Session, queue: QueueDestinationRow) -> bool:
        if self._actor.login == ROOT and not self._actor.sudo_user:
            return True
        me = self._me(session)
        if me is None:
            return False
        if queue.owner_id is not None:
            return queue.owner_id == me.id
        return session.get(QueueMemberRow, (queue.id, me.id)) is not None

    def _page(
        self,
        session: Session,
        where: Sequence[ColumnElement[bool]],
        text: str,
        after: str | None,
        limit: int,
    ) -> Page[QueueMessage]:
        queues = session.exec(select(QueueDestinationRow)).all()
        own = {queue.id for queue in queues if self._may_reassign(session, queue)}
        return page(session, where, text, after, limit, own)


def login_name(actor: Actor) -> str:
    """Return by which name a User is known; of a root by sudo, the name behind it.

    Directories put a domain before or behind: ``OFFICE\\anna``, ``anna@office.example``.
    """
    login = actor.sudo_user if actor.login == ROOT and actor.sudo_user else actor.login
    return login.rpartition("\\")[2].partition("@")[0].upper()


def _open() -> ColumnElement[bool]:
    return col(QueueMessageRow.done_at).is_(None)


def _for(session: Session, me: UserRow) -> ColumnElement[bool]:
    """Return the condition that a user is to look after a message; the few queues come first."""
    member = select(QueueMemberRow.queue_id).where(QueueMemberRow.user_id == me.id)
    owner = select(QueueDestinationRow.id).where(QueueDestinationRow.owner_id == me.id)
    queues = [*session.exec(member), *session.exec(owner)]
    every = session.exec(select(QueueDestinationRow.id)).all()
    nobodys = func.coalesce(col(QueueMessageRow.user_id), 0) == 0
    # Said in this way so that open messages are found by their queue, however many are done.
    return and_(
        col(QueueMessageRow.queue_id).in_(every),
        or_(
            col(QueueMessageRow.user_id) == me.id,
            and_(nobodys, col(QueueMessageRow.queue_id).in_(queues)),
        ),
    )


def _open_row(session: Session, which: int) -> QueueMessageRow:
    row = session.get(QueueMessageRow, which)
    if row is None:
        raise NotFound(f"There is no queue message {which}.")
    if row.done_at is not None:
        raise ServiceError(f"It is done already, by {row.done_by}.")
    return row


def _not_allowed(queue: QueueDestinationRow | None) -> tuple[str, str]:
    if queue is not None and queue.owner is not None:
        return f"Only {queue.owner.name}, the owner of {queue.name}, may give it to others.", ""
    name = queue.name if queue else "the queue"
    return (
        f"Only a member of {name} may give it to others.",
        "A queue's Owner may, where it has one.",
    )
