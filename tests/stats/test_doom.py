"""Learning which runs fail: calibrated, sure of what it is sure of, silent on little."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from leanloop.levers.protocol import Doom
from leanloop.stats.doom import FittedDoom, RunRows, fit_doom

STEPS = 16


@dataclass(frozen=True)
class Kind:
    """Synthetic runs.

    Args:
        tasks: How many.
        each: Runs of a task.
        loops: Of the runs that fail, the share that can be told from its doings.
        hard: Spread of the tasks' difficulty, in log odds.
    """

    tasks: int = 40
    each: int = 5
    loops: float = 0.6
    hard: float = 1.0


def runs(kind: Kind, seed: int) -> RunRows:
    """Runs of which a part that fails goes on for long, makes errors and repeats itself."""
    rng = np.random.default_rng(seed)
    count = kind.tasks * kind.each
    task = np.repeat(np.arange(kind.tasks), kind.each)
    odds = rng.normal(scale=kind.hard, size=kind.tasks)[task] - 0.5
    failed = rng.random(count) < 1 / (1 + np.exp(-odds))
    lost = failed & (rng.random(count) < kind.loops)
    rows = np.where(lost, rng.integers(7, STEPS, count), rng.integers(1, 9, count))
    shape = (count, STEPS)
    odd = np.where(lost, 0.5, 0.08)[:, None]
    errors, calls, same = (np.cumsum(rng.random(shape) < odd, axis=1) for _ in range(3))
    tokens = np.log1p(np.cumsum(rng.lognormal(6, 0.4, shape), axis=1))
    seconds = np.log1p(np.cumsum(rng.lognormal(0, 0.5, shape), axis=1))
    steps = np.broadcast_to(np.arange(1, STEPS + 1), shape)
    features = np.stack([steps, tokens, errors, calls, same, seconds], axis=2)
    there = steps <= rows[:, None]
    run = np.broadcast_to(np.arange(count)[:, None], shape)[there]
    return RunRows(features[there], run, failed.astype(float), task)


def guesses(count: int, failed: float, seed: int, each: int = 5) -> RunRows:
    """Runs that fail by chance alone, whatever they do."""
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(count), rng.integers(1, 8, count))
    ended = (rng.random(count) < failed).astype(float)
    return RunRows(rng.normal(size=(len(run), 6)), run, ended, np.arange(count) // each)


def chances(doom: FittedDoom, rows: RunRows) -> np.ndarray:
    scores = doom.curve.scores(np.clip(rows.features, doom.low, doom.high))
    return 1 / (1 + np.exp(-scores))


def wrongly_ended(doom: FittedDoom, threshold: float, rows: RunRows) -> tuple[float, float, float]:
    """Runs that are ended, successes among them, and the share of failures that is caught."""
    peaks = np.zeros(len(rows.failed))
    np.maximum.at(peaks, rows.run, chances(doom, rows))
    ended = peaks >= threshold
    caught = ended[rows.failed == 1].mean()
    return float(ended.sum()), float((1 - rows.failed)[ended].sum()), float(caught)


def test_many_chances_at_once_are_those_one_by_one():
    rows = runs(Kind(), 1)
    doom = fit_doom(rows)
    assert [doom.chance(f) for f in rows.features[:50]] == pytest.approx(chances(doom, rows)[:50])


def test_it_is_what_the_lever_asks_for():
    doom: Doom | None = fit_doom(runs(Kind(), 1))
    assert 0 < doom.threshold(0.8) <= 1


def test_chances_are_calibrated_on_fresh_tasks():
    fresh = runs(Kind(tasks=4000), 10**6)
    outcome = fresh.failed[fresh.run]
    said = np.mean([chances(fit_doom(runs(Kind(tasks=60), s)), fresh) for s in range(20)], axis=0)
    one = chances(fit_doom(runs(Kind(tasks=60), 0)), fresh)
    base = np.mean((outcome - outcome.mean()) ** 2)
    assert np.mean((one - outcome) ** 2) < 0.75 * base
    assert said.mean() == pytest.approx(outcome.mean(), abs=0.03)
    bins = np.minimum((said * 5).astype(int), 4)
    off = [abs(said[bins == b].mean() - outcome[bins == b].mean()) for b in range(5)]
    weight = np.bincount(bins, minlength=5) / len(bins)
    assert np.dot(off, weight) < 0.05


@pytest.fixture(scope="module")
def studies() -> list[FittedDoom | None]:
    return [fit_doom(runs(Kind(tasks=60, each=6), seed), seed) for seed in range(200)]


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_spares_successes_on_fresh_runs(level: float, studies: list[FittedDoom | None]):
    """200 studies: of the runs that are ended no more than 1 - level were successes."""
    fresh = runs(Kind(tasks=1000), 10**6)
    known = [(s, t) for s in studies if (t := s.threshold(level)) is not None]
    ended, successes, caught = np.array([wrongly_ended(*k, fresh) for k in known]).T
    assert len(known) > 150, "sure often enough to be of use"
    assert successes.sum() / ended.sum() <= 1 - level
    # Each threshold was chosen with 95% confidence; 3% more are left to 200 studies' luck.
    assert np.mean(successes / np.maximum(ended, 1) > 1 - level) <= 0.08
    assert caught.mean() > 0.4, "most of the runs that can be told are caught"


@pytest.mark.parametrize(("failed", "level"), [(0.45, 0.5), (0.75, 0.8), (0.85, 0.9)])
def test_chance_alone_ends_hardly_any_run(failed: float, level: float):
    fits = [fit_doom(guesses(200, failed, s), s) for s in range(100)]
    assert sum(f is not None and f.threshold(level) is not None for f in fits) <= 10


def test_a_surer_level_never_ends_more():
    doom = fit_doom(runs(Kind(tasks=100), 3))
    found = [doom.threshold(level) for level in (0.5, 0.7, 0.8, 0.9, 0.95, 0.97)]
    known = [t for t in found if t is not None]
    assert len(known) >= 4
    assert known == sorted(known)
    assert found[: len(known)] == known, "once no chance is sure enough, none is at a surer level"
    assert doom.threshold(0.999) is None, "hundreds of runs cannot show one in a thousand"


@pytest.mark.parametrize(
    ("count", "failures", "each"), [(29, 14, 1), (60, 7, 1), (60, 53, 1), (60, 30, 15), (0, 0, 1)]
)
def test_little_is_not_enough(count: int, failures: int, each: int):
    rows = _split(count, failures, each)
    assert fit_doom(rows) is None


@pytest.mark.parametrize(("count", "failures", "each"), [(30, 15, 1), (60, 8, 1), (60, 30, 12)])
def test_just_enough(count: int, failures: int, each: int):
    assert fit_doom(_split(count, failures, each)) is not None


def _split(count: int, failures: int, each: int) -> RunRows:
    failed = (np.arange(count) < failures).astype(float)
    shuffled = np.random.default_rng(0).permutation(failed)
    features = np.column_stack([shuffled, np.ones(count)])
    return RunRows(features, np.arange(count), shuffled, np.arange(count) // each)


def test_runs_without_a_row_say_nothing():
    rows = runs(Kind(), 5)
    count = len(rows.failed)
    padded = replace(
        rows,
        run=rows.run + 100,
        failed=np.concatenate([np.ones(100), rows.failed]),
        task=np.concatenate([np.full(100, 999), rows.task]),
    )
    alone, among = fit_doom(rows), fit_doom(padded)
    assert alone.curve == among.curve
    assert len(among.peaks) == count
    assert np.array_equal(alone.bounds, among.bounds)


def test_outcomes_that_are_told_apart_entirely_stay_finite():
    doom = fit_doom(_split(200, 100, 1))
    assert 0.5 < doom.chance([1.0, 1.0]) < 1
    assert 0 < doom.chance([0.0, 1.0]) < 0.5
    assert doom.threshold(0.95) is not None
    assert doom.chance([0.0, 1.0]) < doom.threshold(0.95) <= doom.chance([1.0, 1.0]) + 0.02


def test_nothing_is_surer_than_what_was_seen():
    rows = runs(Kind(), 2)
    doom = fit_doom(rows)
    far = [10 * v for v in rows.features.max(axis=0)]
    assert doom.chance(far) == doom.chance(rows.features.max(axis=0).tolist())


def test_knowing_the_task_by_heart_is_worth_nothing():
    """Features that name the task fit the runs seen and say nothing of an unseen task."""
    tasks, each = 30, 10
    task = np.repeat(np.arange(tasks), each)
    failed = (np.random.default_rng(1).permutation(tasks) < tasks // 2)[task].astype(float)
    rows = RunRows(np.eye(tasks)[task], np.arange(tasks * each), failed, task)
    doom = fit_doom(rows)
    assert doom.threshold(0.8) is None
    assert [doom.chance(f) for f in np.eye(tasks)] == pytest.approx([0.5] * tasks, abs=0.1)


def test_runs_of_few_tasks_are_no_proof():
    """The same runs are many pieces of evidence, or few where a task decides its runs."""
    tasks, each = 20, 20
    task = np.repeat(np.arange(tasks), each)
    failed = (task % 2).astype(float)
    told = failed + np.random.default_rng(0).normal(scale=0.05, size=len(task))
    rows = RunRows(told[:, None], np.arange(len(task)), failed, task)
    apart = replace(rows, task=np.arange(len(task)))
    assert fit_doom(apart).threshold(0.95) is not None
    assert fit_doom(rows).threshold(0.95) is None
    # Ten tasks that all failed show with 95% confidence that four in five do not succeed ...
    assert fit_doom(rows).threshold(0.75) is not None


def test_same_runs_and_seed_same_model():
    rows = runs(Kind(), 4)
    one, two, other = fit_doom(rows, 1), fit_doom(rows, 1), fit_doom(rows, 2)
    assert one.curve == two.curve
    assert np.array_equal(one.peaks, two.peaks)
    assert not np.array_equal(one.peaks, other.peaks)
