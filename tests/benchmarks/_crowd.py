"""A store with as many messages and contacts as one likes, made in SQL within a few minutes.

A hundredth of the mail is in error, a third comes from contacts of one type, two in a thousand from
another's; in a store of a hundred these two are a quarter each. Every text has a few words of a
hundred, one of a thousand and one of its own.
"""

from pathlib import Path

from sqlalchemy import text
from sqlmodel import select

from models.account import EmailAccountRow
from services.bootstrap import Services
from services.store.folding import ID_BITS
from tests.stores import add_codes, imap_raw, save, services_in

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
_MINUTE = "strftime('%Y-%m-%d %H:%M:%f', 1600000000 + i * 60, 'unixepoch') || '000'"

_PARTIES = f"""
INSERT INTO party (id, kind, code, name, version)
{_NUMBERS} SELECT i, 'supplier', printf('%06X', i), 'Lodge ' || i, 1 FROM n
"""
_CONTACTS = f"""
INSERT INTO contact (id, party_id, name, email, email_key, contact_type_id)
{_NUMBERS} SELECT i, i, 'Guide ' || i, 'guide' || i || '@lodge.test', 'guide' || i || '@lodge.test',
    CASE WHEN i % :rare = 1 THEN 2 ELSE 1 END FROM n
"""
_MAILS = f"""
INSERT INTO mail (id, account_id, account_name, outcome, reason, why, received_at, from_name,
    from_address, from_key, recipients, subject, message_id, booking, contact_id,
    contact_type_id, queue_id, automatic, unverified, size, attachments, forwarded_at, dismissed_at,
    created_at)
{_NUMBERS} SELECT i, CASE WHEN i % 4 < 3 THEN :desk ELSE :sales END,
    CASE WHEN i % 4 < 3 THEN 'DESK' ELSE 'SALES' END,
    CASE WHEN i % :scarce = 0 THEN 'error' WHEN i % 2 = 0 THEN 'imported' ELSE 'skipped' END,
    CASE WHEN i % :scarce = 0 THEN 'unknown-sender' WHEN i % 2 = 0 THEN 'reply'
        ELSE 'automatic' END,
    'Because.', {_MINUTE}, 'Guide ' || i, 'guide' || i || '@lodge.test',
    'guide' || (i % 1000) || '@lodge.test', 'desk@operator.test',
    'Re: Request ' || i, '<' || i || '@lodge.test>', NULL,
    CASE WHEN i % 3 = 0 OR i % :rare = 1 THEN i END,
    CASE WHEN i % :rare = 1 THEN 2 WHEN i % 3 = 0 THEN 1 END, CASE WHEN i % :scarce = 0 THEN 1 END,
    0, 0, 1000, 0, NULL, NULL, {_MINUTE} FROM n
"""
_TEXTS = f"""
INSERT INTO mail_text (place, mail_id, text)
{_NUMBERS} SELECT ((1600000000 + i * 60) << {ID_BITS}) | i, i,
    're request ' || i || ' guide' || i || ' lodge test desk operator test rooms twin' ||
    (i % 100) || ' safari' || (i * 7919 % 1000) || ' dear anna thank you for your request'
    FROM n
"""
_PARTY_TEXTS = f"""
INSERT INTO party_text (party_id, text)
{_NUMBERS} SELECT i, printf('%06x', i) || ' lodge ' || i || ' guide ' || i || ' guide' || i ||
    ' lodge test' FROM n
"""
_OUTBOX_TEXTS = f"""
INSERT INTO outbox_text (outbox_id, text)
{_NUMBERS} SELECT i, 'request ' || i || ' ' || i || ' operator test send guide' || i ||
    ' lodge test' FROM n
"""
_OUTBOX = f"""
INSERT INTO outbox (id, account_name, message_id, token, envelope_from, header_from, subject, state,
    attempts, last_error, claim, holder, created_at, created_by, give_up_at)
{_NUMBERS} SELECT i, 'SEND', '<' || i || '@operator.test>', 't' || i, 'office@operator.test',
    'office@operator.test', 'Request ' || i,
    CASE WHEN i % :scarce = 0 THEN 'failed' ELSE 'sent' END, 1, '', 0, '', {_MINUTE}, 'anna',
    {_MINUTE} FROM n
"""
_RECIPIENTS = f"""
INSERT INTO outbox_recipient (outbox_id, address, address_key, kind, state, reply)
{_NUMBERS} SELECT i, 'guide' || i || '@lodge.test', 'guide' || i || '@lodge.test', 'to', 'sent', ''
    FROM n
"""


_STATEMENTS = (
    *(_PARTIES, _CONTACTS, _PARTY_TEXTS),
    *(_MAILS, _TEXTS),
    *(_OUTBOX, _RECIPIENTS, _OUTBOX_TEXTS),
)


def crowd(folder: Path, rows: int) -> Services:
    """Make a store with so many messages in and out, and as many suppliers with a contact each."""
    folder.mkdir()
    services = services_in(folder)
    add_codes(services)
    for name in ("DESK", "SALES"):
        save(services, imap_raw(name))
    with services.store.write() as session:
        ids = session.exec(select(EmailAccountRow.id).order_by(EmailAccountRow.name_key)).all()
        values = {
            "rows": rows,
            "desk": ids[0].hex,
            "sales": ids[1].hex,
            "scarce": 4 if rows < 1_000 else 100,
            "rare": 4 if rows < 1_000 else 500,
        }
        for statement in _STATEMENTS:
            session.connection().execute(text(statement), values)
    return services
