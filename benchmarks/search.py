"""Runs that each search needs until its frontier is right in 95 of 100 repetitions.

Run it with ``python -m benchmarks.search``. Right is up to a zone of indifference of 2 points of
success and 5% of cost: no member is beaten by more than the zone on every objective, and every
configuration has a member that is no more than the zone worse on any (Auer and others 2016).
leanloop stops by itself, asked for 95%; that is its first row. A peer has no such stop: each gets
every choice of sizes that is listed in ``search_peers`` and every way to read its means, and is
credited with the cheapest that is right often enough, which its user could not know. Those that do
badly in the first repetitions are not tried further. leanloop's second row is made the same way: a
cap on its runs (``max_runs``), the least of those in ``BUDGETS`` at which it is right often enough.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.search_peers import READINGS, Looks, Peer, peers
from benchmarks.search_spaces import Space, interactions, nothing_helps, one_model, recorded
from leanloop.core.configuration import Configuration
from leanloop.core.task import Split, Task
from leanloop.pricing.cost import PriceBook
from leanloop.search.propose import OptunaProposer
from leanloop.search.protocol import Jobs
from leanloop.search.question import Question
from leanloop.search.race import FEWEST, Race
from leanloop.search.recorded import RecordedOnly
from leanloop.search.runtable import RunTable
from leanloop.search.spec import SearchPlan
from leanloop.search.universe import Universe
from leanloop.stats.interval import proportion_interval

RUNS = Path(__file__).parents[2] / "shared" / "data" / "complexity-trap" / "runs.csv"
OBJECTIVES = {"success": "max", "usd": "min"}
NAME = "configuration"
WANTED = 0.95
BUDGETS = (
    *(100, 200, 400, 600, 800, 1000, 1600, 2400, 3200, 4800, 6400, 9600, 12800),
    *(25600, 38400, 51200),
)
"""Caps on leanloop's runs that are tried, as far as ``--last-cap``."""
LAST_CAP = 12800
PILOT = 20
"""Repetitions after which a peer's sizes are given up unless they may yet be good enough."""
HOPE = 0.85


@dataclass(frozen=True)
class Made:
    """What one way to search came to on one space.

    Args:
        search: Its name.
        sizes: Sizes that were chosen for it; empty for leanloop.
        repetitions: How many.
        right: Share of right frontiers.
        right_low: Lower end of its 95% interval.
        right_high: Upper end.
        runs: Median of the runs used.
        runs_90: 90% of the repetitions used no more.
        helps: Share of repetitions that ended with "no lever helps"; None for peers.
        overhead_ms: Search's own milliseconds a run, median; None for peers.
    """

    search: str
    sizes: str
    repetitions: int
    right: float
    right_low: float
    right_high: float
    runs: float
    runs_90: float
    no_help: float | None = None
    overhead_ms: float | None = None


class Lookup:
    """Runs of a space for leanloop's race."""

    def __init__(self, space: Space, capped: Callable[[int], None]) -> None:
        self.space = space
        self.capped = capped
        levers = [f"lever.{i}" for i in range(space.codes.shape[1])]
        self.configurations = [
            Configuration({n: _setting(s) for n, s in zip(levers, row, strict=True)})
            if levers
            else Configuration({NAME: f"c{i}"})
            for i, row in enumerate(space.codes.tolist())
        ]
        self.place = {c: i for i, c in enumerate(self.configurations)}
        names = levers or [NAME]
        self.levels = {n: tuple({c[n]: 0 for c in self.configurations}) for n in names}
        self.tasks = [Task(str(i), "", Split.SEARCH) for i in range(space.runs.shape[1])]
        self.table = RunTable(PriceBook({}))
        self.used = 0

    async def make(self, jobs: Jobs) -> None:
        """Look runs up; what would pass a cap is told before."""
        self.capped(self.used + sum(len(tasks) for _, tasks in jobs))
        for configuration, tasks in jobs:
            rows = self.space.runs[self.place[configuration]]
            for task in tasks:
                success, usd = rows[int(task.task_id)]
                self.table.put(configuration.id, task.task_id, (success, usd, 0.0, 0.0, 0.0))
            self.used += len(tasks)


