"""Keeping what was typed when the line drops: quickly or not at all, and never a secret."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from services.changes.drafts import Draft
from services.errors import ServiceError
from tui.door import Door
from tui.faults import write_fault
from tui.widgets.kept_form import KeptForm
from tui.widgets.section_dialog import SectionDialog

if TYPE_CHECKING:
    from tui.app import Console

SECONDS = 1.0
"""How long the store has to take it: one that is away must not hold the hang-up."""


async def keep_typed(console: "Console", *, saving: bool) -> None:
    """Keep what stands unsaved in every form; what a modal over it holds is put into it first.

    `saving` chooses the forms with a save under way, to be looked at once it has come to its end.
    """
    try:
        if saving:
            await asyncio.sleep(0.05)  # for what is saved leaves its form a moment later
        _put_modals(console.screen_stack)
        drafts = _drafts(console.screen_stack, saving)
        if drafts:
            await asyncio.wait_for(_keep(console, drafts), SECONDS)
    except (TimeoutError, ServiceError):
        pass  # nobody is left to be told, and nothing can be kept
    except Exception as error:  # noqa: BLE001 - the last door of a hang-up
        write_fault(error)


async def _keep(console: "Console", drafts: Sequence[Draft]) -> None:
    services = await console.ready()
    # Through a door of its own: what the store holds up here nobody waits for again.
    await Door()(lambda: services.drafts.keep(drafts))


def _put_modals(screens: Sequence[Screen[Any]]) -> None:
    for screen in reversed(screens):
        if isinstance(screen, SectionDialog) and screen.keep and screen.form.dirty:
            screen.keep(screen.form.raw())
            screen.form.settle()


def _drafts(screens: Sequence[Screen[Any]], saving: bool) -> list[Draft]:
    forms = [screen for screen in screens if isinstance(screen, KeptForm)]
    found = [form.draft() for form in forms if form.saving == saving]
    return [draft for draft in found if draft is not None]
