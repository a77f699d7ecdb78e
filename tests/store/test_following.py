"""Rows that are seen late are still seen, and only once."""

from __future__ import annotations

from leanloop.store.following import GAP_S, MOST_GAPS, Following


class Table:
    """Numbered rows, some of which are not to be seen yet."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.asked: list[set[int]] = []

    def fetch(self, number, again, most):
        self.asked.append(set(again))
        late = [(n, self.rows[n]) for n in sorted(again) if n in self.rows]
        return [*late, *[(n, r) for n, r in sorted(self.rows.items()) if n > number][:most]]


def test_a_row_that_is_committed_late_is_not_missed():
    table, now = Table(), [0.0]
    following = Following(table.fetch, clock=lambda: now[0])
    table.rows = {1: "a", 2: "b"}
    assert following.new() == ["a", "b"]
    table.rows |= {5: "e"}
    assert following.new() == ["e"]
    table.rows |= {4: "d"}
    assert following.new() == ["d"]
    assert following.new() == []
    assert table.asked[-1] == {3}
    now[0] = GAP_S + 1
    following.new()
    assert table.asked[-1] == set()


def test_gaps_of_other_studies_are_bounded_and_those_of_the_past_are_none():
    table = Table()
    following = Following(table.fetch)
    table.rows = {10_000: "a"}
    following.new()
    following.new()
    assert table.asked[-1] == set()
    table.rows |= {20_000: "b", 20_300: "c"}
    following.new()
    following.new()
    assert len(table.asked[-1]) == MOST_GAPS
    assert 20_299 in table.asked[-1]


def test_what_is_not_final_is_read_again_until_it_is():
    table = Table()
    following = Following(table.fetch, lambda row: row != "outage")
    table.rows = {1: "outage"}
    assert following.new() == ["outage"]
    assert following.new() == []
    table.rows[1] = "run"
    assert following.new() == ["run"]
    table.rows[1] = "never looked at again"
    assert following.new() == []
