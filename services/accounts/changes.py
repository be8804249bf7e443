"""What a save changed of an email account, for the history; of secrets only that they changed."""

from collections.abc import Iterator

from models.account import (
    Account,
    AccountDraft,
    AccountIdentity,
    ConnectionLimit,
    EmailSettings,
    ImportSettings,
    secret_fields,
)
from models.fields import Section
from services.changes.differences import NONE, FieldChange, differences
from services.protocols import PROTOCOLS

KIND = "account"
"""What the history calls an email account."""
CHANGED, CLEARED = "changed", "cleared"
"""All that is ever told of a secret."""


def account_changes(
    before: Account | None, after: Account | None, draft: AccountDraft | None = None
) -> list[FieldChange]:
    """Return what differs between two states of an account, None where there is none.

    The draft that was saved tells which secrets were typed.
    """
    sections: tuple[tuple[str, type[Section]], ...] = (
        ("identity", AccountIdentity),
        ("email", EmailSettings),
        ("limit", ConnectionLimit),
        ("importing", ImportSettings),
    )
    identity, *others = (
        differences(section, getattr(before, key, None), getattr(after, key, None), f"{key}.")
        for key, section in sections
    )
    settings = [*_settings(before, after), *_secrets(before, after, draft)]
    return [
        *_protocol(before, after),
        *identity,
        *settings,
        *(c for found in others for c in found),
    ]


def _protocol(before: Account | None, after: Account | None) -> Iterator[FieldChange]:
    old, new = (PROTOCOLS[one.protocol].title if one else "" for one in (before, after))
    if old != new:
        yield FieldChange("protocol", "Protocol", old, new)


def _settings(before: Account | None, after: Account | None) -> list[FieldChange]:
    old = before.settings if before else None
    new = after.settings if after else None
    if old is None or new is None or type(old) is type(new):
        shown = new or old
        return differences(type(shown), old, new, "settings.") if shown else []
    # Another protocol: a field that both have is told as one that changed.
    gone = {c.field: c for c in differences(type(old), old, None, "settings.")}
    come = {c.field: c for c in differences(type(new), None, new, "settings.")}
    both = (_joined(gone.get(path), come.get(path)) for path in dict.fromkeys([*come, *gone]))
    return [change for change in both if change.old != change.new]


def _joined(old: FieldChange | None, new: FieldChange | None) -> FieldChange:
    named = new or old
    assert named is not None
    return FieldChange(named.field, named.title, old.old if old else NONE, new.new if new else NONE)


def _secrets(
    before: Account | None, after: Account | None, draft: AccountDraft | None
) -> Iterator[FieldChange]:
    stored = before.stored_secrets if before else frozenset()
    kept = after.stored_secrets if after else frozenset()
    typed = (
        {n for n in draft.settings.secret_fields() if getattr(draft.settings, n)} if draft else ()
    )
    sections = dict.fromkeys(type(one.settings) for one in (after, before) if one)
    titles = {n: s.model_fields[n].title or n for s in sections for n in secret_fields(s)}
    for name, title in titles.items():
        if name in typed:
            yield FieldChange(f"settings.{name}", title, "", CHANGED)
        elif name in stored - kept:
            yield FieldChange(f"settings.{name}", title, "", CLEARED)
