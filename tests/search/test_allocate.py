from __future__ import annotations

import itertools
import math

import numpy as np

from leanloop.search.allocate import Allocation, Goal, MembershipAllocator
from leanloop.stats.pareto_set import is_right

CODES = np.array(list(itertools.product(range(2), repeat=3)))
GOALS = (Goal(is_cost=False, zone=0.02), Goal(is_cost=True, zone=math.log(1.05)))
TASKS = 3000


def race(success: np.ndarray, cost: np.ndarray, seed: int = 0) -> tuple[Allocation, np.ndarray]:
    """Run an allocator on made-up runs until it has settled."""
    rng = np.random.default_rng(seed)
    hard, size = rng.random(TASKS), np.exp(rng.normal(scale=0.5, size=TASKS))
    own = rng.random((len(CODES), TASKS)) * 0.2
    solved = (0.8 * hard + own) < success[:, None]
    costs = cost[:, None] * size * np.exp(rng.normal(scale=0.2, size=own.shape))
    runs = np.stack([solved, costs], axis=-1)
    allocator = MembershipAllocator(CODES, GOALS, seed)
    counts = np.zeros(len(CODES), dtype=np.intp)
    counts[:] = allocator.block
    for _ in range(400):
        seen = np.flatnonzero(counts)
        has = np.arange(TASKS) < counts[seen][:, None]
        found = allocator.next(seen, np.where(has[..., None], runs[seen], np.nan), counts < TASKS)
        if found.settled:
            return found, counts
        for configuration, more in found.more:
            counts[configuration] = min(counts[configuration] + more, TASKS)
    raise AssertionError("it never settled")


def test_the_planted_frontier_is_found_with_fewer_runs_on_the_hopeless():
    success = np.full(8, 0.4)
    cost = np.full(8, 2.0)
    success[0], cost[0] = 0.6, 1.0
    success[5], cost[5] = 0.7, 0.5
    found, counts = race(success, cost)
    truth = np.stack([success, -np.log(cost)], axis=-1)
    assert is_right(found.found.members, truth, np.array([g.zone for g in GOALS]))
    assert found.found.members.tolist() == [5]
    assert found.helps > 0.95
    assert counts.sum() < 8 * 200


def test_where_no_lever_helps_it_settles_and_says_so():
    changed = (CODES != 0).sum(axis=1)
    found, counts = race(0.6 - 0.1 * changed, np.exp(0.3 * changed))
    assert found.found.members.tolist() == [0]
    assert found.helps < 0.05
    assert counts.sum() < 8 * TASKS / 4


def test_the_same_seed_buys_the_same_runs():
    success, cost = 0.4 + 0.05 * CODES[:, 0], np.exp(-0.4 * CODES[:, 1])
    assert race(success, cost)[1].tolist() == race(success, cost)[1].tolist()


def test_dear_runs_are_bought_less():
    values = np.random.default_rng(0).random((8, 8, 2)) + 0.1
    weights = np.ones(8)
    weights[3] = 1e6
    allocator = MembershipAllocator(CODES, GOALS, 0)
    padded = np.concatenate([values, np.full((8, 8, 2), np.nan)], axis=1)
    found = allocator.next(np.arange(8), padded, np.ones(8, dtype=bool), weights)
    assert found.more
    assert 3 not in [configuration for configuration, _ in found.more]
