from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest
from claimeval import Rollout, RolloutSet
from claimeval.stats.bootstrap import hierarchical_bootstrap

from leanloop.core.errors import BadInputError
from leanloop.judging.attribution import explain
from leanloop.judging.comparison import Terms, compare
from leanloop.judging.frontier import Question, frontier_of
from leanloop.judging.gate import gate, gate_tables, junit, markdown
from leanloop.stats.attribution import Basis
from leanloop.stats.comparison import Outcome
from tests.judging.tables import Rows, changed, rows, table

ROWS = rows(4, 60)


def as_json(answer):
    return msgspec.json.decode(msgspec.json.encode(answer))


def test_the_shape_of_a_frontier():
    found = as_json(frontier_of(table(ROWS)))
    assert found["n_tasks"] == 60
    assert found["dropped_tasks"] == 0
    assert found["objectives"] == {"success": "max", "usd": "min"}
    for row in found["configurations"]:
        assert row["n"] == 60
        assert {"mean", "low", "high"} <= set(row["success"])
        assert row["usd"]["low"] <= row["usd"]["mean"] <= row["usd"]["high"]
        assert 0 <= row["p_frontier"] <= 1


def test_the_shape_of_a_comparison():
    found = as_json(compare(table(ROWS), "c0", "c1"))
    assert found["n_tasks"] == 60
    needed = {"a", "b", "difference", "low", "high", "non_inferior", "standard_error"}
    assert needed <= set(found["success"])
    assert {"ratio", "low", "high"} <= set(found["usd"])
    assert found["verdict"] in set(Outcome)


@pytest.mark.parametrize("clusters", [0, 12])
def test_probabilities_agree_with_claimeval(clusters):
    given = rows(6, 120, seed=4, clusters=clusters)
    ours = frontier_of(table(given), Question(seed=1))
    theirs = RolloutSet(
        Rollout(
            r["configuration"], r["task"], r["seed"], r["success"], r["usd"], r.get("cluster", "")
        )
        for r in given
    )
    mode = "cluster" if clusters else "task"
    drawn = hierarchical_bootstrap(theirs, 4000, mode, np.random.default_rng(9), "mean")
    expected = dict(zip(drawn.configs, drawn.frontier_prob(), strict=True))
    for s in ours.configurations:
        assert s.p_frontier == pytest.approx(expected[s.configuration], abs=0.03)
    assert ours.clusters == (clusters or None)


def test_order_of_rows_and_repetition_change_nothing():
    shuffled = list(ROWS)
    random.Random(3).shuffle(shuffled)
    for ask in (frontier_of, lambda t: compare(t, "c0", "c2")):
        assert as_json(ask(table(ROWS))) == as_json(ask(table(shuffled)))
    one, other = (frontier_of(table(ROWS), Question(seed=s)) for s in (1, 2))
    assert [s.success for s in one.configurations] == [s.success for s in other.configurations]
    assert [s.p_frontier for s in one.configurations] != [
        s.p_frontier for s in other.configurations
    ]


def test_a_comparison_mirrors():
    there, back = (compare(table(ROWS), *pair) for pair in (("c0", "c2"), ("c2", "c0")))
    assert there.success.difference == pytest.approx(-back.success.difference)
    assert there.success.low == pytest.approx(-back.success.high)
    assert there.usd.ratio == pytest.approx(1 / back.usd.ratio)
    assert there.usd.low == pytest.approx(1 / back.usd.high, rel=0.02)
    assert there.success.mcnemar_p == back.success.mcnemar_p


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("solved", [0.0, 1.0, None])
def test_few_tasks_never_give_a_confident_verdict(tasks, solved):
    given = rows(2, tasks, seed=tasks)
    if solved is not None:
        given = [{**r, "success": solved} for r in given]
    given = [{**r, "usd": 1.0 if r["configuration"] == "c0" else 0.1} for r in given]
    found = compare(table(given), "c0", "c1")
    assert found.verdict is Outcome.NOT_SHOWN
    assert not found.success.non_inferior
    assert found.warnings
    answer = frontier_of(table(given))
    assert answer.n_tasks == tasks
    if tasks == 1:
        assert all(s.p_frontier is None for s in answer.configurations)


