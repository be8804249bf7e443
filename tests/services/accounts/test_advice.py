"""What an admin is warned about, without being refused."""

from typing import Any

import pytest
from sqlmodel import select

from models.outbox import OutboxRow
from services.bootstrap import Services
from tests.accounts import waiting_message
from tests.stores import imap_raw, office365_raw, save, smtp_raw

ADVICE = [
    (imap_raw(port=587), ["port"]),
    (imap_raw(port=993, security="starttls"), ["port"]),
    (imap_raw(security="none", port=143), ["security"]),
    (imap_raw(server="outlook.office365.com"), ["server"]),
    (imap_raw(), []),
    (smtp_raw(server="smtp.office365.com", user="a", password="b"), ["server"]),
    (smtp_raw(port=993), ["port"]),
    (smtp_raw(secure=False, user="a", password="b"), ["secure"]),
    (smtp_raw(secure=False), []),
]


@pytest.mark.parametrize(("raw", "fields"), ADVICE)
def test_suspicious_set_ups_are_warned_about_not_refused(
    services: Services, raw: dict[str, Any], fields: list[str]
) -> None:
    draft = services.accounts.draft(raw)
    assert [advice.field for advice in draft.settings.advice()] == fields
    services.accounts.save(draft)


@pytest.mark.parametrize(
    ("expires", "warning"),
    [
        ("2026-03-31", ""),
        ("2026-03-30", "its secret expires in 28 days, on 2026-03-30"),
        ("2026-03-03", "its secret expires in 1 day, on 2026-03-03"),
        ("2026-03-02", "its secret expires today, on 2026-03-02"),
        ("2026-03-01", "its secret expired on 2026-03-01"),
    ],
)
def test_a_secret_that_ends_soon_is_warned_about(
    services: Services, expires: str, warning: str
) -> None:
    save(services, office365_raw(secret_expires=expires))
    [line] = services.account_list.lines()
    assert (line.warning, str(line.expires)) == (warning, expires)


def test_mail_that_was_tried_in_vain_is_told_with_its_account(services: Services) -> None:
    saved = save(services, smtp_raw())
    waiting_message(services, saved.id)
    [line] = services.account_list.lines()
    assert (line.last, line.warning) == ("1 waiting", "")
    with services.store.write() as session:
        row = session.exec(select(OutboxRow)).one()
        row.attempts, row.last_error = 1, "mail.test refuses connections on port 25."
        session.add(row)
    [line] = services.account_list.lines()
    assert line.warning == "1 waiting: mail.test refuses connections on port 25."