def _setting(code: int) -> str:
    return f"s{code}" if code else "off"


@dataclass(frozen=True)
class Raced:
    """What leanloop came to in one repetition.

    Args:
        right: Whether its frontier was right where it stopped by itself.
        runs: Its runs until then.
        nothing: Whether it said that no lever helps.
        elapsed_s: Seconds, without what the caps took.
        capped: Whether it was right under each of ``BUDGETS``.
        used: Its runs under each.
    """

    right: bool
    runs: int
    nothing: bool
    elapsed_s: float
    capped: tuple[bool, ...]
    used: tuple[int, ...]


class _Contest:
    """One race: to where it stops by itself, or looked at whenever a cap would have ended it."""

    def __init__(self, space: Space, seed: int, last_cap: int) -> None:
        self.space, self.seed = space, seed
        self.caps = [cap for cap in BUDGETS if cap <= last_cap]
        self.lookup = Lookup(space, self._pass)
        whole = self.lookup.configurations
        named = not space.codes.shape[1]
        self.universe = Universe(whole[0], self.lookup.levels, whole, [NAME] if named else [])
        question = Question(
            OBJECTIVES, tasks=len(self.lookup.tasks) if space.finite else None, seed=seed
        )
        self.race = Race(
            self.lookup.make,
            self.lookup.table,
            self.universe,
            SearchPlan(block=8),
            question,
            self._refuse,
        )
        self.looks: list[tuple[bool, int]] = []
        self.looking_s = 0.0

    def run(self) -> Raced:
        start = time.perf_counter()
        every = OptunaProposer(self.lookup.levels, self.universe.baseline, OBJECTIVES, self.seed)
        proposer = RecordedOnly(every, self.lookup.place.__contains__)
        opening = max(FEWEST, 4 * self.universe.alone)
        asyncio.run(self.race.run(proposer, self.lookup.tasks, opening))
        right = self._right()
        elapsed_s = time.perf_counter() - start - self.looking_s
        runs = self.lookup.used
        looks = self.looks + [(right, runs)] * (len(self.caps) - len(self.looks))
        nothing = "no lever helps" in self.race.stopped_because
        capped, used = tuple(r for r, _ in looks), tuple(n for _, n in looks)
        return Raced(right, runs, nothing, elapsed_s, capped, used)

    def _right(self) -> bool:
        members = [self.lookup.place[c] for c in self.race.standing().members]
        return self.space.right(np.array(members, dtype=np.intp))

    def _refuse(self, jobs: Jobs) -> str | None:
        runs = self.lookup.used + sum(len(tasks) for _, tasks in jobs)
        if not self.caps or runs <= self.caps[-1]:
            return None
        self._pass(runs)
        return "the last cap is reached"

    def _pass(self, runs: int) -> None:
        while len(self.looks) < len(self.caps) and self.caps[len(self.looks)] < runs:
            start = time.perf_counter()
            known = self.looks[-1] if self.looks else (False, 0)
            seen = self.lookup.used > known[1]
            self.looks.append((self._right() if seen else known[0], self.lookup.used))
            self.looking_s += time.perf_counter() - start


def _one_race(make: Callable[[int], Space], last_cap: int, seed: int) -> Raced:
    return _Contest(make(seed), seed, last_cap).run()


def _one_peer(
    make: Callable[[int], Space], some: Sequence[int], seed: int
) -> list[tuple[list[bool], int]]:
    """For each of some peers: whether each reading is right, and the runs."""
    space = make(seed)
    every = list(peers(*space.runs.shape[:2]))
    looks, answers = Looks(space), []
    for peer in (every[i] for i in some):
        found = peer.search(looks, seed)
        answers.append(([space.right(found.read(slack)) for slack in READINGS], found.runs))
    return answers


def _summary(name: str, sizes: str, right: Sequence[bool], runs: Sequence[int]) -> Made:
    interval = proportion_interval(np.array(right, dtype=np.float64))
    low, high = (0.0 if v is None else v for v in (interval.low, interval.high))
    share = float(np.mean(right))
    middle, most = float(np.median(runs)), float(np.quantile(runs, 0.9))
    return Made(name, sizes, len(right), share, low, high, middle, most)


