"""Two people's changes of one record: nobody's is lost without having been asked about."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.changes.merge import Point, Side, compare, merge

ANNA, BEN, CARL = ({"email": f"{name}@example.com", "name": name} for name in ("a", "b", "c"))


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "side"),
    [
        ("1", "1", "2", Side.MINE),
        ("1", "2", "1", Side.THEIRS),
        ("1", "2", "3", None),
        (None, "2", "3", None),
        ("1", None, "1", Side.THEIRS),
        (True, False, True, Side.THEIRS),
    ],
)
def test_a_field_that_one_side_changed_is_theirs_or_mine(
    base: Any, theirs: Any, mine: Any, side: Side | None
) -> None:
    [point] = compare({"port": base}, {"port": theirs}, {"port": mine})
    assert point == Point("port", None, base, theirs, mine, side)
    assert point.contested == (side is None)
    assert merge({"port": theirs}, {"port": mine}, [point.chosen(Side.THEIRS)]) == {"port": theirs}


@pytest.mark.parametrize(("base", "both"), [("1", "1"), ("1", "2"), ((ANNA,), (ANNA, BEN))])
def test_what_both_have_alike_needs_no_choice(base: Any, both: Any) -> None:
    assert compare({"x": base}, {"x": both}, {"x": both}) == []
    assert merge({"x": both}, {"x": both}, []) == {"x": both}


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "merged"),
    [
        ((), ("RS",), ("AC",), ("AC", "RS")),
        (("RS", "AC"), ("AC",), ("RS", "AC", "SA"), ("AC", "SA")),
        (("RS", "AC"), ("RS",), ("AC",), ()),
        ((ANNA,), (ANNA, BEN), (ANNA, CARL), (ANNA, CARL, BEN)),
        ((ANNA, BEN), (BEN,), (ANNA, {**BEN, "name": "Ben"}), ({**BEN, "name": "Ben"},)),
        (None, ("RS",), (), ("RS",)),
    ],
)
def test_lists_are_put_together_entry_by_entry(
    base: Any, theirs: Any, mine: Any, merged: Any
) -> None:
    points = compare({"x": base}, {"x": theirs}, {"x": mine})
    assert not [point for point in points if point.contested]
    assert merge({"x": theirs}, {"x": mine}, points) == {"x": merged}


def test_an_entry_that_both_changed_is_chosen_by_itself() -> None:
    theirs, mine = ({**ANNA, "name": "Anna"}, BEN), ({**ANNA, "name": "Ann"},)
    points = compare({"x": (ANNA,)}, {"x": theirs}, {"x": mine})
    assert [(p.entry, p.side) for p in points] == [
        ("a@example.com", None),
        ("b@example.com", Side.THEIRS),
    ]
    chosen = [points[0].chosen(Side.MINE), points[1]]
    assert merge({"x": theirs}, {"x": mine}, chosen) == {"x": ({**ANNA, "name": "Ann"}, BEN)}


def test_an_entry_that_one_removed_and_the_other_changed_is_asked_about() -> None:
    [point] = compare({"x": (ANNA,)}, {"x": ()}, {"x": ({**ANNA, "name": "Ann"},)})
    assert (point.theirs, point.side) == (None, None)
    assert merge({"x": ()}, {"x": (ANNA,)}, [point.chosen(Side.THEIRS)]) == {"x": ()}


def test_a_field_that_one_side_lacks_is_the_other_s() -> None:
    base, theirs, mine = {"a": "1"}, {"a": "1", "b": "2"}, {"a": "1", "c": "3"}
    assert compare(base, theirs, mine) == []
    assert merge(theirs, mine, []) == {"a": "1", "b": "2", "c": "3"}


def test_nothing_results_before_everything_was_chosen() -> None:
    points = compare({"a": "1"}, {"a": "2"}, {"a": "3"})
    with pytest.raises(ValueError, match="Nobody has chosen whose a stands"):
        merge({"a": "2"}, {"a": "3"}, points)


# ------------------------------------------------------------------------------- properties

words = st.one_of(st.none(), st.booleans(), st.text("ab", max_size=2))
codes = st.lists(st.sampled_from(["RS", "AC", "SA"]), unique=True).map(tuple)
entries = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")).map(
    lambda names: tuple({"email": f"{key}@t", "name": name} for key, name in names.items())
)
records = st.fixed_dictionaries({"word": words, "number": words, "codes": codes, "list": entries})
sides = st.sampled_from(Side)


def content(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the order of its lists."""
    lists = {path: value for path, value in record.items() if isinstance(value, tuple)}
    return record | {path: sorted(value, key=str) for path, value in lists.items()}


@given(records, records)
def test_what_only_one_changed_stands_unasked(base: dict[str, Any], other: dict[str, Any]) -> None:
    for theirs, mine in ((other, base), (base, other)):
        points = compare(base, theirs, mine)
        assert not [point for point in points if point.contested]
        assert content(merge(theirs, mine, points)) == content(other)


@given(records, records, records)
def test_both_sides_are_asked_about_the_same(
    base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    one = {(p.path, p.entry) for p in compare(base, theirs, mine) if p.contested}
    other = {(p.path, p.entry) for p in compare(base, mine, theirs) if p.contested}
    assert one == other


@given(records, records, records)
def test_no_change_of_theirs_is_lost_unless_mine_was_chosen(
    base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    points = compare(base, theirs, mine)
    chosen = [point if point.side else point.chosen(Side.THEIRS) for point in points]
    merged = merge(theirs, mine, chosen)
    for point in compare(base, theirs, base):
        assert point in [
            Point(p.path, p.entry, base=p.base, theirs=p.theirs, mine=p.base, side=Side.THEIRS)
            for p in compare(base, merged, base)
        ]


@given(records, records, records, sides)
def test_one_side_everywhere_gives_that_side(
    base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any], side: Side
) -> None:
    points = [point.chosen(side) for point in compare(base, theirs, mine)]
    merged = merge(theirs, mine, points)
    assert content(merged) == content(theirs if side is Side.THEIRS else mine)
