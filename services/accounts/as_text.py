"""Accounts as text: exported without secrets, and applied with a plan, idempotent, all or nothing.

A plan is made by saving everything and undoing it again, so it cannot promise what saving would
refuse.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from models.account import Account, AccountDraft, EmailAccountRow
from models.fields import name_key
from services.accounts import rows as account_rows
from services.accounts.questions import questions
from services.accounts.service import AccountService, may_serve
from services.accounts.toml import AccountFile, read_toml, values_of, write_toml
from services.errors import InvalidInput, Stale
from services.forms import check
from services.secrets.vault import Vault
from services.store.engine import Store

Secrets = Mapping[str, Mapping[str, SecretStr]]
"""Typed secrets: account name → field → secret."""


class Action(StrEnum):
    """What applying a file does to an account."""

    CREATE = "create"
    CHANGE = "change"
    UNCHANGED = "unchanged"


class SecretPlan(StrEnum):
    """What becomes of an account's secret."""

    KEPT = "kept"
    TO_BE_TYPED = "to be typed"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class Change:
    """One field that becomes another; None where it has no value."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Planned:
    """What is to become of one account."""

    draft: AccountDraft
    action: Action
    changes: tuple[Change, ...] = ()
    secrets: Mapping[str, SecretPlan] = field(default_factory=dict)
    questions: Mapping[str, str] = field(default_factory=dict)
    """What must be agreed to outright: the word that agrees → the question."""
    of: UUID | None = None
    version: int | None = None
    """The version that the plan was made for."""

    @property
    def name(self) -> str:
        """The account's name."""
        return self.draft.identity.name

    @property
    def to_be_typed(self) -> tuple[str, ...]:
        """The secrets without which the account cannot be saved as it is wanted."""
        if self.action is Action.UNCHANGED:
            return ()
        return tuple(name for name, plan in self.secrets.items() if plan is SecretPlan.TO_BE_TYPED)


@dataclass(frozen=True)
class Plan:
    """What applying a file would do, account by account in the order of the file."""

    file: AccountFile
    accounts: tuple[Planned, ...]

    @property
    def drift(self) -> bool:
        """Tell whether the store differs from the file."""
        return any(planned.action is not Action.UNCHANGED for planned in self.accounts)


class AccountText:
    """Exports accounts as TOML and applies them."""

    def __init__(self, store: Store, accounts: AccountService, vault: Vault) -> None:
        """Take the store, the accounts, and the vault to see which secrets are stored."""
        self._store, self._accounts, self._vault = store, accounts, vault

    def export(self, names: Collection[str] = ()) -> str:
        """Return the named accounts, or all of them, as TOML without secrets. Raises NotFound."""
        wanted = names or self._names()
        return write_toml(self._accounts.get(name) for name in dict.fromkeys(wanted))

    def _names(self) -> Sequence[str]:
        with self._store.read() as session:
            names = select(EmailAccountRow.name).order_by(col(EmailAccountRow.name_key))
            return session.exec(names).all()

    def plan(self, text: str) -> Plan:
        """Return what applying a file would do, changing nothing.

        Raises InvalidInput with every error of the whole file by line, account and word.
        """
        file = read_toml(text)
        with self._store.write() as session:
            try:
                return Plan(file, self._rehearsed(session, file))
            finally:
                session.rollback()

    def apply(
        self,
        plan: Plan,
        *,
        secrets: Secrets | None = None,
        without_secrets: bool = False,
        consent: Collection[str] = (),
    ) -> None:
        """Do what a plan says, in one transaction.

        `without_secrets` saves accounts whose secret is still to be typed. Raises Stale where an
        account was saved meanwhile, NeedsConsent for a question not agreed to, and InvalidInput
        where a secret is missing or wrong.
        """
        with self._store.write() as session:
            for planned in plan.accounts:
                _refuse_stale(planned, self._stored(session, planned.draft))
            for place, planned in _in_order(plan.accounts):
                if planned.action is not Action.UNCHANGED:
                    typed = (secrets or {}).get(planned.name, {})
                    try:
                        draft = _with_typed(planned.draft, typed)
                        self._save(session, planned.of, draft, consent, lacking=without_secrets)
                    except InvalidInput as error:
                        raise InvalidInput(plan.file.errors(place, error.errors)) from error

    def _rehearsed(self, session: Session, file: AccountFile) -> tuple[Planned, ...]:
        before = [self._stored(session, draft) for draft in file.drafts]
        first = [_planned(draft, old) for draft, old in zip(file.drafts, before, strict=True)]
        errors: dict[str, str] = {}
        found: dict[int, Planned] = {}
        for place, planned in _in_order(first):
            try:
                found[place] = self._tried(session, planned, before[place])
            except InvalidInput as error:
                errors |= file.errors(place, error.errors)
        if errors:
            raise InvalidInput(errors)
        return tuple(found[place] for place in range(len(first)))

    def _tried(self, session: Session, planned: Planned, old: Account | None) -> Planned:
        """Save an account to see what comes of it: codes in their own case, lists in order."""
        row = session.get(EmailAccountRow, planned.of) if planned.of else None
        asked = questions(session, row, planned.draft)
        new = self._save(session, planned.of, planned.draft, asked, lacking=True)
        changes = _changes(old, new)
        action = Action.CREATE if old is None else Action.CHANGE if changes else Action.UNCHANGED
        return Planned(
            planned.draft, action, changes, planned.secrets, asked, planned.of, planned.version
        )

    def _save(
        self,
        session: Session,
        of: UUID | None,
        draft: AccountDraft,
        consent: Collection[str],
        *,
        lacking: bool,
    ) -> Account:
        return self._accounts.save_in(session, draft, of=of, consent=consent, lacking=lacking)

    def _stored(self, session: Session, draft: AccountDraft) -> Account | None:
        row = session.exec(
            select(EmailAccountRow).where(EmailAccountRow.name_key == name_key(draft.identity.name))
        ).first()
        return account_rows.load(session, self._vault, row) if row else None


