"""The search's own time a run, and whether runs that take processors get all of them.

Run it with ``python -m benchmarks.overhead``. The first table is a whole study of recorded runs
(allocation, dropping, ledger, SQLite store, one transaction a run), so that no agent takes any
of the time: so many runs, seconds, milliseconds a run. The second has 64 scripted runs under way
at once, here and on Ray's workers: seconds, and how many processors were busy.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage
from leanloop.models.builtin import ModelSpec
from leanloop.search.executors import build_executor
from leanloop.search.spec import Budget, SearchPlan, StudySpec, SuiteSpec
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore

LEVELS = (10, 20)
TASKS = 1600
SIZES = (10_000, 30_000, 100_000)
STEPS = 12


def script(request: Request) -> AssistantMessage:
    """Twelve look-ups of different people, then an answer, without a pause."""
    count = sum(isinstance(m, ToolMessage) for m in request.messages)
    if count >= STEPS or not request.tools_allowed:
        return AssistantMessage(text="none")
    call = ToolCall(f"c{count}", "get_person", {"name": f"nobody {count}"})
    return AssistantMessage(tool_calls=(call,))


def write_runs(path: Path) -> None:
    """Runs of configurations that differ by just the zone, so that no search is ever sure."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["c", "memory.a", "memory.b", "task", "success", "usd"])
        for a in range(LEVELS[0]):
            for b in range(LEVELS[1]):
                solved = rng.random(TASKS) < 0.6 + 0.02 * (b % 2)
                usd = rng.lognormal(np.log(1.05) * (a % 2), 0.5, TASKS)
                for t in range(TASKS):
                    rows.writerow([f"{a}-{b}", a, b, t, int(solved[t]), f"{usd[t]:.4f}"])


def search_overhead(folder: Path, runs: int) -> tuple[int, float]:
    """Runs that were looked up in a study, and its seconds without reading the file."""
    spec = StudySpec(
        name=f"overhead-{runs}",
        suite=SuiteSpec(
            recorded=str(folder / "runs.csv"),
            select='c AS configuration, "memory.a", "memory.b", task, success, usd',
            holdout=0.01,
        ),
        budget=Budget(max_runs=runs),
        plan=SearchPlan(settle_at=0.9999999, finalists=1),
    )
    study = Study(spec)
    store = SqlStore(folder / f"{runs}.sqlite")
    start = time.perf_counter()
    result = asyncio.run(study.optimize(store))
    seconds = time.perf_counter() - start
    store.close()
    return result.runs, seconds


def at_once(folder: Path, executor: str, tasks: int) -> tuple[int, float, float]:
    """Runs, seconds, and processors that were busy meanwhile, of this process and its children."""
    model = ModelSpec("scripted", "benchmarks.overhead:script", concurrency=64)
    spec = StudySpec(
        name=f"at-once-{executor}",
        models={"scripted": model},
        suite=SuiteSpec("backoffice", {"search_tasks": tasks, "holdout_tasks": 64}),
        levers={"tools": {"result_cache": ["on"]}},
        budget=Budget(max_runs=2 * tasks),
        plan=SearchPlan(block=tasks, finalists=1),
    )
    study = Study(spec)
    store = SqlStore(folder / f"{executor}.sqlite")
    runner = build_executor(executor, study, store)
    start, before = time.perf_counter(), _busy_s()
    result = asyncio.run(study.optimize(store, runner=runner))
    seconds, busy = time.perf_counter() - start, _busy_s() - before
    getattr(runner, "close", lambda: None)()
    store.close()
    return result.runs, seconds, busy / seconds


def _busy_s() -> float:
    """Seconds that all processors together have worked for programs (/proc/stat, Linux)."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1500)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_runs(folder / "runs.csv")
        print("| runs | seconds | ms a run |\n|---|---|---|")
        for size in given.sizes:
            runs, seconds = search_overhead(folder, size)
            print(f"| {runs:,} | {seconds:.1f} | {1e3 * seconds / runs:.2f} |", flush=True)
        print("\n| 64 scripted runs at once | runs | seconds | runs a second | processors busy |")
        print("|---|---|---|---|---|")
        for executor in ("local", "ray"):
            runs, seconds, busy = at_once(folder, executor, given.tasks)
            row = f"{runs:,} | {seconds:.1f} | {runs / seconds:.0f} | {busy:.2f}"
            print(f"| {executor} | {row} of {os.cpu_count()} |", flush=True)


if __name__ == "__main__":
    main()
