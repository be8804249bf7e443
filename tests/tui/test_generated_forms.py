"""Forms are made from their models: every section gets one, an unknown type raises."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import Field
from textual.app import App

from models.account import (
    AccountIdentity,
    ConnectionLimit,
    EmailSettings,
    ForwardAddress,
    ImportSettings,
)
from models.codes import CODE_TABLES
from models.contacts import ContactForm, PartyForm
from models.fields import Absent, Secret, Section, Unit, Words
from services.forms import errors_of
from services.protocols import PROTOCOLS
from tui.widgets.field_spec import specs
from tui.widgets.kinds import editor_for
from tui.widgets.settings_form import SettingsForm, no_choices


@pytest.fixture(autouse=True)
async def _app() -> AsyncIterator[None]:
    """Widgets can be made and filled only where an app runs."""
    async with App[None]().run_test():
        yield


SECTIONS = [
    *(p.settings for p in PROTOCOLS.values()),
    *(t.form for t in CODE_TABLES.values()),
    AccountIdentity, ConnectionLimit, EmailSettings, ForwardAddress, ImportSettings,
    ContactForm, PartyForm,
]  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
async def test_every_section_gets_a_form_whose_defaults_are_the_models(
    section: type[Section],
) -> None:
    form = SettingsForm(section)
    assert list(form.raw()) == list(section.model_fields)
    wrong = errors_of(section, form.raw())
    required = {name for name, info in section.model_fields.items() if info.is_required()}
    assert set(wrong) == required, "what has a default is right as it stands"
    for spec in specs(section).values():
        assert spec.title
        assert spec.help, f"{spec.name} has no help"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
async def test_at_most_eight_kinds_of_editor_are_used(section: type[Section]) -> None:
    kinds = {type(editor_for(s, no_choices)) for s in specs(section).values()}
    assert {kind.__name__ for kind in kinds} <= {
        "TextEditor", "NumberEditor", "SecretEditor", "TickEditor", "ChoiceEditor", "RadioEditor",
        "TickListEditor", "RowsEditor",
    }  # fmt: skip


class Strange(Section):
    """Strange"""

    price: Decimal = Decimal(1)
    """A type that no editor edits."""


async def test_an_unknown_type_raises() -> None:
    with pytest.raises(TypeError, match="no editor for price"):
        SettingsForm(Strange)


class Sample(Section):
    """A fourth protocol's settings, say."""

    name: str = Field(title="Name", min_length=1)
    """Names it."""

    security: Annotated[Literal["a", "b"], Words({"a": "First", "b": "Second"})] = "b"
    """One of two."""

    minutes: Annotated[int, Unit("minutes")] = Field(3, ge=1, le=60)
    """How long."""

    limit: Annotated[int | None, Absent("None", "At most")] = None
    """How many."""

    token: Secret = None
    """A secret."""


async def test_a_new_section_needs_no_code_of_the_console() -> None:
    form = SettingsForm(Sample, "settings")
    form.load({"name": "x", "limit": 5}, stored=frozenset({"token"}))
    raw = form.raw()
    assert (raw["name"], raw["security"], raw["minutes"], raw["limit"]) == ("x", "b", "3", "5")
    assert Sample.model_validate(raw) == Sample(name="x", limit=5)
    assert form.editors["minutes"].spec.unit == "minutes"
    assert not form.dirty
    form.put({"minutes": 9})
    assert form.dirty
    assert form.changed == {"minutes": "9"}


async def test_saved_values_come_back_as_they_were() -> None:
    settings = ImportSettings.model_validate(
        {"enabled": True, "start": "2026-01-31", "error_queue": "Q", "agent_types": ("RS",),
         "forward": ({"email": "a@example.com", "name": "A"},)}
    )  # fmt: skip
    form = SettingsForm(ImportSettings)
    form.load(settings)
    assert ImportSettings.model_validate(form.raw()) == settings
