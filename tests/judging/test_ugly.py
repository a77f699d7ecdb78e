"""Small and ugly tables: a right answer or one clear line, and never a confident verdict."""

from __future__ import annotations

import math
import time

import msgspec
import numpy as np
import pytest

from leanloop.core.errors import BadInputError
from leanloop.judging.attribution import explain
from leanloop.judging.comparison import Terms, compare
from leanloop.judging.frontier import Question, frontier_of
from leanloop.judging.gate import gate_tables
from leanloop.stats.comparison import Outcome, mcnemar
from tests.judging.tables import changed, rows, table

ROWS = rows(3, 20)


def costs(tasks, first, second):
    """Two configurations that both solve everything, with such costs by the task's number."""
    return [
        {"configuration": c, "task": f"t{t:03}", "success": 1.0, "usd": cost(t)}
        for c, cost in (("c0", first), ("c1", second))
        for t in range(tasks)
    ]


@pytest.mark.parametrize("tasks", range(1, 11))
def test_a_frontier_of_few_tasks_has_wide_intervals(tasks):
    answer = frontier_of(table(rows(3, tasks, seed=tasks)))
    assert answer.n_tasks == tasks
    for s in answer.configurations:
        assert s.success.high - s.success.low > 0.4
        assert (s.usd.low is None) == (tasks == 1)
        if tasks > 1:
            assert s.usd.high / s.usd.low > 1.5


@pytest.mark.parametrize("tasks", range(1, 11))
@pytest.mark.parametrize("solved", [0.0, 1.0])
def test_all_or_none_solved_in_few_tasks_is_no_certainty(tasks, solved):
    given = [{**r, "success": solved} for r in rows(2, tasks)]
    found = compare(table(given), "c0", "c1")
    assert found.success.difference == 0
    assert found.success.low < -0.1
    assert found.success.high > 0.1
    assert found.verdict in (Outcome.NOT_SHOWN, Outcome.DEARER)
    assert found.success.a.high - found.success.a.low > 0.2


def test_all_solved_at_the_same_cost_on_many_tasks():
    found = compare(table(costs(800, lambda t: 1 + t % 7, lambda t: 1 + t % 7)), "c0", "c1")
    assert found.usd.ratio == 1
    assert 0.99 < found.usd.low < 1 < found.usd.high < 1.01
    assert found.success.non_inferior
    assert found.verdict is Outcome.NOT_SHOWN


def test_one_task_that_costs_anything_shows_nothing():
    given = costs(800, lambda t: float(t == 3), lambda t: 0.5 * (t == 3))
    found = compare(table(given), "c0", "c1")
    assert found.usd.ratio == 0.5
    assert found.usd.high is None or found.usd.high > 1
    assert found.verdict is Outcome.NOT_SHOWN


@pytest.mark.parametrize("size", [1e4, 1e9])
def test_one_task_that_dwarfs_the_others_shows_nothing(size):
    first, second = np.random.default_rng(0).lognormal(size=(2, 40)).tolist()
    first[3], second[3] = size, 2 * size
    found = compare(table(costs(40, lambda t: first[t], lambda t: second[t])), "c0", "c1")
    assert found.usd.ratio == pytest.approx(2, rel=0.01)
    assert found.verdict is Outcome.NOT_SHOWN


@pytest.mark.parametrize("tasks", [2, 3])
def test_two_tasks_with_the_same_ratio_show_nothing(tasks):
    found = compare(table(costs(tasks, lambda _: 1.0, lambda _: 2.0)), "c0", "c1")
    assert found.verdict is Outcome.NOT_SHOWN


def test_what_is_free_against_what_is_not():
    given = costs(40, lambda t: 1.0 + t % 3, lambda _: 0.0)
    found = compare(table(given), "c0", "c1", Terms(margin=0.2))
    assert (found.usd.ratio, found.usd.low, found.usd.high) == (0.0, 0.0, 0.0)
    assert found.verdict is Outcome.CHEAPER
    back = compare(table(given), "c1", "c0", Terms(margin=0.2))
    assert back.usd.ratio is None
    assert back.verdict is Outcome.NOT_SHOWN
    assert back.usd.on_failed_a is None


def test_a_table_without_costs():
    given = [{k: v for k, v in r.items() if k != "usd"} for r in ROWS]
    answer = frontier_of(table(given))
    assert answer.objectives == {"success": "max"}
    assert answer.hypervolume is None
    assert {s.usd for s in answer.configurations} == {None}
    found = compare(table(given), "c0", "c1")
    assert found.verdict is Outcome.NOT_SHOWN
    assert found.cost is None


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_unknown_costs_in_every_answer(value):
    given = [
        {**r, "usd": value, "memory.x": "on" if r["configuration"] == "c1" else "off"}
        for r in ROWS
        if r["configuration"] != "c2"
    ]
    answer = frontier_of(table(given), Question(at_cost=1.0, reference=3.0))
    assert {s.p_frontier for s in answer.configurations} == {None}
    assert (answer.hypervolume, answer.bounded) == (None, ())
    assert compare(table(given), "c0", "c1").usd.ratio is None
    (share,) = explain(table(given), "c0", "c1").levers
    assert share.share.usd.mean is None
    assert share.share.success.mean is not None
    for found in (answer, compare(table(given), "c0", "c1")):
        assert b"NaN" not in msgspec.json.encode(found)


