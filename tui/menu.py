"""The menu as data: a new screen is one line here.

Screens are named as "module:Class" and imported when they are opened, so that the start costs
nothing of them. An entry without a screen is a heading; one with entries and a screen is a menu.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

MENU_PAGE = "tui.screens.menu:MenuPage"


@dataclass(frozen=True)
class Entry:
    """One line of the menu."""

    title: str
    screen: str = ""
    """Where the screen's class is; "" for a heading."""
    argument: str = ""
    """What the screen is for, such as a code table's key."""
    entries: tuple["Entry", ...] = ()


MENU = Entry(
    "Home",
    "tui.screens.home:Home",
    entries=(
        Entry(
            "System",
            entries=(
                Entry(
                    "Code Setup",
                    MENU_PAGE,
                    entries=(
                        Entry(
                            "System",
                            entries=(
                                Entry("Email Account", "tui.screens.email_account_list:Accounts"),
                                Entry("Queue Destination", "tui.screens.code_table:Codes", "queue"),
                            ),
                        ),
                        Entry(
                            "Messaging",
                            entries=(
                                Entry(
                                    "Contact Types", "tui.screens.code_table:Codes", "contact-type"
                                ),
                            ),
                        ),
                    ),
                ),
                Entry("Scheduled Tasks", "tui.screens.schedules:Schedules"),
                Entry(
                    "Security Setup",
                    MENU_PAGE,
                    entries=(Entry("Users", "tui.screens.code_table:Codes", "user"),),
                ),
            ),
        ),
        Entry(
            "Messages",
            entries=(
                Entry("Email Management", "tui.screens.email_management:EmailManagement"),
                Entry("My Queue", "tui.screens.my_queue:MyQueue"),
                Entry("Outbox", "tui.screens.outbox:Outbox"),
            ),
        ),
        Entry(
            "Contacts",
            entries=(
                Entry("Agents", "tui.screens.contacts:Parties", "agent"),
                Entry("Suppliers", "tui.screens.contacts:Parties", "supplier"),
            ),
        ),
    ),
)


@dataclass(frozen=True)
class Place:
    """An entry and the titles of the entries above it, itself last."""

    path: tuple[str, ...]
    entry: Entry

    def about(self, argument: str) -> "Place":
        """Return the same place for something in particular."""
        return Place(self.path, replace(self.entry, argument=argument))

    def page(self) -> Any:
        """Return a new screen for the entry; its module is imported now."""
        module, _, name = self.entry.screen.partition(":")
        made: Any = getattr(import_module(module), name)(self.path, self.entry.argument)
        return made


def places(entry: Entry = MENU, above: tuple[str, ...] = ()) -> Iterator[Place]:
    """Return every entry with its path, in the menu's order."""
    path = (*above, entry.title)
    yield Place(path, entry)
    for below in entry.entries:
        yield from places(below, path)


def place(path: tuple[str, ...]) -> Place:
    """Return the entry of a path. Raises KeyError."""
    for found in places():
        if found.path == path:
            return found
    raise KeyError(path)
