"""An account's row and children, and the detached value that faces see: both ways in one place."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, delete, select, update

from models.account import (
    Account,
    AccountContactTypeRow,
    AccountDraft,
    AccountIdentity,
    ConnectionLimit,
    ContactSide,
    EmailAccountRow,
    EmailSettings,
    ForwardAddress,
    ForwardAddressRow,
    ImportSettings,
    ProtocolSettings,
)
from models.codes import ContactTypeRow, QueueDestinationRow
from models.fields import address_key, name_key
from models.mail import LedgerRow, MailboxMarkRow
from services.codes import row_id
from services.errors import InvalidInput, NotFound, ServiceError
from services.protocols import protocol
from services.protocols.base import MailProtocol
from services.secrets.vault import Vault


def load(session: Session, vault: Vault, row: EmailAccountRow) -> Account:
    """Return a row as a detached account, without its secrets.

    Raises ServiceError where what is stored is against a rule that came later.
    """
    with _told(row):
        return _detached(session, vault, row)


def settings_of(row: EmailAccountRow) -> ProtocolSettings:
    """Return a row's settings, without secrets. Raises ServiceError as `load`."""
    with _told(row):
        return protocol(row.protocol).settings.model_validate(row.settings)


@contextmanager
def _told(row: EmailAccountRow) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        fields = ", ".join(str(detail["loc"][0]) for detail in error.errors())
        raise ServiceError(
            f"The stored account {row.name!r} has values that are no longer allowed: {fields}.",
            "Delete it and add it anew, or go back to the tourmail that saved it.",
        ) from None