@dataclass(frozen=True)
class Repetitions:
    """How often leanloop is tried.

    Args:
        stop: Times to where it stops by itself.
        each: Times under caps.
        last_cap: The largest of these; none are tried at 0.
        kept: What was made so far, told apart by ``space``; None to keep nothing.
        space: The space's name.
    """

    stop: int
    each: int
    last_cap: int
    kept: Path | None = None
    space: str = ""

    def races(
        self, make: Callable[[int], Space], cap: int, count: int, pool: ProcessPoolExecutor
    ) -> Iterable[Raced]:
        """Races of the first so many seeds, those that were kept not made again."""
        known = self._known(cap)
        missing = [seed for seed in range(count) if seed not in known]
        made = zip(missing, pool.map(partial(_one_race, make, cap), missing), strict=True)
        for seed, race in made:
            known[seed] = race
            if self.kept is not None:
                with self.kept.open("ab") as file:
                    file.write(msgspec.json.encode(_Kept(self.space, cap, seed, race)) + b"\n")
        return [known[seed] for seed in range(count)]

    def _known(self, cap: int) -> dict[int, Raced]:
        if self.kept is None or not self.kept.is_file():
            return {}
        lines = [msgspec.json.decode(line, type=_Kept) for line in self.kept.open("rb")]
        return {k.seed: k.race for k in lines if (k.space, k.cap) == (self.space, cap)}


class _Kept(msgspec.Struct):
    space: str
    cap: int
    seed: int
    race: Raced


def of_leanloop(
    make: Callable[[int], Space], reps: Repetitions, pool: ProcessPoolExecutor
) -> list[Made]:
    """leanloop's own rows: where it stops by itself, and under the least cap that is enough.

    Args:
        make: The space of a seed.
        reps: Repetitions of each.
        pool: Where they are made.
    """
    rows = list(reps.races(make, 0, reps.stop, pool))
    found = asdict(_summary("leanloop", "", [r.right for r in rows], [r.runs for r in rows]))
    each = [r.elapsed_s / r.runs * 1e3 for r in rows]
    found |= {
        "no_help": float(np.mean([r.nothing for r in rows])),
        "overhead_ms": float(np.median(each)),
    }
    under_caps = reps.each if reps.last_cap >= BUDGETS[0] else 0
    rows = list(reps.races(make, reps.last_cap, under_caps, pool))
    capped = [
        _summary("leanloop", f"{cap} runs", [r.capped[k] for r in rows], [r.used[k] for r in rows])
        for k, cap in enumerate(c for c in BUDGETS if c <= reps.last_cap)
    ]
    if not capped:
        return [Made(**found)]
    enough = next((m for m in capped if m.right >= WANTED), None)
    return [Made(**found), enough or max(capped, key=lambda m: m.right)]


def of_peers(
    make: Callable[[int], Space], reps: int, pool: ProcessPoolExecutor, part: str = ""
) -> list[Made]:
    """For each peer its best choice of sizes, or what is least wrong where none is good enough.

    Args:
        make: The space of a seed.
        reps: Repetitions.
        pool: Where they are made.
        part: Of the names of the peers that are wanted.
    """
    every = list(peers(*make(0).runs.shape[:2]))
    wanted = [i for i, peer in enumerate(every) if part in peer.name]
    first = _peer_rows(make, wanted, range(min(PILOT, reps)), pool)
    best: list[Made] = []
    order = sorted(wanted, key=lambda i: every[i].name)
    for _, group in groupby(order, key=lambda i: every[i].name):
        own = list(group)
        pilot = {i: _best_reading(every[i], first[i]) for i in own}
        hopeful = [i for i in own if pilot[i].right >= HOPE]
        some = hopeful or [max(own, key=lambda i: (pilot[i].right, -pilot[i].runs))]
        best.append(_cheapest(make, every, sorted(some, key=lambda i: pilot[i].runs), reps, pool))
    return best


def _cheapest(
    make: Callable[[int], Space],
    every: Sequence[Peer],
    some: Sequence[int],
    reps: int,
    pool: ProcessPoolExecutor,
) -> Made:
    """The first of some, cheapest first, that is right often enough; else the one most often."""
    found: list[Made] = []
    for i in some:
        row = _best_reading(every[i], _peer_rows(make, [i], range(reps), pool)[i])
        if row.right >= WANTED:
            return row
        found.append(row)
    return max(found, key=lambda m: m.right)


