"""Who somebody is that wrote, or is written to: what imports and the outbox look up by address."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col

from models.account import ContactSide
from models.codes import ContactTypeRow
from models.contacts import ContactRow, PartyRow
from services.chunks import chunks


@dataclass(frozen=True)
class KnownContact:
    """What imports and the outbox need to know of somebody."""

    id: int
    name: str
    side: ContactSide
    contact_type_id: int
    contact_type: str
    party: str
    """Code and name, for the reason in words."""


# Columns rather than rows as objects, which an import would make by the hundred.
_KNOWN = (
    columns(
        col(ContactRow.email_key),
        col(ContactRow.id),
        col(ContactRow.name),
        col(PartyRow.kind),
        col(ContactRow.contact_type_id),
        col(ContactTypeRow.code),
        col(PartyRow.code),
        col(PartyRow.name),
    )
    .join(PartyRow, col(PartyRow.id) == ContactRow.party_id)
    .join(ContactTypeRow, col(ContactTypeRow.id) == ContactRow.contact_type_id)
    .where(col(ContactRow.email_key).in_(bindparam("some", expanding=True)))
    .order_by(col(ContactRow.id))
)


def known_senders(session: Session, keys: Collection[str]) -> dict[str, list[KnownContact]]:
    """Return the contacts behind addresses in `address_key` form; unknown ones are left out."""
    found: dict[str, list[KnownContact]] = {}
    for some in chunks(keys):
        for row in session.connection().execute(_KNOWN, {"some": some}):
            key, id_, name, kind, type_id, contact_type, code, party = row
            known = KnownContact(
                id_ or 0, name, ContactSide(kind), type_id, contact_type, f"{code} {party}"
            )
            found.setdefault(key, []).append(known)
    return found
