"""What a long list holds of its rows, tried with any way of walking through it."""

from hypothesis import given
from hypothesis import strategies as st

from services.paging import Page, cut, direction
from tui.widgets.record_window import KEEP, Window

LIMIT = 10


def fetch(rows: list[int], after: str | None) -> Page[int]:
    """Return a keyset page as a service would."""
    backwards, place = direction(after)
    if backwards:
        found = [row for row in reversed(rows) if place is None or row < int(place)]
    else:
        found = [row for row in rows if place is None or row > int(place)]
    return cut(found[: LIMIT + 1], LIMIT, backwards, str)


def look(window: Window[int], rows: list[int], first: int, last: int) -> int:
    """Fetch what a view of these lines needs, and return how far they moved down by that."""
    moved = 0
    for slot in [window.slots[number] for number in window.wanted(first, last)]:
        moved += window.arrived(window.slots.index(slot), fetch(rows, slot.after))
    window.trim(first + moved)
    return moved


@given(st.integers(0, 300), st.lists(st.integers(0, 300), max_size=40))
def test_every_row_that_is_looked_at_is_the_right_one(total: int, jumps: list[int]) -> None:
    rows, window = list(range(total)), Window[int]()
    look(window, rows, 0, 8)
    for jump in jumps:
        first = min(jump, max(window.count() - 1, 0))
        look(window, rows, first, first + 8)
        for index in range(first, min(first + 8, window.count())):
            assert window.row(index) == rows[index]


def test_walking_through_a_million_rows_holds_a_few_pages_only() -> None:
    rows, window = list(range(3_000)), Window[int]()
    look(window, rows, 0, 20)
    while not window.complete:
        look(window, rows, window.count() - 1, window.count() + 20)
        assert len(window.held()) <= (2 * KEEP + 2) * LIMIT
    assert window.count() == len(rows)
    assert window.row(len(rows) - 1) == len(rows) - 1
    look(window, rows, 0, 20)
    assert window.row(0) == 0


def test_a_page_that_ends_elsewhere_makes_those_after_it_unknown() -> None:
    window = Window[int]()
    rows = list(range(0, 60, 2))
    for last in (9, 19, 29):
        look(window, rows, 0, last)
    assert window.count() == 30
    more = sorted([1, *rows])
    window.arrived(0, fetch(more, None))
    assert window.count() == LIMIT
    assert not window.complete
    look(window, more, 0, 20)
    assert window.row(1) == 1


def test_only_a_complete_list_of_one_page_is_sorted() -> None:
    short, long = Window[int](), Window[int]()
    look(short, [1, 2, 3], 0, 5)
    short.sort(lambda row: -row, reverse=False)
    assert short.held() == [3, 2, 1]
    look(long, list(range(30)), 0, 5)
    long.sort(lambda row: -row, reverse=False)
    assert long.row(0) == 0


@given(st.integers(0, 300), st.lists(st.integers(-40, 20), max_size=40))
def test_from_the_end_every_row_is_the_right_one_too(total: int, steps: list[int]) -> None:
    rows, window = list(range(total)), Window[int].from_the_end()
    look(window, rows, 0, 8)
    assert window.complete
    at = max(window.count() - 8, 0)
    for step in [0, *steps]:
        at = min(max(at + step, 0), max(window.count() - 1, 0))
        at += look(window, rows, at, at + 8)
        above = total - window.count()
        assert above >= 0
        assert window.begins is (above == 0) or window.slots[0].rows is None
        for index in range(at, min(at + 8, window.count())):
            assert window.row(index) == rows[above + index]


def test_from_the_end_a_million_rows_cost_a_page() -> None:
    asked: list[str | None] = []
    rows, window = list(range(3_000)), Window[int].from_the_end()
    asked += [window.slots[number].after for number in window.wanted(0, 20)]
    look(window, rows, 0, 20)
    assert (asked, window.held()) == (["$"], rows[-LIMIT:])
    assert not window.whole


def test_what_is_deleted_below_makes_the_pages_above_unknown() -> None:
    rows, window = list(range(100)), Window[int].from_the_end()
    look(window, rows, 0, 9)
    look(window, rows, 0, 9)
    assert window.count() == 2 * LIMIT
    del rows[-1]
    assert window.arrived(1, fetch(rows, window.slots[1].after)) == -LIMIT
    assert window.held() == rows[-LIMIT:]
    assert look(window, rows, 0, 9) == LIMIT
    assert window.held() == rows[-2 * LIMIT :]
