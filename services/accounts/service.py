"""Email accounts: saved as a whole, deleted, and handed out with their secrets.

A save is one transaction: row, forward addresses, ticked types, secrets and, where the System Email
Account changes hands, the other account too.
"""

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sqlmodel import Session, func, select

from models.account import (
    Account,
    AccountDraft,
    EmailAccountRow,
    EmailSettings,
    ImportSettings,
    ProtocolSettings,
)
from models.fields import name_key
from models.history import Act
from models.mail import MailRow
from models.schedule import ScheduleRow
from services.accounts import rows as account_rows
from services.accounts.changes import KIND, account_changes
from services.accounts.draft import draft_from
from services.accounts.questions import ask, other_system, refuse_deletion
from services.actor import Actor
from services.changes.differences import FieldChange
from services.changes.history import History
from services.config import Config
from services.errors import InvalidInput, NotFound, ServiceError
from services.protocols import PROTOCOLS
from services.schedules.rows import note_deletion
from services.secrets.vault import Vault
from services.store.engine import Store
from services.text import count

HANDED_OVER = FieldChange("identity.is_system", "System Email Account", "yes", "no")
TYPE_AGAIN = "Type it again: the stored one was saved for another server, user or security."


class AccountService:
    """Keeps the email accounts."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        actor: Actor,
        now: Callable[[], datetime],
        config: Config,
        history: History,
    ) -> None:
        """Take the store, the vault for secrets, who is at work, and how the process is set up."""
        self._store, self._vault, self._actor, self._now = store, vault, actor, now
        self._config, self._history = config, history

    # ------------------------------------------------------------------ reading

    def draft(self, raw: Mapping[str, Any]) -> AccountDraft:
        """Return what a form's raw values describe. Raises InvalidInput."""
        return draft_from(raw)

    def get(self, which: uuid.UUID | str) -> Account:
        """Return an account by its id, or by its name regardless of case. Raises NotFound."""
        with self._store.read() as session:
            return account_rows.load(session, self._vault, _row(session, which))

    def system(self) -> Account | None:
        """Return the System Email Account, None where there is none."""
        with self._store.read() as session:
            row = session.exec(select(EmailAccountRow).where(EmailAccountRow.is_system)).first()
            return account_rows.load(session, self._vault, row) if row else None

    def sending(self) -> tuple[Account, EmailSettings]:
        """Return the System Email Account and its rules. Raises ServiceError without one."""
        account = self.system()
        if account is None or account.email is None:
            raise ServiceError(
                "There is no System Email Account, so nothing can be sent.",
                "Tick System Email Account on an SMTP or Office 365 account.",
            )
        return account, account.email

    def filled(self, account: Account) -> ProtocolSettings:
        """Return a saved account's settings with its secrets, to connect with.

        Raises ServiceError naming the secret that is missing or cannot be decrypted.
        """
        with self._store.read() as session:
            settings = self._with_stored(session, account.id, account.settings, frozenset())
        _require_secrets(settings)
        return settings

    def filled_draft(self, draft: AccountDraft, of: uuid.UUID | None) -> ProtocolSettings:
        """Return an unsaved form's settings with typed secrets, else the stored ones.

        A stored secret is used only with the endpoint that it was saved for.
        Raises InvalidInput where it must be typed again or is missing.
        """
        with self._store.read() as session:
            row = session.get(EmailAccountRow, of) if of else None
            _refuse(self._unfit(draft) | self._secret_errors(session, row, draft))
            if row is None or row.protocol != draft.protocol:
                return draft.settings
            return self._with_stored(session, row.id, draft.settings, draft.clear_secrets)

    # ------------------------------------------------------------------ writing

    def save(
        self,
        draft: AccountDraft,
        *,
        of: uuid.UUID | None = None,
        seen_version: int | None = None,
        consent: Collection[str] = (),
    ) -> Account:
        """Save a new account, or the changes of the account `of`. All or nothing.

        Raises InvalidInput; Stale where somebody has changed it since `seen_version`; NeedsConsent
        for what must be asked for outright: ``hand-over`` of the System Email Account, another
        ``protocol``, ``start-over`` of an import that has begun.
        """
        with self._store.write() as session:
            return self.save_in(session, draft, of=of, seen_version=seen_version, consent=consent)

    def save_in(
        self,
        session: Session,
        draft: AccountDraft,
        *,
        of: uuid.UUID | None = None,
        seen_version: int | None = None,
        consent: Collection[str] = (),
        lacking: bool = False,
    ) -> Account:
        """Save as `save` does, within a transaction for more than this account.

        `lacking` lets a required secret be typed later; until then nothing can be connected.
        """
        row = session.get(EmailAccountRow, of, with_for_update=True) if of else None
        if of and row is None:
            with self._history.telling_deletion(session, KIND, draft.identity.name):
                raise NotFound("This account has been deleted meanwhile.")
        self._refuse_wrong(session, row, draft, seen_version, lacking=lacking)
        ask(session, row, draft, consent)
        before = account_rows.load(session, self._vault, row) if row else None
        row = self._write(session, row, draft, self._now())
        self._note(session, row, before, draft)
        return account_rows.load(session, self._vault, row)

    def deletion(self, which: uuid.UUID | str) -> tuple[str, int]:
        """Return what goes with an account, to be confirmed, and the version that it has.

        Raises NotFound, InUse.
        """
        with self._store.read() as session:
            row = _row(session, which)
            refuse_deletion(session, row)
            kept = session.exec(
                select(func.count()).select_from(MailRow).where(MailRow.account_id == row.id)
            ).one()
        stays = f" {count(kept, 'message')} from it stay{'s' if kept == 1 else ''}." if kept else ""
        goes = "its secrets, its schedule, its forward list and its import state"
        return f"Delete {row.name} with {goes}?{stays}", row.version

    def delete(self, which: uuid.UUID | str, seen_version: int | None = None) -> None:
        """Delete an account; its mail stays and keeps its name.

        Raises NotFound, InUse, and Stale where somebody has changed it since `seen_version`.
        """
        with self._store.write() as session:
            with self._history.telling_deletion(session, KIND, str(which)):
                row = _row(session, which, lock=True)
            self._history.refuse_stale(session, KIND, row.name, row.version, seen_version)
            refuse_deletion(session, row)
            self._note_deletion(session, row)
            session.delete(row)

    # ------------------------------------------------------------------ parts

    def _refuse_wrong(
        self,
        session: Session,
        row: EmailAccountRow | None,
        draft: AccountDraft,
        seen_version: int | None,
        *,
        lacking: bool,
    ) -> None:
        if row is not None:
            self._history.refuse_stale(session, KIND, row.name, row.version, seen_version)
        errors = _name_errors(session, row, draft.identity.name) | self._unfit(draft)
        secrets = self._secret_errors(session, row, draft)
        _refuse(errors | (_but_missing(draft.settings, secrets) if lacking else secrets))

    def _write(
        self, session: Session, row: EmailAccountRow | None, draft: AccountDraft, now: datetime
    ) -> EmailAccountRow:
        from services.sending.decisions import wake  # nothing but saving needs it

        if draft.identity.is_system:
            self._resign_other(session, row, now)
        if row is None:
            row = account_rows.new(now)
            row.version = self._history.first_version(session, KIND, draft.identity.name)
        elif row.protocol != draft.protocol:
            self._vault.remove(session, row.id)
        importing = draft.importing or ImportSettings()
        started = not account_rows.forget_old_mark(session, row, draft, importing)
        account_rows.fill(row, draft)
        account_rows.fill_import(row, importing, now, started=started)
        session.add(row)
        session.flush()
        account_rows.replace_children(session, row, importing)
        self._save_secrets(session, row.id, draft)
        wake(session, row.id, now)  # what waited for these settings to be mended
        return row

    def _resign_other(self, session: Session, row: EmailAccountRow | None, now: datetime) -> None:
        """Take the System Email Account from whoever has it."""
        other = other_system(session, row, lock=True)
        if other:
            other.is_system = False
            account_rows.stamp(other, self._actor.who, now)
            session.add(other)
            session.flush()
            self._history.note(session, Act.CHANGE, KIND, other.name, other.version, [HANDED_OVER])

    def _note(
        self,
        session: Session,
        row: EmailAccountRow,
        before: Account | None,
        draft: AccountDraft,
    ) -> None:
        """Write down what a save changed; what it left as it was is no new version."""
        after = account_rows.load(session, self._vault, row)
        changes = account_changes(before, after, draft)
        if changes:
            account_rows.stamp(row, self._actor.who, self._now())
            act = Act.CHANGE if before else Act.INSERT
            self._history.note(session, act, KIND, row.name, row.version, changes)

    def _note_deletion(self, session: Session, row: EmailAccountRow) -> None:
        schedule = session.exec(select(ScheduleRow).where(ScheduleRow.account_id == row.id)).first()
        if schedule:
            note_deletion(self._history, session, schedule, row)
        try:
            gone = account_changes(account_rows.load(session, self._vault, row), None)
        except ServiceError:  # what no rule allows any more can be deleted all the same
            gone = []
        self._history.note(session, Act.DELETE, KIND, row.name, row.version + 1, gone)

    def _unfit(self, draft: AccountDraft) -> dict[str, str]:
        """Return what this process lacks for the settings, such as a variable that is not set."""
        found = PROTOCOLS[draft.protocol].unfit(draft.settings, self._config)
        return {f"settings.{name}": words for name, words in found.items()}

    def _secret_errors(
        self, session: Session, row: EmailAccountRow | None, draft: AccountDraft
    ) -> dict[str, str]:
        """Return what is wrong with a draft's secrets, typed and stored ones taken together."""
        names = draft.settings.secret_fields()
        typed = {name for name in names if getattr(draft.settings, name) is not None}
        stored: set[str] = set()
        if row and row.protocol == draft.protocol:
            stored = set(self._vault.kinds(session, row.id)) - draft.clear_secrets
        present = frozenset(typed | stored)
        errors = draft.settings.secret_errors(present)
        for name in names:
            if name in stored - typed and row and not _same_endpoint(row, draft.settings):
                errors[name] = TYPE_AGAIN
        return {f"settings.{name}": words for name, words in errors.items()}

    def _save_secrets(self, session: Session, owner: uuid.UUID, draft: AccountDraft) -> None:
        for name in draft.settings.secret_fields():
            secret: SecretStr | None = getattr(draft.settings, name)
            if secret is not None:
                self._vault.put(session, owner, name, secret, draft.settings.endpoint())
            elif name in draft.clear_secrets:
                self._vault.remove(session, owner, name)

    def _with_stored(
        self,
        session: Session,
        owner: uuid.UUID,
        settings: ProtocolSettings,
        cleared: Collection[str],
    ) -> ProtocolSettings:
        found = {
            name: self._vault.get(session, owner, name, settings.endpoint())
            for name in settings.secret_fields()
            if getattr(settings, name) is None and name not in cleared
        }
        return settings.model_copy(update=found)


