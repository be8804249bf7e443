"""What every editor is to a form, whether it is a line or a box."""

from typing import Any

from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.chrome import Notice
from tui.widgets.field_spec import FieldSpec


class FieldEditor(Widget):
    """One field of a form: its value, and what is said of it."""

    error: reactive[str] = reactive("")
    warning: reactive[str] = reactive("")

    class Changed(Message):
        """The admin changed the value."""

        def __init__(self, editor: "FieldEditor") -> None:
            """Take the editor that changed."""
            super().__init__()
            self.editor = editor

    def __init__(self, spec: FieldSpec) -> None:
        """Take the field that is edited."""
        super().__init__()
        self.spec = spec

    @property
    def value(self) -> Any:
        """The raw value, as `services.forms.check` takes it."""
        raise NotImplementedError

    @value.setter
    def value(self, value: Any) -> None:
        raise NotImplementedError

    @property
    def target(self) -> Widget:
        """The control that takes the focus."""
        raise NotImplementedError

    @property
    def notice(self) -> Notice:
        """What the message line says while the focus is here."""
        if self.error:
            return Notice("error", self.error)
        return Notice("warning", self.warning) if self.warning else Notice("help", self.spec.help)

    def remark_on(self, text: str) -> None:
        """Say something beside the field, as long as nothing is wrong."""
        raise NotImplementedError

    def tell(self) -> None:
        """Tell the form that the admin changed the value."""
        self.post_message(self.Changed(self))