def _in_order(accounts: Iterable[Planned]) -> list[tuple[int, Planned]]:
    """Put the System Email Account first: only where another one still has it is it handed over."""
    return sorted(enumerate(accounts), key=lambda at: not at[1].draft.identity.is_system)


def _planned(draft: AccountDraft, old: Account | None) -> Planned:
    """Complete a draft with the stored name's own case, and with the secrets to be discarded."""
    settings = draft.settings
    if old is None or old.protocol != draft.protocol:
        stored, usable = frozenset[str](), frozenset[str]()
    else:
        stored = old.stored_secrets
        usable = stored if may_serve(old.settings, settings) else frozenset()
    secrets = {name: SecretPlan.KEPT for name in settings.secret_fields() if name in usable}
    secrets |= dict.fromkeys(sorted(stored - usable), SecretPlan.DISCARDED)
    missing = settings.secret_errors(usable).keys() & set(settings.secret_fields())
    secrets |= dict.fromkeys(sorted(missing), SecretPlan.TO_BE_TYPED)
    name = old.name if old else draft.identity.name
    completed = draft.model_copy(
        update={
            "identity": draft.identity.model_copy(update={"name": name}),
            "clear_secrets": stored - usable,
        }
    )
    of, version = (old.id, old.version) if old else (None, None)
    return Planned(completed, Action.UNCHANGED, (), secrets, {}, of, version)


def _changes(old: Account | None, new: Account) -> tuple[Change, ...]:
    before = values_of(old) if old else {}
    after = values_of(new)
    return tuple(
        Change(word, before.get(word), after.get(word))
        for word in (*after, *(word for word in before if word not in after))
        if before.get(word) != after.get(word)
    )


def _refuse_stale(planned: Planned, now: Account | None) -> None:
    found = (now.id, now.version) if now else (None, None)
    if found != (planned.of, planned.version):
        by = f"{now.updated_by} has saved {now.name}" if now else f"{planned.name} was deleted"
        raise Stale(f"{by} meanwhile.", "Nothing was changed; apply the file again.")


def _with_typed(draft: AccountDraft, typed: Mapping[str, SecretStr]) -> AccountDraft:
    """Put typed secrets into a draft, checked as a form's are. Raises InvalidInput."""
    if not typed:
        return draft
    raw = {**draft.settings.model_dump(), **typed}
    return draft.model_copy(update={"settings": check(type(draft.settings), raw, "settings.")})
