"""What must not change an answer does not, and what mirrors mirrors."""

from __future__ import annotations

import itertools
import math
import random

import msgspec
import numpy as np
import pytest
from claimeval import Rollout, RolloutSet
from claimeval.stats.bootstrap import hierarchical_bootstrap
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.judging.attribution import explain
from leanloop.judging.comparison import compare
from leanloop.judging.frontier import Question, frontier_of
from leanloop.judging.gate import gate
from leanloop.judging.reading import Selection, read_runs
from leanloop.stats.comparison import not_worse, paired_difference
from tests.judging.tables import Rows, rows, table

ROWS = rows(4, 40, seed=8, seeds=2, clusters=8)


def answers(given):
    """Every answer on a table, as JSON: equal only if equal to the last digit."""
    with_levers = [{**r, "memory.x": "on" if r["configuration"] > "c0" else "off"} for r in given]
    two = [r for r in with_levers if r["configuration"] in ("c0", "c1")]
    found = [
        frontier_of(table(given), Question(at_cost=2.0, at_success=0.5, seed=3)),
        compare(table(given), "c0", "c2"),
        gate(table(given), "c0", "c1"),
        explain(table(two), "c0", "c1"),
    ]
    kept = [msgspec.json.decode(msgspec.json.encode(f)) for f in found]
    return [strip(k) for k in kept]


def strip(found):
    """Without the notes, which say that rows stand there twice."""
    if isinstance(found, dict):
        return {k: strip(v) for k, v in found.items() if k != "notes"}
    return found


def shuffled(given: Rows) -> Rows:
    return random.Random(5).sample(given, len(given))


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given,
        shuffled,
        lambda given: given[::-1],
        lambda given: [*given, *given],
        lambda given: shuffled([*given, *given, *given]),
        lambda given: [{**r, "task": f"a longer name, {r['task']}"} for r in given],
        lambda given: [{**r, "cluster": f"of {r['cluster']}"} for r in given],
        lambda given: [{**r, "seed": f"s{r['seed']}"} for r in given],
        lambda given: [dict(reversed(r.items())) for r in given],
    ],
    ids=[
        "again",
        "shuffled",
        "reversed",
        "twice",
        "thrice",
        "tasks",
        "clusters",
        "seeds",
        "columns",
    ],
)
def test_what_says_the_same_gives_the_same_to_the_last_digit(change):
    assert answers(change(ROWS)) == answers(ROWS)


@pytest.mark.parametrize("seed", range(6))
def test_a_comparison_mirrors_in_every_axis(seed):
    given = [{**r, "tokens": math.ceil(100 * r["usd"])} for r in rows(2, 25, seed=seed)]
    there, back = (compare(table(given), *ends) for ends in (("c0", "c1"), ("c1", "c0")))
    assert (there.success.a, there.success.b) == (back.success.b, back.success.a)
    assert there.success.difference == -back.success.difference
    assert (there.success.low, there.success.high) == pytest.approx(
        (-back.success.high, -back.success.low)
    )
    assert there.success.standard_error == pytest.approx(back.success.standard_error)
    for axis in ("usd", "tokens"):
        one, other = there.costs()[axis], back.costs()[axis]
        assert one.ratio == pytest.approx(1 / other.ratio)
        assert (one.low, one.high) == pytest.approx((1 / other.high, 1 / other.low))
        assert (one.on_failed_a, one.on_failed_b) == (other.on_failed_b, other.on_failed_a)


@pytest.mark.parametrize("power", [-200, -3, 10, 200])
def test_the_unit_of_a_cost_changes_no_ratio(power):
    scaled = [{**r, "usd": r["usd"] * 2.0**power} for r in ROWS]
    one, other = (compare(table(given), "c0", "c1") for given in (ROWS, scaled))
    for figure in ("ratio", "low", "high", "on_failed_a"):
        assert getattr(one.usd, figure) == pytest.approx(getattr(other.usd, figure), rel=1e-9)
    assert one.verdict == other.verdict


@pytest.mark.parametrize("power", [-700, 560])
def test_no_unit_of_a_cost_is_too_small_or_too_large(power):
    test_the_unit_of_a_cost_changes_no_ratio(power)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_figures_lie_in_their_intervals(seed, clustered):
    answer = frontier_of(table(rows(3, 12, seed=seed, clusters=5 * clustered)))
    assert math.fsum(s.p_frontier or 0.0 for s in answer.configurations) >= 1
    for s in answer.configurations:
        for interval in (s.success, s.usd, s.cost_of_pass):
            if interval.mean is not None and interval.low is not None:
                assert interval.low <= interval.mean
                assert interval.high is None or interval.mean <= interval.high


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("clusters", [0, 15])
def test_probabilities_agree_with_claimeval_on_other_tables(seed, clusters):
    drawn = rows(8, 150, seed=100 + seed, clusters=clusters)
    ours = frontier_of(table(drawn), Question(seed=seed))
    theirs = hierarchical_bootstrap(
        RolloutSet(
            Rollout(
                r["configuration"],
                r["task"],
                r["seed"],
                r["success"],
                r["usd"],
                r.get("cluster", ""),
            )
            for r in drawn
        ),
        4000,
        "cluster" if clusters else "task",
        np.random.default_rng(50 + seed),
        "mean",
    )
    expected = dict(zip(theirs.configs, theirs.frontier_prob(), strict=True))
    found = {s.configuration: s.p_frontier for s in ours.configurations}
    assert found == pytest.approx(expected, abs=0.03)
    assert any(0.05 < p < 0.95 for p in found.values())


@pytest.mark.parametrize("margin", [0.02, 0.1])
def test_up_to_ten_tasks_say_not_worse_of_a_worse_one_as_rarely_as_promised(margin):
    """Exact: every outcome of n tasks, at the truths where it is worse by the margin."""
    chances = [(p, p + margin) for p in np.linspace(0, (1 - margin) / 2, 40)]
    for n in range(1, 11):
        said = []
        for won, lost in itertools.product(range(n + 1), repeat=2):
            if won + lost <= n:
                b = np.array([1.0] * won + [-1.0] * lost + [0.0] * (n - won - lost))
                if not_worse(paired_difference(np.zeros(n), b), margin):
                    said.append((won, lost))
        wrong = [
            sum(
                math.comb(n, w)
                * math.comb(n - w, x)
                * wins**w
                * losses**x
                * max(1 - wins - losses, 0.0) ** (n - w - x)
                for w, x in said
            )
            for wins, losses in chances
        ]
        assert max(wrong) <= 0.05
        assert n > 4 or not said


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    header = "configuration,task,success\n"
    (tmp_path / "runs1.csv").write_text(f"{header}wrong,t,1\n")
    (tmp_path / "runs2.csv").write_text(f"{header}wrong,t,1\n")
    for name in ("runs[1].csv", "runs?.csv"):
        (tmp_path / name).write_text(f"{header}right,t,1\n")
        assert read_runs(str(tmp_path / name)).configurations == ["right"]
    found = read_runs(str(tmp_path / "runs[1].csv"), Selection(where="success = 1"))
    assert found.configurations == ["right"]
