"""How long ``frontier`` takes: side by side with claimeval on one file, and on ten million rows.

Run it with ``python -m benchmarks.judging``. The first part times both libraries on the same JSON
lines of 10 configurations by 500 tasks with 4,000 resamples, in one process, turn by turn. The
second runs the command on tables of ten million rows and reads its peak memory from the system.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
from claimeval import load
from claimeval.analysis.report import analyze
from claimeval.core.ingest import FieldMap
from claimeval.stats.bootstrap import hierarchical_bootstrap

from leanloop.judging.frontier import frontier_of
from leanloop.judging.reading import Selection, read_runs
from leanloop.stats.frontier import frontier_probability
from leanloop.stats.resampling import sample_of

ROUNDS = 9
RESAMPLES = 4000
TABLES = {
    "10 configurations, 500 tasks, 2,000 seeds": (
        "SELECT 'configuration ' || (i % 10) AS configuration, "
        "'task ' || ((i // 10) % 500) AS task, i // 5000 AS seed"
    ),
    "20 configurations, 500,000 tasks": (
        "SELECT 'configuration ' || (i % 20) AS configuration, 'task ' || (i // 20) AS task"
    ),
}


def small_table(path: Path) -> None:
    """Ten configurations by 500 tasks of shared difficulty, as JSON lines."""
    rng = np.random.default_rng(1)
    hard = rng.normal(size=500)
    with path.open("w", encoding="utf-8") as file:
        for c in range(10):
            for t in range(500):
                row = {
                    "config": f"c{c}",
                    "task": f"t{t}",
                    "seed": 0,
                    "success": int(rng.random() < 1 / (1 + np.exp(hard[t] - c / 5))),
                    "cost": round(float(np.exp(rng.normal() + c / 5)), 5),
                }
                file.write(json.dumps(row) + "\n")


def side_by_side(path: Path) -> None:
    """Seconds of both, the same work in turns, and how far their probabilities are apart."""
    fields = FieldMap(config=["config"], task="task", success="success", cost="cost", seed="seed")
    theirs, _ = load(str(path), fields)
    ours = read_runs(str(path), Selection("config AS configuration, task, success, cost AS usd"))
    common = ours.common(ours.configurations)
    values = np.stack([common.values["success"], -common.values["usd"]], axis=-1)

    def membership() -> object:
        # A sample of its own each time: the draws are part of the work.
        return frontier_probability(values, sample_of(common.tasks))

    def their_membership() -> object:
        rng = np.random.default_rng(5)
        return hierarchical_bootstrap(theirs, RESAMPLES, "task", rng, "mean").frontier_prob()

    def their_default() -> object:
        rng = np.random.default_rng(5)
        return hierarchical_bootstrap(theirs, RESAMPLES, "task", rng).frontier_prob()

    def report() -> object:
        return frontier_of(ours)

    def their_report() -> object:
        return analyze(theirs, n_boot=RESAMPLES, rng=np.random.default_rng(5))

    apart = np.abs(np.asarray(membership()) - np.asarray(their_membership())).max()
    print(f"membership probabilities apart by at most {apart:.3f}")
    pairs: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("membership, mean cost", membership, their_membership),
        ("membership, claimeval's default (median cost)", membership, their_default),
        ("whole answer: frontier against analyze", report, their_report),
    ]
    for name, mine, other in pairs:
        seconds = [(timed(mine), timed(other)) for _ in range(ROUNDS)]
        a, b = (statistics.median(column) for column in zip(*seconds, strict=True))
        print(f"{name}: leanloop {1000 * a:.0f} ms, claimeval {1000 * b:.0f} ms, ratio {b / a:.0f}")


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ten_million(folder: Path) -> None:
    """Seconds and peak memory of the command on ten million rows, CSV."""
    for name, select in TABLES.items():
        path = folder / "rows.csv"
        costs = "(random() < 0.5)::INT AS success, round(exp(random()), 5) AS usd"
        query = f"{select}, {costs} FROM range(10000000) t(i)"
        duckdb.sql(f"COPY ({query}) TO '{path}'")
        command = [sys.executable, "-m", "leanloop", "frontier", str(path), "--json"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        print(f"{name}, 10,000,000 rows: {seconds:.1f} s, peak memory so far {peak:.2f} GB")


def main() -> None:
    """Print both parts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small_table(folder / "small.jsonl")
        side_by_side(folder / "small.jsonl")
        ten_million(folder)


if __name__ == "__main__":
    main()