def _detached(session: Session, vault: Vault, row: EmailAccountRow) -> Account:
    chosen = protocol(row.protocol)
    return Account(
        id=row.id,
        version=row.version,
        protocol=row.protocol,
        identity=AccountIdentity(
            name=row.name, description=row.description, is_system=row.is_system
        ),
        settings=settings_of(row),
        email=_email(chosen, row),
        limit=ConnectionLimit(limit_to=row.connection_limit),
        importing=_importing(session, row) if chosen.importer else None,
        stored_secrets=vault.kinds(session, row.id),
        import_started=session.get(MailboxMarkRow, row.id) is not None,
        import_from=row.import_from,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _email(chosen: MailProtocol, row: EmailAccountRow) -> EmailSettings | None:
    if chosen.sender is None:
        return None
    return EmailSettings(
        default_email=row.default_email or "",
        send_from_match=row.send_from_match,
        allow_cc=row.allow_cc,
        allow_bcc=row.allow_bcc,
        allow_docx=row.allow_docx,
    )


def _importing(session: Session, row: EmailAccountRow) -> ImportSettings:
    queue = row.error_queue_id and session.get(QueueDestinationRow, row.error_queue_id)
    forward = session.exec(
        select(ForwardAddressRow)
        .where(ForwardAddressRow.account_id == row.id)
        .order_by(col(ForwardAddressRow.position))
    )
    return ImportSettings(
        enabled=row.import_enabled,
        start=row.import_start,
        error_queue=queue.name if queue else None,
        agent_types=_ticked(session, row.id, ContactSide.AGENT),
        supplier_types=_ticked(session, row.id, ContactSide.SUPPLIER),
        forward=tuple(ForwardAddress(email=f.email, name=f.name) for f in forward),
    )


def _ticked(session: Session, account_id: uuid.UUID, side: ContactSide) -> tuple[str, ...]:
    statement = (
        select(ContactTypeRow.code)
        .join(
            AccountContactTypeRow,
            col(AccountContactTypeRow.contact_type_id) == ContactTypeRow.id,
        )
        .where(AccountContactTypeRow.account_id == account_id, AccountContactTypeRow.side == side)
        .order_by(col(ContactTypeRow.key))
    )
    return tuple(session.exec(statement))


def new(now: datetime) -> EmailAccountRow:
    """Return the row of a new account, which `fill` and `fill_import` complete."""
    return EmailAccountRow(
        name="",
        name_key="",
        protocol="",
        settings={},
        mailbox="",
        import_start="",
        created_at=now,
        updated_at=now,
        updated_by="",
        version=0,
    )


def fill(row: EmailAccountRow, draft: AccountDraft) -> None:
    """Write a draft's own columns to a row; children and secrets have functions of their own."""
    row.name, row.name_key = draft.identity.name, name_key(draft.identity.name)
    row.description, row.is_system = draft.identity.description, draft.identity.is_system
    row.protocol, row.mailbox = draft.protocol, draft.settings.mailbox()
    secrets = set(draft.settings.secret_fields())
    row.settings = draft.settings.model_dump(mode="json", exclude=secrets)
    row.connection_limit = draft.limit.limit_to
    email: dict[str, Any] = draft.email.model_dump() if draft.email else {"default_email": None}
    for name, value in email.items():
        setattr(row, name, value)


def stamp(row: EmailAccountRow, who: str, now: datetime) -> None:
    """Make what a row holds a new version, and say whose it is."""
    row.updated_at, row.updated_by, row.version = now, who, row.version + 1


def fill_import(
    row: EmailAccountRow, wanted: ImportSettings, now: datetime, *, started: bool
) -> None:
    """Write the import columns.

    "Now" is the moment of the Save that begins to import from now; once an import has `started`,
    only another Import From moves it.
    """
    start = str(wanted.start)
    begins = wanted.enabled and not row.import_enabled and not started
    if start != row.import_start or begins:
        row.import_from = _moment(wanted.start, now)
    row.import_start, row.import_enabled = start, wanted.enabled


def _moment(start: str | date, now: datetime) -> datetime | None:
    """Return from when on mail is wanted; a date begins at midnight of this host's zone."""
    if isinstance(start, date):
        return datetime.combine(start, time()).astimezone().astimezone(UTC)
    return now if start == "now" else None


def forget_old_mark(
    session: Session, row: EmailAccountRow, draft: AccountDraft, importing: ImportSettings
) -> bool:
    """Return whether no import has started, or has to look at everything again from now on.

    Another mailbox or start makes the mark worthless; the ledger recognises what is here already.
    """
    moved = row.mailbox != draft.settings.mailbox() or row.protocol != draft.protocol
    if moved:
        _retire_items(session, row)
    mark = session.get(MailboxMarkRow, row.id)
    if mark is not None and (moved or row.import_start != str(importing.start)):
        session.delete(mark)
        mark = None
    return mark is None


def _retire_items(session: Session, row: EmailAccountRow) -> None:
    """Have no item of the old mailbox taken for one of the new: UIDVALIDITY may be the same."""
    session.execute(
        update(LedgerRow)
        .where(col(LedgerRow.account_id) == row.id, ~col(LedgerRow.scope).startswith("before "))
        .values(scope=f"before {row.version}: " + col(LedgerRow.scope))
    )


def replace_children(session: Session, row: EmailAccountRow, wanted: ImportSettings) -> None:
    """Save queue, ticked types and forward addresses.

    Raises InvalidInput where one of the codes does not exist.
    """
    row.error_queue_id = _referred(session, "queue", wanted.error_queue, "error_queue")
    session.exec(
        delete(AccountContactTypeRow).where(col(AccountContactTypeRow.account_id) == row.id)
    )
    session.exec(delete(ForwardAddressRow).where(col(ForwardAddressRow.account_id) == row.id))
    session.add_all(_types(session, row.id, ContactSide.AGENT, wanted.agent_types))
    session.add_all(_types(session, row.id, ContactSide.SUPPLIER, wanted.supplier_types))
    session.add_all(
        ForwardAddressRow(
            account_id=row.id,
            position=place,
            email=entry.email,
            email_key=address_key(entry.email),
            name=entry.name,
        )
        for place, entry in enumerate(wanted.forward)
    )


def _types(
    session: Session, account_id: uuid.UUID, side: ContactSide, codes: Iterable[str]
) -> list[AccountContactTypeRow]:
    ids = {_referred(session, "contact-type", code, f"{side}_types") for code in codes}
    return [
        AccountContactTypeRow(account_id=account_id, side=side, contact_type_id=id_)
        for id_ in ids
        if id_ is not None
    ]


def _referred(session: Session, table: str, key: str | None, field: str) -> int | None:
    try:
        return None if key is None else row_id(session, table, key)
    except NotFound as error:
        raise InvalidInput({f"importing.{field}": error.message}) from error