def _peer_rows(
    make: Callable[[int], Space],
    some: Sequence[int],
    seeds: Iterable[int],
    pool: ProcessPoolExecutor,
) -> dict[int, list[tuple[list[bool], int]]]:
    rows = list(pool.map(partial(_one_peer, make, some), seeds))
    return {i: [row[k] for row in rows] for k, i in enumerate(some)}


def _best_reading(peer: Peer, rows: Sequence[tuple[list[bool], int]]) -> Made:
    runs = [r for _, r in rows]
    tables = zip(*(right for right, _ in rows), strict=True)
    made = [
        _summary(peer.name, f"{peer.sizes}, read at {slack:g} zones", right, runs)
        for slack, right in zip(READINGS, tables, strict=True)
    ]
    return max(made, key=lambda m: m.right)


def spaces(path: Path) -> dict[str, Callable[[int], Space]]:
    """Name to what makes the space of a seed."""
    found: dict[str, Callable[[int], Space]] = {
        "no lever helps, 81 configurations": partial(nothing_helps, tasks=3200),
        "a model lever dominates, 108 configurations": partial(one_model, tasks=6400),
        "interactions, 729 configurations": partial(interactions, tasks=3200),
    }
    if path.is_file():
        found["recorded runs on SWE-bench, 10 configurations"] = partial(_shuffled, path)
    return found


def _shuffled(path: Path, seed: int) -> Space:
    return recorded(path)(seed, 0)


def table(name: str, rows: Sequence[Made]) -> str:
    """A space's rows as a table in Markdown, cheapest first, those not right enough last."""
    lines = [
        f"### {name}",
        "",
        "| search | sizes | right (95% interval) | median runs | 90% of repetitions | n |",
        "|---|---|---|---|---|---|",
    ]
    for m in sorted(rows, key=lambda m: (m.right < WANTED, m.runs)):
        right = f"{m.right:.1%} ({m.right_low:.1%}–{m.right_high:.1%})"
        short = "" if m.right >= WANTED else "not reached; at "
        lines.append(
            f"| {m.search} | {m.sizes or 'stops by itself'} | {right} | {short}{m.runs:,.0f} "
            f"| {m.runs_90:,.0f} | {m.repetitions} |"
        )
    own = next((m for m in rows if m.no_help is not None), None)
    if own is not None:
        lines += ["", f'leanloop ended with "no lever helps" in {own.no_help:.0%} of repetitions; ']
        lines[-1] += f"its own work took {own.overhead_ms:.2f} ms a run."
    return "\n".join(lines)


def main() -> None:
    """Print a table for each space; figures as JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reps", type=int, default=200)
    parser.add_argument("--stop-reps", type=int, help="Of leanloop's own stop, if fewer.")
    parser.add_argument("--space", default="", help="Part of a space's name.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--last-cap", type=int, default=LAST_CAP)
    parser.add_argument("--only-leanloop", action="store_true")
    parser.add_argument("--peers", default="", help="Part of the names of the peers wanted.")
    parser.add_argument("--only-peers", action="store_true")
    parser.add_argument("--recorded", type=Path, default=RUNS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="Repetitions made so far; gone on from.")
    given = parser.parse_args()
    every = {}
    with ProcessPoolExecutor(given.jobs) as pool:
        for name, make in spaces(given.recorded).items():
            if given.space not in name:
                continue
            stop = given.reps if given.stop_reps is None else given.stop_reps
            each = Repetitions(stop, given.reps, given.last_cap, given.keep, name)
            rows = [] if given.only_peers else of_leanloop(make, each, pool)
            rows += [] if given.only_leanloop else of_peers(make, given.reps, pool, given.peers)
            every[name] = [asdict(r) for r in rows]
            print(table(name, rows) + "\n", flush=True)
    if given.json:
        given.json.write_text(json.dumps(every, indent=1))


if __name__ == "__main__":
    # One thread a process: the repetitions are what runs side by side.
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.search", *sys.argv[1:]])
    main()
