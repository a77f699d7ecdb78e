"""What carries over from one task to the next is worth: each lever along a stream of tasks.

``python -m benchmarks.persistent`` runs a stream of the back office with recurring intents, under
the baseline and under each lever that carries something over, alone and together: first the search
split, cold, learning as it goes; then the holdout, which goes on in the same company, with what the
search left and learning nothing. It prints, for each model, success and what a solved task costs,
beside the baseline on the same tasks, and after how many tasks what was spent on learning was
saved. A request that the same model was sent before is not made again (``benchmarks.remembered``):
``--calls`` is the folder of what was recorded, and ``docs/measured`` has what was recorded so far,
so that a later call, here or elsewhere, makes only what is missing. Runs are kept in ``--store``.
``--json`` keeps the figures, in the place of those of the same model and row, and ``--page`` puts
the tables of ``docs/measured/persistent.json`` into ``docs/persistent.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.levers import machine, points
from benchmarks.remembered import Book, Remembered
from leanloop.core.configuration import Configuration, Setting
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.models.builtin import ModelSpec, build_model
from leanloop.pricing.cost import PriceBook
from leanloop.search.spec import RunLimits, StudySpec, SuiteSpec
from leanloop.search.study import Silent, Study
from leanloop.stats.budget import CostOfPass, costs_of_pass
from leanloop.stats.comparison import paired_difference
from leanloop.stats.interval import Interval, proportion_interval
from leanloop.stats.per_solved import PaidBack, paid_back, per_solved_ratio
from leanloop.stats.resampling import Floats, sample_of
from leanloop.store.sql import SqlStore

MODELS = {
    "small": ModelSpec("embedded", "qwen2.5-coder-0.5b", context_tokens=16384),
    "large": ModelSpec("embedded", "qwen2.5-coder-1.5b", context_tokens=16384),
}
FAMILIES = ("two_hops", "three_hops", "update", "lookup", "count", "compare", "total")
"""Intents; the first comes up most often, the n-th 1/n as often."""
OPTIONS = {
    "seed": 31,
    "search_tasks": 140,
    "holdout_tasks": 60,
    "streams": 1,
    "noise_fields": 2,
    "drift": 0.05,
    "families": FAMILIES,
}
BASELINE: dict[str, Setting] = {"planning.examples": 4}
ROWS: dict[str, dict[str, Setting]] = {
    "none": {},
    "plan_cache": {"planning.plan_cache": "plain"},
    "plan_cache, adapted": {"planning.plan_cache": "small", "memory.warm_prefix": "on"},
    "protocol": {"tools.protocol": "on"},
    "skills": {"memory.skills": "open:1"},
    "facts": {"memory.facts": 4},
    "warm_prefix": {"memory.warm_prefix": "on"},
    "larger model": {"model.choice": "large"},
    "larger model, protocol": {"model.choice": "large", "tools.protocol": "on"},
    "larger model, plan_cache": {"model.choice": "large", "planning.plan_cache": "plain"},
    "plan_cache and facts": {"planning.plan_cache": "plain", "memory.facts": 4},
    "plan_cache, facts, protocol": {
        "planning.plan_cache": "plain",
        "memory.facts": 4,
        "tools.protocol": "on",
    },
}
PART = 20
"""Tasks after which another row has its turn."""
AXES = ("latency_s", "tokens", "usd")
PAGE = Path(__file__).parents[1] / "docs" / "persistent.md"
MEASURED = PAGE.parent / "measured" / "persistent.json"
CALLS = "persistent-{}.calls.jsonl"
"""Where the calls of a model are; packed, beside ``MEASURED``, those that are kept."""
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"


class Side(msgspec.Struct):
    """A row on one split, beside the baseline on the same tasks."""

    split: str
    n: int
    success: Interval
    against: Interval
    per_solved: dict[str, CostOfPass]
    ratio: dict[str, Interval]


class Row(msgspec.Struct):
    """A row of the table.

    Attributes:
        model: Who acts.
        name: What is on beside the baseline.
        settings: The levers.
        sides: Search, cold; holdout, warm.
        repeated: The tasks of the search whose intent the row had solved before, beside
            the baseline on the same tasks.
        paid_back: When the search's own head start was saved, by axis.
        reached: Success by quarters of the search.
    """

    model: str
    name: str
    settings: dict[str, Setting]
    sides: list[Side]
    repeated: Side | None
    paid_back: dict[str, PaidBack]
    reached: list[Interval]


class Measured(msgspec.Struct):
    """What was measured, on what, and when."""

    day: str
    machine: str
    cores: int
    rows: list[Row]
    note: str = ""


def spec_of(model: str) -> StudySpec:
    """The study whose runs are kept, with that model acting."""
    return StudySpec(
        name=f"persistent-{model}",
        models={model: MODELS[model]} | MODELS,
        suite=SuiteSpec("backoffice", OPTIONS),
        limits=RunLimits(max_steps=10),
    )


def remembered(calls: Path) -> dict[str, Remembered]:
    """The models, each with what was recorded of it."""
    where = f"{machine()}, {today()}"
    books = {m: Book(calls / CALLS.format(m), where, kept_calls(m)) for m in MODELS}
    return {m: Remembered(build_model(m, spec), books[m]) for m, spec in MODELS.items()}


def today() -> str:
    """The day, in UTC."""
    return datetime.now(tz=UTC).date().isoformat()


def kept_calls(model: str) -> Path:
    """What is kept of a model's calls."""
    return MEASURED.parent / f"{CALLS.format(model)}.gz"


