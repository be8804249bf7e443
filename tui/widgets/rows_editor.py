"""The editor of a list of sections, such as forward addresses or contacts, in a box of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from models.fields import Section
from tui.widgets.boxes import BoxEditor
from tui.widgets.field_spec import FieldSpec, specs
from tui.widgets.glyphs import glyphs
from tui.widgets.lines import LineView, Part, column


class RowLines(LineView):
    """The lines of a list of sections."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,insert", "insert", "Insert"),
        Binding("enter", "edit", "Edit"),
        Binding("d,delete", "delete", "Delete"),
    ]

    def __init__(self, box: "RowsEditor") -> None:
        """Take the editor whose entries these are."""
        super().__init__()
        self.box = box

    def count(self) -> int:
        """Return how many entries there are."""
        return len(self.box.rows)

    def draw(self, index: int, width: int) -> Sequence[Part]:
        """Draw an entry's fields side by side, and whether it is saved."""
        row = self.box.rows[index]
        mark = f"{glyphs().cursor} " if index == self.cursor else "  "
        parts: list[Part] = [(mark, "")]
        rooms = shares([list(entry.values()) for entry in self.box.rows], width - 16)
        parts += [
            (column(value or "", room), "") for value, room in zip(row.values(), rooms, strict=True)
        ]
        if row not in self.box.saved:
            parts.append(("not saved yet", "warn"))
        return parts

    def draw_empty(self) -> str:
        """Say how to enter one."""
        return "None: press n to insert."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to edit and delete only what is there."""
        return bool(self.box.rows) if action == "delete" else True

    def action_insert(self) -> None:
        """Enter one."""
        self.box.post_message(RowsEditor.Wanted(self.box, None))

    def action_edit(self) -> None:
        """Edit the chosen one; where there is none Enter walks on."""
        if self.box.rows:
            self.box.post_message(RowsEditor.Wanted(self.box, self.cursor))
        else:
            self.screen.focus_next()

    def action_open(self) -> None:
        """Edit by mouse."""
        self.action_edit()

    def action_delete(self) -> None:
        """Take the chosen one off the list; nothing is lost before Save."""
        if self.box.rows:
            self.box.put(self.cursor, None)


class RowsEditor(BoxEditor):
    """A list of sections; the page opens the modal when `Wanted` is posted, and calls `put`."""

    class Wanted(Message):
        """The admin wants to enter an entry (`index` None) or to edit one."""

        def __init__(self, editor: "RowsEditor", index: int | None) -> None:
            """Take the editor and which entry."""
            super().__init__()
            self.editor, self.index = editor, index

    def __init__(self, spec: FieldSpec, section: type[Section]) -> None:
        """Take what one entry is."""
        super().__init__(spec)
        self.section = section
        self.rows: list[dict[str, Any]] = []
        self.saved: list[dict[str, Any]] = []
        """The entries as they are stored, to tell which are not yet."""
        self.lines = RowLines(self)

    def compose(self) -> ComposeResult:
        """Put the heading above the box."""
        yield self.heading
        yield self.lines

    @property
    def target(self) -> Widget:
        """The lines."""
        return self.lines

    @property
    def value(self) -> tuple[dict[str, Any], ...]:
        """The entries' raw values."""
        return tuple(self.rows)

    @value.setter
    def value(self, value: Any) -> None:
        self.rows = [self._raw(entry) for entry in value or ()]
        if self.lines.is_attached:
            self.lines.renew()

    def _raw(self, entry: Section | Mapping[str, Any]) -> dict[str, Any]:
        values = entry.model_dump() if isinstance(entry, Section) else dict(entry)
        return {name: values.get(name) for name in specs(self.section)}

    def put(self, index: int | None, entry: Section | Mapping[str, Any] | None) -> None:
        """Add an entry, replace one, or with None take one off, as the admin does."""
        rows = list(self.rows)
        if index is None and entry is not None:
            rows.append(self._raw(entry))
        elif index is not None:
            rows[index : index + 1] = [self._raw(entry)] if entry is not None else []
        self.rows = rows
        self.lines.renew()
        if index is None:
            self.lines.cursor = len(rows) - 1
        self.tell()


def shares(rows: Sequence[Sequence[Any]], width: int, least: int = 16) -> list[int]:
    """Share a line out among columns by their longest values; the widest gives way first."""
    rooms = [
        max(least, *(len(str(value or "")) for value in values))
        for values in zip(*rows, strict=True)
    ]
    while sum(rooms) + len(rooms) > width and max(rooms) > 8:
        rooms[rooms.index(max(rooms))] -= 1
    return rooms