def test_none_solved_costs_without_limit():
    given = [{**r, "success": 0.0} for r in ROWS]
    found = frontier_of(table(given)).configurations[0]
    assert found.cost_of_pass.infinite
    assert found.cost_of_pass.mean is None
    assert found.cost_of_pass.low > found.usd.mean
    assert found.success.low == 0


def test_zero_costs_have_no_ratio():
    given = [{**r, "usd": 0.0} for r in ROWS]
    assert frontier_of(table(given)).configurations[0].usd.mean == 0
    found = compare(table(given), "c0", "c1")
    assert found.usd.ratio is None
    assert found.verdict is Outcome.NOT_SHOWN
    assert "dollars unknown" in found.sentence


def test_costs_that_never_vary_are_narrow_and_do_not_decide_success():
    given = [{**r, "usd": 1.0 if r["configuration"] == "c0" else 0.5} for r in ROWS]
    found = compare(table(given), "c0", "c1")
    assert found.usd.ratio == pytest.approx(0.5)
    assert 0.48 < found.usd.low < 0.5 < found.usd.high < 0.52


def test_the_probabilities_of_few_tasks_come_with_a_warning():
    few = [r for r in ROWS if int(r["task"].lstrip("t")) < 12]
    (warning,) = frontier_of(table(few)).warnings
    assert "12 tasks are few" in warning
    assert not frontier_of(table(ROWS)).warnings


def test_one_configuration():
    answer = frontier_of(table([r for r in ROWS if r["configuration"] == "c0"]))
    assert [s.p_frontier for s in answer.configurations] == [1.0]
    assert not answer.warnings


def test_no_common_task_is_said_loudly():
    given = [{**r, "task": r["configuration"] + r["task"]} for r in ROWS]
    answer = frontier_of(table(given))
    assert answer.n_tasks == 0
    assert answer.dropped_tasks == 240
    assert "no task is common to all 4 configurations" in answer.warnings[0]
    assert {s.n for s in answer.configurations} == {60}
    assert {s.p_frontier for s in answer.configurations} == {None}
    found = compare(table(given), "c0", "c1")
    assert found.verdict is Outcome.NOT_SHOWN
    assert "no common task" in found.warnings[0]
    assert not gate(table(given), "c0", "c1").passed


def test_configurations_that_barely_overlap_are_named():
    given = [r for r in ROWS if r["configuration"] != "c3" or r["task"] < "t005"]
    answer = frontier_of(table(given))
    assert answer.n_tasks == 5
    assert answer.dropped_tasks == 55
    assert "c3 (5)" in answer.warnings[0]
    without = frontier_of(table(given), Question(min_tasks=6))
    assert without.n_tasks == 60
    assert not without.warnings
    with pytest.raises(BadInputError, match="--min-tasks"):
        frontier_of(table(given), Question(min_tasks=61))


def test_two_hundred_configurations():
    answer = frontier_of(table(rows(200, 30)))
    assert len(answer.configurations) == 200
    assert all(s.p_frontier is not None for s in answer.configurations)


def test_twins_are_both_on_the_frontier():
    twins = [{**r, "configuration": f"{r['configuration']}-twin"} for r in ROWS]
    found = {s.configuration: s for s in frontier_of(table([*ROWS, *twins])).configurations}
    for name in ("c0", "c1", "c2", "c3"):
        assert found[name].p_frontier == found[f"{name}-twin"].p_frontier


def test_three_objectives_and_an_unknown_one():
    given = [{**r, "latency_s": 10 / (1 + i % 7)} for i, r in enumerate(ROWS)]
    two, three = (
        {
            s.configuration: s.p_frontier
            for s in frontier_of(table(given), Question(o)).configurations
        }
        for o in (("usd",), ("usd", "latency_s"))
    )
    assert all(three[c] >= two[c] for c in two)
    with pytest.raises(BadInputError, match="no column 'tokens'"):
        frontier_of(table(given), Question(("tokens",)))