def test_clusters_that_are_all_one():
    given = [{**r, "cluster": "all"} for r in ROWS]
    answer = frontier_of(table(given))
    assert answer.clusters == 1
    assert {s.p_frontier for s in answer.configurations} == {None}
    found = compare(table(given), "c0", "c1")
    assert (found.success.low, found.success.high) == (-1.0, 1.0)
    assert found.usd.low is None
    assert found.verdict is Outcome.NOT_SHOWN


def test_rows_without_a_seed_that_differ_are_averaged():
    bare = [{k: v for k, v in r.items() if k != "seed"} for r in ROWS]
    turned = [{**r, "success": 1 - r["success"], "usd": 3 * r["usd"]} for r in bare]
    once = {s.configuration: s for s in frontier_of(table(bare)).configurations}
    for s in frontier_of(table([*bare, *turned])).configurations:
        assert s.success.mean == 0.5
        assert s.usd.mean == pytest.approx(2 * once[s.configuration].usd.mean)
        assert (s.pass_hat_k[1].mean, s.pass_hat_k[2].mean) == (0.5, 0.0)
        assert s.seed_spread.share == 1.0


def test_scores_between_zero_and_one():
    given = [{**r, "success": 0.3 + 0.4 * r["success"]} for r in ROWS]
    found = compare(table(given), "c0", "c1")
    assert found.success.mcnemar_p is None
    assert -1 <= found.success.low <= found.success.difference <= found.success.high <= 1
    assert frontier_of(table(given)).configurations[0].pass_hat_k == {}


@pytest.mark.parametrize("success", [-0.1, 1.1, -math.inf])
def test_a_success_out_of_range_is_named(success):
    given = changed(ROWS, lambda r: r["task"] == "t003", success=success)
    with pytest.raises(BadInputError, match=r"column success: takes from 0 to 1, got"):
        table(given)


@pytest.mark.parametrize("name", ['a "b"', "it's", "new\nline", "ü 🦊", "x" * 300, "lever usd"])
def test_a_lever_may_be_called_anything(name):
    given = [{**r, name: r["configuration"]} for r in ROWS if r["configuration"] != "c2"]
    found = explain(table(given), "c0", "c1")
    assert [(x.lever, x.baseline, x.chosen) for x in found.levers] == [(name, "c0", "c1")]


@pytest.mark.parametrize(
    "ask",
    [
        lambda given: compare(table(given), "nothing like it", "c1"),
        lambda given: gate_tables((table(given), None), (table(given), None), Terms()),
        lambda given: table([{k: v for k, v in r.items() if k != "success"} for r in given]),
        lambda given: table([*given, {**given[0], "task": "other", "new\nlever": "y"}]),
        lambda given: table([{**given[0], "success": 2.0}]),
        lambda given: table([given[0], {**given[0], "usd": 9.0}]),
        lambda given: table([{**given[0], "cluster": "x"}, {**given[1], "cluster": "y"}]),
    ],
    ids=["find", "only", "column", "levers", "range", "seed", "cluster"],
)
def test_errors_are_one_line_even_where_names_have_several(ask):
    given = [
        {
            **r,
            "configuration": f"two\n{r['configuration']}",
            "task": "two\nlines",
            "new\nlever": "x",
        }
        for r in ROWS
        if r["task"] == "t003"
    ]
    with pytest.raises(BadInputError) as raised:
        ask(given)
    assert "\n" not in str(raised.value)


def test_a_budget_without_limit_is_the_success_itself():
    answer = frontier_of(table(ROWS, within=("usd", math.inf)))
    assert all(s.success_within == s.success for s in answer.configurations)
    none = frontier_of(table(ROWS, within=("usd", 0.0)))
    assert {s.success_within.mean for s in none.configurations} == {0.0}


def test_no_effect_is_given_without_a_common_task():
    given = [
        {**r, "task": r["configuration"] + r["task"], "memory.x": r["configuration"]}
        for r in ROWS
        if r["configuration"] != "c2"
    ]
    found = explain(table(given), "c0", "c1")
    assert found.n_tasks == 0
    assert "no task is common" in found.warnings[0]
    assert all(x.share.success.mean is None and x.share.usd.mean is None for x in found.levers)


def test_mcnemar_is_quick_on_large_tables():
    wins = np.tile([0.0, 1.0], 5000)
    start = time.process_time()
    assert mcnemar(wins, 1 - wins) == 1.0
    assert time.process_time() - start < 0.5