def configuration_of(name: str) -> Configuration:
    """The baseline with a row's levers."""
    return Configuration({**BASELINE, **ROWS[name]})


def measure(
    study: Study, store: SqlStore, names: Sequence[str], most: Mapping[Split, int]
) -> Iterator[Row]:
    """Run what is missing, every row a part of the stream in turn; then the rows.

    However soon it is stopped, all rows have about as many tasks.
    """
    every = list(dict.fromkeys(("none", *names)))
    for split in Split:
        count = min(most[split], len(study.suite.tasks(split)))
        for first in range(PART, count + PART, PART):
            for name in every:
                todo = study.run_one(configuration_of(name), split, store, Silent(), first)
                asyncio.run(todo)
    runs = [r for r in store.runs(study.spec.name) if r.success is not None]
    for name in every:
        yield row_of(study, name, runs)


def row_of(study: Study, name: str, runs: Sequence[Run], beside: str = "none") -> Row:
    """A row from the runs that there are, beside another, on the tasks that both have."""
    model, prices = study.spec.default_model, study.prices
    base, own = _by_task(runs, beside), _by_task(runs, name)
    both = sorted(base.keys() & own.keys(), key=lambda t: (base[t].split, base[t].position or 0))
    search = [t for t in both if base[t].split is Split.SEARCH]
    holdout = [t for t in both if base[t].split is Split.HOLDOUT]
    seen = _repeated(own, search)
    pairs = {t: (_values(base[t], prices), _values(own[t], prices)) for t in both}
    costs = [np.array([pairs[t][i] for t in search]).reshape(len(search), -1) for i in (0, 1)]
    return Row(
        model,
        name,
        dict(ROWS[name]),
        [
            _side(str(split), [pairs[t] for t in some])
            for split, some in ((Split.SEARCH, search), (Split.HOLDOUT, holdout))
            if some
        ],
        _side("repeated", [pairs[t] for t in seen]) if seen else None,
        {a: paid_back(costs[0][:, i], costs[1][:, i]) for i, a in enumerate(AXES, 1)},
        [proportion_interval(q[:, 0]) for q in np.array_split(costs[1], 4) if len(q)],
    )


def _by_task(runs: Sequence[Run], name: str) -> dict[str, Run]:
    wanted = configuration_of(name).id
    return {r.key.task_id: r for r in runs if r.key.configuration_id == wanted}


def _repeated(own: Mapping[str, Run], tasks: Sequence[str]) -> list[str]:
    """Tasks whose intent was solved earlier in the stream."""
    solved: set[str] = set()
    found = []
    for task in tasks:
        if own[task].family in solved:
            found.append(task)
        if own[task].success == 1:
            solved.add(own[task].family)
    return found


def _values(run: Run, prices: PriceBook) -> tuple[float, ...]:
    cost = prices.cost(run)
    # What was recalled took no time now: the calls' own seconds, not those that went by.
    axes = [run.critical_path_s, cost.axis("tokens"), cost.axis("usd")]
    return (run.success or 0.0, *(np.nan if a is None else a for a in axes))


def _side(split: str, pairs: Sequence[tuple[tuple[float, ...], tuple[float, ...]]]) -> Side:
    base, own = (np.array([p[i] for p in pairs], dtype=float).T for i in (0, 1))
    sample = sample_of(len(pairs))
    success: Floats = own[:1]
    return Side(
        split,
        len(pairs),
        proportion_interval(own[0]),
        paired_difference(base[0], own[0]),
        {a: costs_of_pass(success, own[i : i + 1], sample)[0] for i, a in enumerate(AXES, 1)},
        {a: per_solved_ratio(base[[0, i]], own[[0, i]], sample) for i, a in enumerate(AXES, 1)},
    )


HEAD = (
    "| | n | success | points | seconds a solved task | × | tokens a solved task | × "
    "| $ a 1000 solved tasks | × |\n|---|---|---|---|---|---|---|---|---|---|"
)


def show(row: Row) -> str:
    """The lines of a row."""
    sides = [*row.sides, *([row.repeated] if row.repeated else [])]
    lines = [_line(f"{row.name}, {_named(s.split)}", s) for s in sides]
    return "\n".join(lines)


def _named(split: str) -> str:
    return {"search": "cold", "holdout": "warm", "repeated": "repeated intents"}[split]


