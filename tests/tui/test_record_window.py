"""What a long list holds of its rows, tried with any way of walking through it."""

from hypothesis import given
from hypothesis import strategies as st

from services.paging import Page
from tui.widgets.record_window import KEEP, Window

LIMIT = 10


def fetch(rows: list[int], after: str | None) -> Page[int]:
    """Return a keyset page as a service would."""
    later = [row for row in rows if after is None or row > int(after)]
    page = later[:LIMIT]
    return Page(page, str(page[-1]) if len(later) > LIMIT else None)


def look(window: Window[int], rows: list[int], first: int, last: int) -> None:
    """Fetch what a view of these lines needs."""
    for number in window.wanted(first, last):
        window.arrived(number, fetch(rows, window.slots[number].after))
    window.trim(first)


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