def _row(session: Session, which: uuid.UUID | str, *, lock: bool = False) -> EmailAccountRow:
    """Return an account's row; what is to be changed is locked, so that versions hold."""
    statement = select(EmailAccountRow)
    if isinstance(which, uuid.UUID):
        statement = statement.where(EmailAccountRow.id == which)
    else:
        statement = statement.where(EmailAccountRow.name_key == name_key(which.strip()))
    row = session.exec(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NotFound(f"There is no email account {which}.")
    return row


def _refuse(errors: Mapping[str, str]) -> None:
    if errors:
        raise InvalidInput(errors)


def _require_secrets(settings: ProtocolSettings) -> None:
    present = frozenset(f for f in settings.secret_fields() if getattr(settings, f) is not None)
    for field in settings.secret_errors(present):
        title = type(settings).model_fields[field].title
        raise ServiceError(
            f"No {title} is stored.", "Open the account and type it.", f"settings.{field}"
        )


def _same_endpoint(row: EmailAccountRow, settings: ProtocolSettings) -> bool:
    """Tell whether a stored secret may serve these settings: same endpoint, no less secure."""
    return may_serve(PROTOCOLS[row.protocol].settings.model_validate(row.settings), settings)


def _but_missing(settings: ProtocolSettings, errors: Mapping[str, str]) -> dict[str, str]:
    """Leave out the errors of secrets that are simply not there yet."""
    untyped = {f"settings.{f}" for f in settings.secret_fields() if getattr(settings, f) is None}
    return {
        path: words for path, words in errors.items() if path not in untyped or words == TYPE_AGAIN
    }


def may_serve(saved: ProtocolSettings, settings: ProtocolSettings) -> bool:
    """Tell whether a secret that was saved with one set of settings may be used with another."""
    return saved.endpoint() == settings.endpoint() and settings.exposure() <= saved.exposure()


def _name_errors(session: Session, row: EmailAccountRow | None, name: str) -> dict[str, str]:
    if row is not None:
        fixed = {"identity.name": "Name cannot be changed once the account is saved."}
        return {} if row.name == name else fixed
    taken = session.exec(
        select(EmailAccountRow.name).where(EmailAccountRow.name_key == name_key(name))
    ).first()
    return {"identity.name": f"There is an account {taken} already."} if taken else {}
