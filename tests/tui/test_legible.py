"""What is on the screen: all at 80×24, without colour, in ASCII, and never foreign control."""

import re
from pathlib import Path

import pytest
from textual.strip import Strip

from services.bootstrap import Services
from tests.stores import imap_raw, save
from tests.tui.driver import EMAIL_ACCOUNT, Driver, console
from tui.app import Console
from tui.widgets.chrome import fit
from tui.widgets.glyphs import glyphs, is_utf8

INSERT = (*EMAIL_ACCOUNT, "n")


def colours(driver: Driver) -> set[str]:
    """Return the SGR codes for colours that the screen writes."""
    strips: list[Strip] = driver.app.screen._compositor.render_strips()
    filters = driver.app.get_line_filters()
    console = driver.app.console
    background = driver.app.screen.styles.background
    written = "".join(
        strip.apply_filter(entry, background).render(console)
        for strip in strips
        for entry in filters or []
    )
    codes = {code for found in re.findall(r"\x1b\[([\d;]*)m", written) for code in found.split(";")}
    return {code for code in codes if code and code[0] in "349" and len(code) == 2}


async def test_wide_labels_fit_a_drop_down(folder: Path, services: Services) -> None:
    name = "旅行代理店東京支店受信者日"
    services.codes.save("queue", {"name": name})
    save(services, imap_raw("A"))
    async with console(folder, "c", "e", "enter", "f3") as driver:
        await driver.walk_to("importing.error_queue")
        await driver.press("space", "end", "enter")
        assert driver.sees(f"{name} ▾")


@pytest.mark.parametrize("protocol", ["i", "o", "s"])
async def test_every_field_of_the_server_tab_stands_on_the_screen_unscrolled(
    folder: Path, protocol: str
) -> None:
    async with console(folder, *INSERT, protocol) as driver:
        server = driver.screen.query_one("#server")
        assert server.max_scroll_y == 0
        for form in driver.screen.forms():
            for editor in form.editors.values():
                if editor.is_attached:
                    region = editor.target.region
                    assert region.height == 1
                    assert region.width > 0
                    assert region.right <= 80
                    assert 2 <= region.y < 22, f"{editor.spec.title} is off the screen"


async def test_the_import_tab_scrolls_only_inside_its_boxes(
    folder: Path, services: Services
) -> None:
    for number in range(40):
        code = f"{number:02}"
        services.codes.save("contact-type", {"code": code, "description": f"Type {code}"})
    async with console(folder, *INSERT, "f3") as driver:
        assert driver.screen.query_one("#import").max_scroll_y == 0
        await driver.walk_to("importing.agent_types")
        await driver.press("end")
        assert driver.sees("RS: Reservations")
        assert driver.sees("Forward Email")
        boxes = [driver.editor(f"importing.{n}").region for n in ("agent_types", "supplier_types")]
        assert boxes[0].y == boxes[1].y
        assert boxes[0].height >= 6


async def test_without_colour_no_colour_code_is_written_and_states_are_told_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with console(folder, *INSERT, "ctrl+s") as driver:
        assert driver.app.get_line_filters()
        assert colours(driver) == set()
        assert driver.text().count("!") == 5, "wrong fields carry a mark"
        assert "▲ 587" in driver.text()


async def test_colours_are_the_terminals_own_sixteen(folder: Path) -> None:
    async with console(folder, *INSERT, "ctrl+s") as driver:
        numbers = {
            colour.number if colour.type.name != "TRUECOLOR" else "true colour"
            for strip in driver.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None
        }
        assert numbers <= {None, *range(16)}


async def test_an_ascii_locale_gets_ascii_alone(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.ISO-8859-1")
    glyphs.cache_clear()
    save(services, imap_raw())
    seen = []
    async with console(folder) as driver:
        for keys in (("c", "e"), ("d",), ("escape", "enter"), ("f3",), ("f2", "space"), ("f1",)):
            await driver.press(*keys)
            seen.append(driver.text())
            driver.app.action_command_palette()
            await driver.settle()
            await driver.press("escape")
    assert "".join(seen).isascii(), sorted({c for c in "".join(seen) if not c.isascii()})


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({"LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LC_ALL": "C", "LANG": "en_GB.UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({}, False),
    ],
)
def test_the_locale_decides_on_marks(environ: dict[str, str], utf8: bool) -> None:
    assert is_utf8(environ) is utf8


async def test_foreign_names_are_neither_markup_nor_control(
    folder: Path, services: Services
) -> None:
    name = "[/x][b]A [@click=app.quit]"
    raw = imap_raw(name)
    raw["identity"]["description"] = "[red]Zürich[/] 東京"
    save(services, raw)
    async with console(folder) as driver:
        assert driver.sees("[/x][b]A")
        await driver.press(*EMAIL_ACCOUNT)
        assert driver.sees("[/x][b]A")
        await driver.press("d")
        assert driver.sees(f"Delete {name} with its secrets")
        await driver.press("escape", "enter")
        assert driver.crumbs[-1] == name
        assert driver.sees(name)
        await driver.press("f1")
        assert driver.sees(name)
        await driver.press("escape", "ctrl+s")
        assert driver.message == f"{name} is saved."


async def test_a_long_path_is_cut_at_its_beginning(folder: Path) -> None:
    async with console(folder, *INSERT, size=(60, 24)) as driver:
        first = driver.text().splitlines()[0]
        assert first.startswith(" … ›")
        assert first.endswith("Insert")


async def test_an_error_is_read_in_full_however_long_it_is(folder: Path) -> None:
    async with console(folder, *INSERT, "o") as driver:
        await driver.walk_to("settings.client_id")
        await driver.type("x")
        await driver.press("ctrl+s", "tab", "tab", "tab", "tab")
        await driver.walk_to("settings.client_id")
        await driver.until("00000000-0000-0000-0000-000000000000.")


async def test_the_key_line_is_not_painted_anew_while_its_keys_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.widgets.chrome import KeyLine

    async with console(folder, *INSERT, "tab") as driver:
        painted = []
        monkeypatch.setattr(KeyLine, "render", lambda line: painted.append(line) or "")
        await driver.press("tab", "shift+tab", "a", "b")
        assert painted == []


def test_texts_are_cut_by_cells_not_characters() -> None:
    assert fit("東京都", 5) == "東京…"
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("abcdef", 1) == "…"


def test_nothing_blinks_or_moves() -> None:
    app = Console()
    assert app.animation_level == "none"
