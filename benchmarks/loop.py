"""leanloop's own time a step beside that of other agent frameworks, with a model that costs none.

Run it with ``python -m benchmarks.loop``. Every case makes the same calls (``loop_peers``), each
time in a process of its own, and the frameworks take turns, so that what else the machine does
hits all alike: the ratios are what counts, not the milliseconds. Times are CPU time of the whole
process, in which no framework can hide work in a thread; wall time is in the JSON beside it.
Memory is how much the process's peak rose in its first run, after imports and a run of few steps;
what these left to the allocator is used again and not seen, so it is a lower bound.

The frameworks are not dependencies of leanloop. ``--python`` names an interpreter that has them
and leanloop; without it an environment is made once, from requirements/bench.txt.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import hashlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
import venv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from benchmarks.loop_peers import CASES, Go, Work

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "bench.txt"
STEPS, SIZES = (50, 500), (2_000, 20_000)
OWN = "leanloop"
"""What the names of leanloop's own cases start with."""
LEAST_S, MOST_RUNS = 0.3, 30
"""A process repeats its run until this much CPU time has passed, or that often."""
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
GOAL = 5.0
"""How many times less than the fastest peer's a step of leanloop is to take."""
QUIET = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "OTEL_SDK_DISABLED": "true"}


@dataclass(frozen=True)
class Timed:
    """What one process measured.

    Args:
        case: The framework.
        steps: Tool calls of a run.
        size_bytes: Length of an observation.
        cpu_s: CPU seconds of a run, median of the runs of the process.
        wall_s: Wall seconds of a run, likewise.
        peak_bytes: How much the first run raised the process's peak memory.
        runs: How many runs there were.
    """

    case: str
    steps: int
    size_bytes: int
    cpu_s: float
    wall_s: float
    peak_bytes: int
    runs: int


