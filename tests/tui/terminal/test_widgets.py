"""What is sent shows what Textual's own bytes would show: over real widgets and random keys."""

from typing import ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.drivers.headless_driver import HeadlessDriver
from textual.screen import ModalScreen
from textual.widgets import (
    Checkbox,
    Footer,
    Input,
    Label,
    OptionList,
    Select,
    Static,
    TabbedContent,
    TabPane,
    TextArea,
)

from tests.tui.terminal.emulator import Emulator
from tui.terminal.frames import Frames

SIZE = (46, 14)
WORDS = ["a", "Zürich", "東京 ", "e\u0301té", "─", " ", "Safari Lodge", "[x]"]
KEYS = ["tab", "shift+tab", "down", "up", "enter", "space", "left", "pagedown", "home", "end",
        "backspace", "x", "z", "ctrl+b", "escape", "ctrl+l"]  # fmt: skip


class Recorder(HeadlessDriver):
    """Keeps what Textual writes."""

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self._app.written.append(data)


class Modal(ModalScreen[None]):
    CSS = "Modal { align: center middle; } Input { width: 21; } Static { width: 20; height: 3; }"
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        yield Input("東")
        yield Static("over all 京")


class Sample(App[None]):
    """A screen with what forms and lists are made of, and random texts in it."""

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+b", "push", "Box"), ("ctrl+l", "bell")]
    CSS = "OptionList { height: 5; } TextArea { height: 4; } Select { width: 20; }"

    def __init__(self, texts: list[str], colours: ColorSystem) -> None:
        self.written: list[str] = []
        self.texts = texts
        super().__init__(driver_class=Recorder)
        self.console._color_system = colours

    def compose(self) -> ComposeResult:
        with TabbedContent():
            with TabPane("One 一"):
                yield Input("".join(self.texts), compact=len(self.texts) % 2 == 0)
                yield Label(Text.assemble(*[(text, "bold red on blue") for text in self.texts]))
                yield Label(Text("a link", "link https://a.example/"))
                yield OptionList(*[Text(f"{n} {text}") for n, text in enumerate(self.texts * 3)])
            with TabPane("Two"):
                yield Checkbox("".join(self.texts[:1]))
                yield Select.from_values(sorted(set(self.texts)) or ["none"])
                yield TextArea("\n".join(self.texts))
        yield Footer()

    def action_push(self) -> None:
        self.push_screen(Modal())

    def action_bell(self) -> None:
        self.bell()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    colours=st.sampled_from([ColorSystem.STANDARD, ColorSystem.EIGHT_BIT, ColorSystem.TRUECOLOR]),
    texts=st.lists(st.sampled_from(WORDS), max_size=6),
    keys=st.lists(st.sampled_from(KEYS), min_size=4, max_size=14),
)
async def test_the_screen_is_as_with_stock_bytes(
    colours: ColorSystem, texts: list[str], keys: list[str]
) -> None:
    stock, ours, thrifty = Emulator(*SIZE), Emulator(*SIZE), Frames(*SIZE)
    app = Sample(texts, colours)
    async with app.run_test(headless=False, size=SIZE) as pilot:
        for key in keys:
            await pilot.press(key)
    for data in app.written:
        stock.feed(data)
        ours.feed(thrifty.take(data))
        assert ours.seen() == stock.seen()
    assert "One" in stock.text()
