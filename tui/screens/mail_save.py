"""Saving mail to files: messages as .eml, or an attachment; never over another file."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from models.fields import Line, Section
from services.errors import InvalidInput
from services.importing.parse import Attachment
from services.text import count, size_words
from tui.widgets.page import Page
from tui.widgets.pick import Pick
from tui.widgets.section_dialog import SectionDialog
from tui.widgets.settings_form import SettingsForm

Write = Callable[[Path], Path]
"""Writes one file into a folder and returns where."""


class SaveTo(Section):
    """Where a message is saved."""

    folder: Line = Field(title="Folder", min_length=1)
    """The file gets a name of its own there. It is never written over another one, and is yours
    alone to read."""


async def save_mails(page: Page[Any], ids: Sequence[int]) -> None:
    """Ask for a folder and save messages there, exactly as the server gave them."""
    services = await page.services()
    await _save(page, "Save as .eml", [partial(services.mail.save, mail_id) for mail_id in ids])


async def save_parts(page: Page[Any], mail_id: int, attachments: Sequence[Attachment]) -> None:
    """Ask what of a message to save, where it has attachments, then where."""
    if not attachments:
        await save_mails(page, [mail_id])
        return
    services, numbers = await page.services(), range(1, len(attachments) + 1)
    files = [(str(n), f"{n} {_words(one)}") for n, one in zip(numbers, attachments, strict=True)]
    every = [("all", "all attachments")] if len(files) > 1 else []
    options = [("", "the message as .eml"), *files, *every]
    chosen = await page.dialog(Pick("Save", options, ""))
    if chosen == "":
        await save_mails(page, [mail_id])
    elif chosen is not None:
        wanted = numbers if chosen == "all" else [int(chosen)]
        title = "Save attachment" if len(wanted) == 1 else "Save attachments"
        save = services.mail.save_attachment
        await _save(page, title, [partial(save, mail_id, number) for number in wanted])


async def _save(page: Page[Any], title: str, writes: Sequence[Write]) -> None:
    """Ask until there is such a folder, then write; what was written stays."""
    folder, said = _here(), dict[str, str]()
    while True:
        form = SettingsForm(SaveTo)
        form.load({"folder": folder})
        form.show_errors(said)
        found = await page.dialog(SectionDialog(title, form))
        if found is None:
            return
        folder = str(found["folder"])
        try:
            paths = await page.ask(partial(_written, _expanded(folder), writes))
        except InvalidInput as error:
            said = error.errors
        else:
            page.say("done", _said(paths))
            return


def _written(folder: Path, writes: Sequence[Write]) -> list[Path]:
    return [write(folder) for write in writes]


def _said(paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return f"Saved as {paths[0]}."
    return f"{count(len(paths), 'file')} saved in {paths[0].parent}."


def _here() -> str:
    with suppress(FileNotFoundError):  # the folder in which we were started is gone
        return str(Path.cwd())
    return str(Path.home())


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise InvalidInput({"folder": "There is no such user."}) from None


def _words(one: Attachment) -> str:
    return f"{one.name} ({size_words(one.size)})"