def test_bounds_and_hypervolume():
    asked = Question(at_cost=1e9, at_success=0.0, reference=100.0)
    answer = frontier_of(table(ROWS), asked)
    by_cost, by_success = answer.bounded
    success = {s.configuration: s.success.mean for s in answer.configurations}
    usd = {s.configuration: s.usd.mean for s in answer.configurations}
    assert by_cost.configuration == max(success, key=lambda c: success[c])
    assert by_success.configuration == min(usd, key=lambda c: usd[c])
    assert by_cost.met == by_success.met == 1.0
    assert answer.hypervolume.reference == {"success": 0.0, "usd": 100.0}
    assert 0 < answer.hypervolume.area.mean < 100
    impossible = frontier_of(table(ROWS), Question(at_cost=0.0, at_success=1.0))
    assert [b.configuration for b in impossible.bounded] == [None, None]


def test_success_within_a_budget():
    found = frontier_of(table(ROWS, within=("usd", 1.0))).configurations
    kept = {
        c: np.mean([r["success"] * (r["usd"] <= 1) for r in ROWS if r["configuration"] == c])
        for c in ("c0", "c1", "c2", "c3")
    }
    assert {s.configuration: s.success_within.mean for s in found} == pytest.approx(kept)


def test_seeds_are_averaged_and_pass_hat_k_falls():
    given = rows(2, 40, seeds=4)
    answer = frontier_of(table(given))
    assert answer.n_tasks == 40
    for s in answer.configurations:
        means = [s.pass_hat_k[k].mean for k in (1, 2, 3, 4)]
        assert means == sorted(means, reverse=True)
        assert means[0] == pytest.approx(s.success.mean)
        assert 0 < s.seed_spread.share <= 1


def test_growth_exponent_of_quadratic_tokens():
    given = [{**r, "steps": 2 + i % 9, "tokens": (2 + i % 9) ** 2} for i, r in enumerate(ROWS)]
    for s in frontier_of(table(given)).configurations:
        assert s.growth_exponent.mean == pytest.approx(2)


def test_gate_and_its_files():
    better = changed(ROWS, lambda r: r["configuration"] == "c1", success=1.0, usd=0.1)
    passed, failed = (gate(table(better), *pair) for pair in (("c0", "c1"), ("c1", "c0")))
    assert passed.passed
    assert not failed.passed
    suite = ET.fromstring(junit(failed))
    assert suite.get("failures") == "2"
    assert {c.get("name") for c in suite} == {"success", "usd"}
    assert "**fail**" in markdown(failed)
    assert "gate: passed" in markdown(passed)


def test_gate_of_two_tables():
    before = [r for r in ROWS if r["configuration"] == "c0"]
    after = [{**r, "usd": r["usd"] / 2} for r in before]
    terms = Terms(margin=0.1)
    found = gate_tables((table(before), None), (table(after), None), terms)
    assert found.comparison.n_tasks == 60
    assert found.comparison.usd.ratio == pytest.approx(0.5)
    assert found.passed
    with pytest.raises(BadInputError, match="--configuration"):
        gate_tables((table(before), None), (table(ROWS), None), terms)


def test_a_gate_does_not_pass_where_the_runs_lack_the_cost_of_the_baseline():
    before = [r for r in ROWS if r["configuration"] == "c0"]
    after = [{k: v for k, v in r.items() if k != "usd"} for r in before]
    terms = Terms(margin=0.2)
    found = gate_tables((table(before), None), (table(after), None), terms)
    assert [(c.name, c.passed, c.message) for c in found.checks[1:]] == [
        ("usd", False, "dollars unknown")
    ]
    # The other way round there is nothing to hold the runs to.
    back = gate_tables((table(after), None), (table(before), None), terms)
    assert [c.name for c in back.checks] == ["success"]