def _line(name: str, s: Side) -> str:
    cells = [name, s.n, share(s.success), points(s.against)]
    for axis in AXES:
        each, digits = (1000, 3) if axis == "usd" else (1, 0)
        cells += [_pass(s.per_solved[axis], each, digits), ratio(s.ratio[axis])]
    return "| " + " | ".join(map(str, cells)) + " |"


def share(i: Interval) -> str:
    """Success with its interval."""
    return f"{i.mean:.2f} ({i.low:.2f}–{i.high:.2f})" if i.mean is not None else "unknown"


def _pass(c: CostOfPass, each: int, digits: int) -> str:
    if c.infinite or c.mean is None:
        return "none solved" if c.infinite else "unknown"
    low, mean = (f"{each * x:,.{digits}f}" for x in (c.low or 0, c.mean))
    high = "…" if c.high is None else f"{each * c.high:,.{digits}f}"
    return f"{mean} ({low}–{high})"


def ratio(i: Interval) -> str:
    """A ratio with its interval."""
    if i.mean is None:
        return "unknown"
    ends = ["…" if x is None else f"{x:.2f}" for x in (i.low, i.high)]
    return f"{i.mean:.2f} ({ends[0]}–{ends[1]})"


def page(measured: Measured) -> str:
    """The tables, each model's after the other."""
    named = ", ".join(f"{n} is {m.name}" for n, m in MODELS.items())
    options = ", ".join(f"{k} {v}" for k, v in OPTIONS.items() if k != "families")
    lines = [
        f"Measured on {measured.day}, {measured.cores} core(s) of {measured.machine}: the back "
        f"office ({options}; {', '.join(FAMILIES)}, the n-th 1/n as often). Baseline: "
        f"{' '.join(f'`{k}={v}`' for k, v in BASELINE.items())}. Models: {named}. {measured.note} "
        "Cold is the search split, learning from nothing on; warm the holdout with what that left, "
        "learning no more; repeated intents are the tasks of the search of a kind that the row had "
        "solved before. Behind × is the ratio to the baseline on the same tasks; 95% intervals. "
        "Seconds are those that a core worked for the model. A request that the same model was "
        "sent before, under whichever row, is not made again: what it came to stands for it.",
    ]
    for model in dict.fromkeys(r.model for r in measured.rows):
        rows = sorted((r for r in measured.rows if r.model == model), key=_place)
        lines += ["", f"### {model} model acts", "", HEAD, *map(show, rows), ""]
        lines += [f"- {line}" for r in rows if r.name != "none" for line in _paid_lines(r)]
    return "\n".join(lines) + "\n"


def _place(row: Row) -> int:
    return list(ROWS).index(row.name)


def with_tables(text: str) -> str:
    """The page of docs with the tables of what was measured in their place."""
    known = msgspec.json.decode(MEASURED.read_bytes(), type=Measured)
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + page(known) + END + rest.partition(END)[2]


def _paid_lines(row: Row) -> Iterator[str]:
    for axis, back in row.paid_back.items():
        if axis == "usd":
            continue
        what = {"latency_s": "seconds", "tokens": "tokens"}[axis]
        if back.after is None:
            yield f"{row.name}: {what} not paid back within {back.n} tasks."
        else:
            shown = f"shown after {back.shown_after}" if back.shown_after else "not shown at 95%"
            yield f"{row.name}: {what} paid back after {back.after} of {back.n} tasks, {shown}."


def _others(path: Path, rows: Sequence[Row]) -> list[Row]:
    if not path.is_file():
        return []
    now = {(r.model, r.name) for r in rows}
    kept = msgspec.json.decode(path.read_bytes(), type=Measured).rows
    return [r for r in kept if (r.model, r.name) not in now]


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".leanloop/persistent.sqlite"))
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--tasks", type=int, default=140, help="Of the search, at most.")
    parser.add_argument("--holdout-tasks", type=int, default=60, help="Of the holdout, at most.")
    parser.add_argument("--calls", type=Path, default=Path(".leanloop"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--note", default="", help="What else there is to know of the machine.")
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(with_tables(PAGE.read_text()))
        return
    most = {Split.SEARCH: given.tasks, Split.HOLDOUT: given.holdout_tasks}
    store, rows, models = SqlStore(given.store), [], remembered(given.calls)
    for model in given.models:
        print(f"### {model} model acts\n\n{HEAD}", flush=True)
        study = Study(spec_of(model), models=models)
        for row in measure(study, store, given.rows, most):
            rows.append(row)
            print(show(row), flush=True)
    store.close()
    for name, model in models.items():
        print(f"{name}: {model.said()}", flush=True)
        if given.json:
            model.book.keep()
    if given.json:
        rows = [*_others(given.json, rows), *rows]
        kept = Measured(today(), machine(), len(os.sched_getaffinity(0)), rows, given.note)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


if __name__ == "__main__":
    main()