async def time_case(case: str, steps: int, size_bytes: int) -> Timed:
    """Measure a case in this process, which must not have run anything before."""
    warm = Work(min(steps, 5), size_bytes)
    await _run(warm, CASES[case](warm))
    work = Work(steps, size_bytes)
    go = CASES[case](work)
    _forget_peak()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    timings = [await _run(work, go)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    while sum(cpu_s for cpu_s, _ in timings) < LEAST_S and len(timings) < MOST_RUNS:
        timings.append(await _run(work, go))
    cpu_s, wall_s = (statistics.median(column) for column in zip(*timings, strict=True))
    return Timed(case, steps, size_bytes, cpu_s, wall_s, peak * MAXRSS_UNIT, len(timings))


def _forget_peak() -> None:
    """Start the process's peak anew, where Linux can: imports may have had a higher one."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


async def _run(work: Work, go: Go) -> tuple[float, float]:
    """CPU and wall seconds of one run that did its work."""
    work.asked = work.called = work.seen = 0
    wall, cpu = time.perf_counter(), time.process_time()
    answer = await go()
    took = time.process_time() - cpu, time.perf_counter() - wall
    work.check(answer)
    return took


def in_own_process(python: Path, case: str, steps: int, size_bytes: int) -> Timed:
    """Measure a case in a fresh process of that interpreter.

    Raises:
        RuntimeError: The case failed; the message ends with what it printed.
    """
    given = ["--case", case, "--steps", str(steps), "--bytes", str(size_bytes)]
    made = subprocess.run(
        [python, "-m", "benchmarks.loop", *given],
        cwd=ROOT,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"{case} failed: {made.stderr[-2000:]}")
    return Timed(**json.loads(made.stdout.splitlines()[-1]))


def prepared(cache: Path) -> Path:
    """An interpreter that has the frameworks and leanloop, made when it is not there.

    Args:
        cache: Folder for the environment, which takes about 1 GB; each lock has its own in it.
    """
    folder = cache.resolve() / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.is_file():
        print(f"installing the frameworks into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*install, "--require-hashes", "-r", LOCK], check=True)
        own = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
        subprocess.run([*install, *own], check=True)
        ready.touch()
    return python


Key = tuple[str, int, int]
"""Case, steps and bytes."""


def medians(rows: Sequence[Timed]) -> dict[Key, Timed]:
    """For each case, number of steps and size the medians over turns."""
    turns: dict[Key, list[Timed]] = defaultdict(list)
    for row in rows:
        turns[row.case, row.steps, row.size_bytes].append(row)
    return {
        key: Timed(
            *key,
            statistics.median(r.cpu_s for r in own),
            statistics.median(r.wall_s for r in own),
            int(statistics.median(r.peak_bytes for r in own)),
            sum(r.runs for r in own),
        )
        for key, own in turns.items()
    }


def growth(found: Mapping[Key, Timed], case: str, size_bytes: int) -> float:
    """Exponent of the time's growth between the least and the most steps; 1 is linear."""
    few, many = min(STEPS), max(STEPS)
    ratio = found[case, many, size_bytes].cpu_s / found[case, few, size_bytes].cpu_s
    return math.log(ratio) / math.log(many / few)


def table(found: Mapping[Key, Timed], size_bytes: int) -> str:
    """The medians of one size as a table in Markdown."""
    few, many = STEPS
    lines = [
        f"### observations of {size_bytes / 1000:g} kB",
        "",
        f"| framework | ms a step, {few} steps | × {OWN} | ms a step, {many} steps | × {OWN} "
        f"| exponent | peak, {many} steps |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in dict.fromkeys(case for case, _, _ in found):
        cells = [case]
        for steps in STEPS:
            row, own = found[case, steps, size_bytes], found[OWN, steps, size_bytes]
            cells += [f"{row.cpu_s / steps * 1e3:.3f}", f"{row.cpu_s / own.cpu_s:.1f}"]
        peak = found[case, many, size_bytes].peak_bytes / 1e6
        cells += [f"{growth(found, case, size_bytes):.2f}", f"{peak:.1f} MB"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdicts(found: Mapping[Key, Timed]) -> list[str]:
    """For each of leanloop's cases how far below the fastest peer it is, where it is least far."""
    cases = list(dict.fromkeys(case for case, _, _ in found))
    peers = [c for c in cases if not c.startswith(OWN)]
    lines = []
    for own in (c for c in cases if c.startswith(OWN)) if peers else ():
        margins = []
        for steps, size in product(STEPS, SIZES):
            best = min(peers, key=lambda c, s=steps, b=size: found[c, s, b].cpu_s)  # type: ignore[misc]
            margin = found[best, steps, size].cpu_s / found[own, steps, size].cpu_s
            margins.append((margin, best, steps, size))
        margin, best, steps, size = min(margins)
        word = "reached" if margin >= GOAL else "NOT reached"
        lines.append(
            f"{own}: at least {margin:.1f} times less than the fastest peer (goal {GOAL:g}: {word};"
            f" least against {best}, {steps} steps of {size / 1000:g} kB)"
        )
    return lines


def measure(python: Path, turns: int, only: str) -> list[Timed]:
    """Every case, number of steps and size in turn, so many times over."""
    cases = [c for c in CASES if c.startswith(OWN) or only in c]
    rows = []
    for turn in range(turns):
        print(f"turn {turn + 1} of {turns}", file=sys.stderr, flush=True)
        for steps, size, case in product(STEPS, SIZES, cases):
            rows.append(in_own_process(python, case, steps, size))
    return rows


def main() -> None:
    """Print a table for each size; every process's figures as JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="Interpreter that has the frameworks.")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "bench", help="See above.")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", default="", help="Part of a peer's name; leanloop is always in.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", choices=CASES, help="Measure one case in this process.")
    parser.add_argument("--steps", type=int, default=max(STEPS))
    parser.add_argument("--bytes", type=int, default=min(SIZES))
    given = parser.parse_args()
    if given.case:
        print(json.dumps(asdict(asyncio.run(time_case(given.case, given.steps, given.bytes)))))
        return
    rows = measure(given.python or prepared(given.cache), given.turns, given.only)
    if given.json:
        given.json.write_text(json.dumps([asdict(r) for r in rows], indent=1))
    found = medians(rows)
    print("\n\n".join(table(found, size) for size in SIZES))
    print("\n" + "\n".join(verdicts(found)))


if __name__ == "__main__":
    main()