def factorial(levers: int, missing: frozenset[int] = frozenset()) -> Rows:
    """Every combination of levers, costs multiplied by 2, 3, … and a pair that interacts."""
    noise = np.random.default_rng(1).normal(size=30)
    cells = [c for c in range(2**levers) if c not in missing]
    return [row for cell in cells for row in cell_rows(cell, levers, noise)]


def cell_rows(cell: int, levers: int, noise: np.ndarray) -> Rows:
    on = [bool(cell >> i & 1) for i in range(levers)]
    factor = math.prod(i + 2 if x else 1 for i, x in enumerate(on)) * (4 if all(on[:2]) else 1)
    own = {f"memory.l{i}": "on" if x else None for i, x in enumerate(on)}
    success = 0.3 + (0.2 if on[0] else 0.0)
    return [
        {"configuration": f"f{cell}", "task": f"t{t}", "success": success, "usd": factor * cost}
        | own
        for t, cost in enumerate(np.exp(noise).tolist())
    ]


def test_shares_add_up_and_pairs_are_found():
    found = explain(table(factorial(3)), "f0", "f7")
    shares = [x.share.usd.mean for x in found.levers]
    assert np.prod(shares) == pytest.approx(found.whole.usd.ratio)
    assert np.prod(shares) == pytest.approx(96)
    assert shares == pytest.approx([2 * 2, 3 * 2, 4])
    assert [x.share.success.mean for x in found.levers] == pytest.approx([0.2, 0, 0], abs=1e-12)
    pairs = {p.levers: p.effect.usd.mean for p in found.interactions}
    assert pairs["memory.l0", "memory.l1"] == pytest.approx(4)
    assert pairs["memory.l0", "memory.l2"] == pytest.approx(1)
    assert {x.basis for x in found.levers} == {Basis.EXACT}


def test_one_missing_cell_is_settled_if_only_pairs_interact():
    found = explain(table(factorial(3, frozenset({6}))), "f0", "f7")
    assert {x.basis for x in found.levers} == {Basis.PAIRS}
    assert [x.share.usd.mean for x in found.levers] == pytest.approx([4, 6, 4])
    assert found.missing_count == 1
    assert found.missing[0] == {"memory.l0": "off", "memory.l1": "on", "memory.l2": "on"}


def test_what_the_runs_do_not_settle_is_not_invented():
    one_at_a_time = frozenset(range(8)) - {0, 1, 2, 4, 7}
    found = explain(table(factorial(3, one_at_a_time)), "f0", "f7")
    assert {x.basis for x in found.levers} == {Basis.NONE}
    assert all(x.share is None for x in found.levers)
    assert [x.alone.usd.mean for x in found.levers] == pytest.approx([2, 3, 4])
    assert all(p.effect is None for p in found.interactions)
    assert found.warnings


def test_a_sign_that_flips_between_models_is_called_out():
    given = []
    for cell, (model, on) in enumerate([("a", 0), ("a", 1), ("b", 0), ("b", 1)]):
        for t in range(40):
            solved = (t % 10 < 5) if not on else (t % 10 < (9 if model == "a" else 1))
            given.append(
                {
                    "configuration": f"f{cell}",
                    "task": f"t{t}",
                    "success": float(solved),
                    "usd": 1.0 + (t % 3),
                    "model.choice": model,
                    "memory.x": "on" if on else "off",
                }
            )
    found = explain(table(given), "f0", "f3")
    (flip,) = found.flips
    assert (flip.lever, flip.measure, flip.up, flip.down) == ("memory.x", "success", "a", "b")
    assert flip.shown
    assert [x.is_model for x in sorted(found.levers, key=lambda x: x.lever)] == [False, True]


@pytest.mark.parametrize(
    ("given", "ends", "says"),
    [
        (ROWS, ("c0", "c1"), "none is a lever"),
        (factorial(1), ("f0", "f9"), "no configuration 'f9'"),
        (factorial(9), ("f0", "f511"), "differs in 9 levers"),
        (factorial(1), ("f0", "f0"), "same settings"),
    ],
)
def test_bad_attributions_are_one_line(given, ends, says):
    with pytest.raises(BadInputError, match=says):
        explain(table(given), *ends)
