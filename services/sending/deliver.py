"""Works the outbox off: one kept connection an account, one claim a message."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col

from models.account import Account, ProtocolSettings
from models.outbox import OutboxRow, OutboxState
from services.accounts.service import AccountService
from services.connections.service import Connections, MailboxBusy
from services.errors import Cancelled, ConnectionFailed, Fenced, ServiceError
from services.protocols import protocol
from services.protocols.base import (
    Envelope,
    Sender,
    SendFailure,
    SendRefused,
    Surroundings,
)
from services.sending import claims, postpone
from services.sending.claims import Claimed
from services.sending.lease import LeaseKeeper
from services.sending.settle import Attempt, Settlement, settle
from services.store.engine import Store

_SLOT_PAUSE = timedelta(seconds=10)
_PATIENCE_FOR_ONE = 10.0
"""Seconds to wait for a connection slot where somebody waits for one message."""
_RECORD_PAUSES = (0.5, 1, 2, 4, 8, 16)
"""Seconds between attempts to write down what a server answered, while the store is away."""

T = TypeVar("T")


@dataclass
class Tally:
    """How many messages a run left in which state."""

    sent: int = 0
    queued: int = 0
    uncertain: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """How many messages were tried."""
        return self.sent + self.queued + self.uncertain + self.failed

    def count(self, state: OutboxState, number: int = 1) -> None:
        """Count messages; a state is one of the fields."""
        setattr(self, state.value, getattr(self, state.value) + number)

    def count_all(self, found: Mapping[OutboxState, int]) -> None:
        """Count messages of several states."""
        for state, number in found.items():
            self.count(state, number)

    def add(self, other: "Tally") -> None:
        """Add another run's."""
        self.sent += other.sent
        self.queued += other.queued
        self.uncertain += other.uncertain
        self.failed += other.failed


