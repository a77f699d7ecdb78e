"""Constraints: how they are read, when they are shown kept or broken."""

from __future__ import annotations

import numpy as np
import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.pricing.cost import PriceBook
from leanloop.search.constraints import Constraints, Kept, all_shown, read_constraint
from leanloop.search.runtable import RunTable

BASE, OTHER = Configuration(), Configuration({"a": "on"})


def table_of(base, other) -> RunTable:
    """Rows (success, seconds) of both on the same tasks."""
    table = RunTable(PriceBook({}))
    for configuration, rows in ((BASE, base), (OTHER, other)):
        for i, (success, seconds) in enumerate(rows):
            table.put(configuration.id, f"t{i}", (success, 0.01 * seconds, seconds, 100.0, 1.0))
    return table


@pytest.mark.parametrize(
    ("text", "own", "base", "excess"),
    [
        ("success >= baseline - 0.02", [1.0, 0.0], [1.0, 1.0], [-0.02, 0.98]),
        ("success >= 0.5", [1.0, 0.0], [0.0, 0.0], [-0.5, 0.5]),
        ("usd <= baseline * 0.5", [2.0, 2.0], [4.0, 6.0], [0.0, -1.0]),
        ("usd<=1e-2", None, None, None),
        ("mean tokens <= baseline + 10", [20.0, 20.0], [5.0, 15.0], [5.0, -5.0]),
        ("tokens  <=  baseline", [20.0, 20.0], [5.0, 25.0], [15.0, -5.0]),
        ("p95 latency_s <= 20", [19.0, 21.0], [0.0, 0.0], [-0.05, 0.95]),
    ],
)
def test_a_text_says_by_how_much_each_task_breaks_it(text, own, base, excess):
    if own is None:
        with pytest.raises(BadInputError, match="cannot be read"):
            read_constraint(text, "constraints")
        return
    found = read_constraint(text, "constraints").excess(np.array(own), np.array(base))
    assert found == pytest.approx(excess)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "success",
        "speed <= 3",
        "success >= about 0.5",
        "p95 success >= 0.5",
        "p95 latency_s <= baseline * 2",
        "p0 latency_s <= 3",
        "p95 latency_s >= 3",
        "usd <= 1e",
        "usd <= baseline * .",
        "usd <= baseline / 2",
    ],
)
def test_what_cannot_be_read_is_one_clear_line(text):
    with pytest.raises(BadInputError) as caught:
        read_constraint(text, "study.toml: constraints")
    assert "\n" not in str(caught.value)
    assert "study.toml: constraints" in str(caught.value)


def test_kept_and_broken_are_shown_with_enough_tasks_and_not_with_few():
    constraints = Constraints([read_constraint("success >= baseline - 0.05", "c")], BASE)
    for n, kept in ((3, Kept.NOT_SHOWN), (400, Kept.SHOWN)):
        table = table_of([(1.0, 1.0)] * n, [(1.0, 1.0)] * n)
        (check,) = constraints.check(table, OTHER, "holdout")
        assert (check.kept, check.n) == (kept, n)
        assert constraints.broken(table, OTHER, 0.05) is None
        assert constraints.looks_kept(table, OTHER)
    table = table_of([(1.0, 1.0)] * 400, [(float(i % 2), 1.0) for i in range(400)])
    (check,) = constraints.check(table, OTHER, "search")
    assert check.kept is Kept.BROKEN
    assert check.low < check.excess < check.high
    assert constraints.broken(table, OTHER, 0.05) == "success >= baseline - 0.05"
    assert not constraints.looks_kept(table, OTHER)
    assert not all_shown([check])


def test_a_quantile_counts_the_tasks_above_the_bound():
    constraints = Constraints([read_constraint("p90 latency_s <= 20", "c")], BASE)
    rows = [(1.0, 30.0 if i % 5 == 0 else 10.0) for i in range(500)]
    (check,) = constraints.check(table_of(rows, rows), OTHER, "search")
    assert check.excess == pytest.approx(0.2 - 0.1)
    assert check.kept is Kept.BROKEN


def test_unknown_costs_show_nothing():
    constraints = Constraints([read_constraint("latency_s <= 20", "c")], BASE)
    table = table_of([(1.0, np.nan)] * 50, [(1.0, np.nan)] * 50)
    (check,) = constraints.check(table, OTHER, "search")
    assert (check.kept, check.excess) == (Kept.NOT_SHOWN, None)
    assert constraints.broken(table, OTHER, 0.05) is None
    assert constraints.looks_kept(table, OTHER)


def test_one_that_keeps_to_it_just_so_is_rarely_ever_called_broken():
    constraint = Constraints([read_constraint("success >= baseline - 0.1", "c")], BASE)
    wrong = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        base = rng.random(200) < 0.8
        other = np.where(rng.random(200) < 0.125, False, base)
        table, said = RunTable(PriceBook({})), False
        for i in range(200):
            for c, solved in ((BASE, base[i]), (OTHER, other[i])):
                table.put(c.id, f"t{i}", (float(solved), 1.0, 1.0, 1.0, 1.0))
            said = said or (i % 10 == 9 and constraint.broken(table, OTHER, 0.05) is not None)
        wrong += said
    assert wrong <= 6
