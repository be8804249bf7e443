"""The editor of a secret and its repeat."""

from typing import Any

from pydantic import SecretStr
from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from tui.widgets.chrome import Notice
from tui.widgets.editors import Editor
from tui.widgets.field_spec import FieldSpec
from tui.widgets.inputs import SecretInput
from tui.widgets.labels import Label

NARROW = 74
"""Cells below which a secret and its repeat take two lines."""


class SecretEditor(Editor):
    """A secret and its repeat on one line; blank keeps a stored one, ^X asks to remove it.

    Where the terminal has no room for both, the repeat stands below.
    """

    DEFAULT_CSS = """
    SecretEditor > #repeat-label { width: auto; padding: 0 0 0 2; }
    SecretEditor > #first { width: 23; }
    SecretEditor > #repeat { width: 1fr; max-width: 18; }
    SecretEditor.-narrow {
        layout: grid; grid-size: 2 2; grid-columns: 23 1fr; height: 2;
        & > #repeat-label { width: 23; padding: 0; }
        & > #repeat { max-width: 23; }
    }
    """

    def __init__(self, spec: FieldSpec) -> None:
        """Make both inputs."""
        super().__init__(spec)
        self.first = SecretInput(password=True, id="first")
        self.second = SecretInput(password=True, id="repeat")
        self.repeat_label = Label(f"{spec.title} Repeat", False)
        self.repeat_label.id = "repeat-label"
        self.cleared = False
        """Whether the stored secret is to be removed on Save."""
        self._stored = False

    def compose(self) -> ComposeResult:
        """Put the repeat on the same line."""
        yield self.label
        yield self.first
        yield self.repeat_label
        yield self.second

    def on_resize(self) -> None:
        """Put the repeat where there is room for it."""
        narrow = self.size.width < NARROW
        self.repeat_label.styles.width = 23 if narrow else len(self.repeat_label.title) + 4
        self.set_class(narrow, "-narrow")

    @property
    def target(self) -> Widget:
        """The secret, or its repeat where only that is wrong."""
        return self.second if self.error and self.error == self.repeat_error() else self.first

    @property
    def value(self) -> SecretStr:
        """What was typed."""
        return SecretStr(self.first.value)

    @value.setter
    def value(self, value: Any) -> None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else ""
        self.first.value = self.second.value = text

    @property
    def repeat(self) -> SecretStr:
        """What was typed as the repeat."""
        return SecretStr(self.second.value)

    @repeat.setter
    def repeat(self, value: SecretStr) -> None:
        self.second.value = value.get_secret_value()

    @property
    def state(self) -> tuple[SecretStr, bool]:
        """What was typed, and whether the stored secret is to be removed."""
        return self.value, self.cleared

    @state.setter
    def state(self, state: tuple[SecretStr, bool]) -> None:
        secret, cleared = state
        self.value = secret
        self.cleared = cleared and self._stored
        self._say_stored()

    @property
    def stored(self) -> bool:
        """Whether a secret is stored that a blank field keeps."""
        return self._stored

    @stored.setter
    def stored(self, stored: bool) -> None:
        self._stored, self.cleared = stored, False
        self._say_stored()

    def _say_stored(self) -> None:
        words = ("will be removed", "on Save") if self.cleared else ("stored; blank", "keeps it")
        self.first.placeholder, self.second.placeholder = words if self._stored else ("", "")
        self.first.stored = self.second.stored = self._stored
        self.refresh_bindings()

    def repeat_error(self) -> str:
        """Return what is wrong with the repeat, "" where it equals."""
        if self.first.value == self.second.value:
            return ""
        return f"{self.spec.title} Repeat differs from {self.spec.title}."

    @property
    def notice(self) -> Notice:
        """Say how to remove a stored secret, too."""
        if self.error or self.warning or not self._stored:
            return super().notice
        words = "Will be removed on Save; ^X keeps it." if self.cleared else self._keep_words()
        return Notice("help", words)

    def _keep_words(self) -> str:
        return f"A {self.spec.title} is stored: blank keeps it, ^X removes it on Save."

    @on(SecretInput.RemovalAsked)
    def _removal_asked(self) -> None:
        self.cleared = not self.cleared
        self.first.value = self.second.value = ""
        self._say_stored()
        self.tell()