class Deliverer:
    """Claims what is due and hands it to the protocols' senders."""

    def __init__(
        self,
        store: Store,
        accounts: AccountService,
        connections: Connections,
        holder: str,
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        """Take what it works with; `holder` names this process in claims."""
        self._store, self._accounts, self._connections = store, accounts, connections
        self._holder, self._now, self._random = holder, now, random

    def run(
        self,
        around: Surroundings,
        only: int | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Tally:
        """Send until nothing is due any more, or `stop` says so between two messages.

        An account's trouble puts off its mail and never stops the others. Raises Cancelled; what
        was not handed to a server then waits on.
        """
        tally = Tally()
        with self._store.read() as session:
            accounts = claims.due_accounts(session, claims.is_due(self._now(), only))
            lapsed = claims.any_lapsed(session, self._now())
        if lapsed:
            with self._store.write() as session:
                claims.expire(session, self._now())
        for account_id in accounts:
            if not stop():
                self._serve(_Round(account_id, only, around, stop, tally))
        return tally

    def _serve(self, work: "_Round") -> None:
        try:
            self._with_connection(work)
        except (Cancelled, Fenced) as error:
            work.around.cancel.check()
            work.around.say(str(error))  # a message was taken over: its new holder goes on
        except MailboxBusy as error:
            until = self._now() + _SLOT_PAUSE * (0.5 + self._random.random())
            with self._store.write() as session:
                waiting = postpone.wait_for_slot(session, self._due(work), until, str(error))
            work.tally.add(Tally(queued=waiting))
        except ServiceError as error:
            self._postpone(work, error)
        except Exception as error:  # noqa: BLE001 - the last door of an account: others go on
            self._postpone(work, _bug(error))

    def _postpone(self, work: "_Round", error: ServiceError) -> None:
        if work.only is None:  # whoever asked for one message reads its own last words
            work.around.say(f"{work.name}: {error}")
        with self._store.write() as session:
            found = postpone.postpone(
                session, self._due(work), error, self._now(), self._random.random
            )
        work.tally.count_all(found)

    def _due(self, work: "_Round") -> ColumnElement[bool]:
        if work.due is None:
            due = claims.is_due(claims.whenever(self._now), work.only)
            work.due = and_(due, col(OutboxRow.account_id) == work.account_id)
        return work.due

    def _with_connection(self, work: "_Round") -> None:
        """Hold a slot while this account's mail goes out. Raises ServiceError: all of it waits."""
        account = self._account(work)
        if account is None:
            return
        work.name = account.name
        settings = self._accounts.filled(account)
        with self._connections.hold(
            settings.mailbox(),
            "send",
            account.name,
            ceiling=protocol(account.protocol).connection_ceiling,
            cancel=work.around.cancel,
            say=work.around.say,
            wait=0 if work.only is None else _PATIENCE_FOR_ONE,
        ) as held:
            work = replace(work, around=replace(work.around, cancel=held.cancel))
            while not work.stop() and self._anything_due(work):
                self._over_one_connection(work, account, settings)
                if work.only is not None:
                    break

    def _account(self, work: "_Round") -> Account | None:
        """Return the account whose mail it is; without one the mail fails."""
        if work.account_id is not None:
            return self._accounts.get(work.account_id)
        words = "The account that accepted it was deleted."
        with self._store.write() as session:
            found = postpone.fail(session, self._due(work), words)
        work.tally.count_all(found)
        return None

    def _anything_due(self, work: "_Round") -> bool:
        with self._store.read() as session:
            return claims.anything(session, self._due(work))

    def _over_one_connection(
        self, work: "_Round", account: Account, settings: ProtocolSettings
    ) -> None:
        """Send until nothing is due or the connection is spent."""
        open_sender = protocol(account.protocol).sender
        if open_sender is None:
            raise ServiceError(
                "This account cannot send any more.",
                "Its protocol was changed; resend from the outbox once it can.",
            )
        own = account.email.default_email if account.email else ""
        # A Cancel of its own, so that a lost lease breaks this connection and nothing else.
        with work.around.cancel.own() as cancel:
            around = replace(work.around, cancel=cancel)
            sender = open_sender(settings, around)
            try:
                with LeaseKeeper(self._store, self._now, around.cancel) as keeper:
                    claimed = self._first(work)
                    while claimed is not None:
                        claimed = self._send(work, claimed, sender, keeper, own)
            finally:
                sender.close()

    def _first(self, work: "_Round") -> Claimed | None:
        work.around.cancel.check()
        try:
            with self._store.write() as session:
                work.unanswered = self._next(session, work)
        except ServiceError:
            _patiently(lambda: self._free_unanswered(work))
            raise
        following, work.unanswered = work.unanswered, None
        return following

    def _next(self, session: Session, work: "_Round") -> Claimed | None:
        return claims.claim_next(session, self._due(work), self._now(), self._holder)

    def _send(
        self,
        work: "_Round",
        claimed: Claimed,
        sender: Sender,
        keeper: LeaseKeeper,
        own: str,
    ) -> Claimed | None:
        """Send one message and return the next one, already claimed.

        None where nothing is due or the connection is spent.
        """
        try:
            work.around.cancel.check()
            with keeper.keeping(claimed):
                attempt = _attempt(sender, claimed, own)
        except Cancelled:
            _patiently(lambda: self._hand_back(claimed))
            raise
        settlement, following = self._record(work, claimed, attempt)
        work.tally.count(settlement.state)
        if work.only is None and isinstance(attempt.failure, ConnectionFailed):
            raise attempt.failure
        return following

    def _record(
        self, work: "_Round", claimed: Claimed, attempt: Attempt
    ) -> tuple[Settlement, Claimed | None]:
        """Write down what is known, for as long as it takes: else it would be uncertain."""
        settlement = settle(
            attempt,
            claimed.states,
            now=self._now(),
            attempts=claimed.attempts,
            give_up_at=claimed.give_up_at,
            jitter=self._random.random(),
        )
        try:
            return settlement, _patiently(lambda: self._write(work, claimed, attempt, settlement))
        except Fenced:
            if not _patiently(lambda: self._was_written(work, claimed, settlement)):
                raise
            return settlement, None

    def _was_written(self, work: "_Round", claimed: Claimed, settlement: Settlement) -> bool:
        """Tell whether a commit was done whose answer was lost; what it claimed is free then."""
        self._free_unanswered(work)
        with self._store.read() as session:
            return claims.is_recorded(session, claimed, settlement)

    def _free_unanswered(self, work: "_Round") -> None:
        """Hand back what was claimed, should it be; else it would wait, and be uncertain."""
        if work.unanswered is not None:
            with self._store.write() as session:
                claims.take_back(session, work.unanswered, self._now())
        work.unanswered = None

    def _hand_back(self, claimed: Claimed) -> None:
        with self._store.write() as session:
            claims.hand_back(session, claimed, self._now())

    def _write(
        self, work: "_Round", claimed: Claimed, attempt: Attempt, settlement: Settlement
    ) -> Claimed | None:
        """Record, and claim the next message over this connection: one commit for both."""
        with self._store.write() as session:
            claims.record(session, claimed, settlement, self._now())
            work.unanswered = self._next(session, work) if _goes_on(work, attempt) else None
        following, work.unanswered = work.unanswered, None
        return following


@dataclass
class _Round:
    """One account's turn in a run."""

    account_id: uuid.UUID | None
    only: int | None
    around: Surroundings
    stop: Callable[[], bool]
    tally: Tally
    name: str = "Outbox"
    """The account's, once it is read."""
    due: ColumnElement[bool] | None = None
    """What may be sent, at the moment a statement runs."""
    unanswered: Claimed | None = None
    """What was claimed by a commit that has not been answered."""


def _goes_on(work: _Round, attempt: Attempt) -> bool:
    """Tell whether another message may go out over the same connection."""
    if work.only is not None or work.stop() or work.around.cancel.requested:
        return False
    return attempt.failure is None or isinstance(attempt.failure, SendRefused)


def _patiently(act: Callable[[], T]) -> T:
    """Do what must get into the store, for as long as it takes. Raises ServiceError, Fenced."""
    for pause in _RECORD_PAUSES:
        try:
            return act()
        except Fenced:
            raise
        except ServiceError:
            time.sleep(pause)
    return act()


def _bug(error: Exception) -> ServiceError:
    """Name a failure that nobody foresaw by its kind alone: its words may hold anything."""
    return ServiceError(f"tourmail failed here ({type(error).__name__}).", "Please report this.")


def _attempt(sender: Sender, claimed: Claimed, own: str) -> Attempt:
    envelope = Envelope(claimed.envelope_from, claimed.due, claimed.message_id, own)
    try:
        return Attempt(sender.send(envelope, claimed.data))
    except SendFailure as failure:
        return Attempt(failure.replies, failure)
    except ConnectionFailed as failure:
        return Attempt({}, failure)
