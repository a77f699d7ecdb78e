"""Whether design moves an agent further than a larger model, along a stream of tasks.

``python -m benchmarks.design_or_size`` runs the stream of ``benchmarks.persistent`` with the small
model and with the larger one, each alone, with contracts around its tools, and with a cache of
plans, and compares all six with the small model alone, and with the larger model alone. What was
recorded there is not run again. ``--json`` keeps the figures and ``--page`` puts the table into
``docs/design-or-size.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks import persistent
from benchmarks.levers import machine, points
from benchmarks.persistent import AXES, Row, Side
from leanloop.core.task import Split
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore

NAMES = {
    "none": "small model",
    "protocol": "small model, contracts (`tools.protocol`)",
    "plan_cache": "small model, plans (`planning.plan_cache`)",
    "larger model": "larger model",
    "larger model, protocol": "larger model, contracts",
    "larger model, plan_cache": "larger model, plans",
}
"""Row of the stream to what the page calls it."""
SIZE = "larger model"
PAGE = persistent.PAGE.parent / "design-or-size.md"
MEASURED = PAGE.parent / "measured" / "design-or-size.json"
HEAD = (
    "| who acts | n | success | points beside the small model | points beside the larger | "
    "tokens a solved task, × small | seconds a solved task, × small |\n"
    "|---|---|---|---|---|---|---|"
)


class Pair(msgspec.Struct):
    """A row beside the small model alone, and beside the larger one alone."""

    beside_small: Row
    beside_large: Row


class Answer(msgspec.Struct):
    """What was measured, when and on what."""

    day: str
    machine: str
    rows: list[Pair]


def answer(store: SqlStore, calls: Path, most: Mapping[Split, int]) -> Answer:
    """Run what is missing and compare."""
    study = Study(persistent.spec_of("small"), models=persistent.remembered(calls))
    list(persistent.measure(study, store, list(NAMES), most))
    runs = [r for r in store.runs(study.spec.name) if r.success is not None]
    rows = [
        Pair(*(persistent.row_of(study, n, runs, beside) for beside in ("none", SIZE)))
        for n in NAMES
    ]
    return Answer(persistent.today(), machine(), rows)


def table(found: Answer) -> str:
    """The page's tables, and the answer in a sentence a lever."""
    lines = [
        f"Measured on {found.day}, {found.machine}: small is {persistent.MODELS['small'].name}, "
        f"larger {persistent.MODELS['large'].name}; both with "
        f"`{' '.join(f'{k}={v}' for k, v in persistent.BASELINE.items())}`. Paired by task, 95% "
        "intervals; seconds are those of a core. Cold is the search split, learning from nothing "
        "on; warm the holdout with what that left.",
    ]
    for split, title in ((Split.SEARCH, "Cold"), (Split.HOLDOUT, "Warm")):
        rows = [_line(p, split) for p in found.rows if _side(p.beside_small, split)]
        if rows:
            lines += ["", f"## {title}", "", HEAD, *rows]
    return "\n".join([*lines, "", *_said(found)]) + "\n"


def _side(row: Row, split: Split) -> Side | None:
    return next((s for s in row.sides if s.split == str(split)), None)


def _line(pair: Pair, split: Split) -> str:
    small, large = _side(pair.beside_small, split), _side(pair.beside_large, split)
    assert small is not None
    cells = [NAMES[pair.beside_small.name], small.n, persistent.share(small.success)]
    cells += [points(small.against), points(large.against) if large else "unknown"]
    cells += [persistent.ratio(small.ratio[a]) for a in (AXES[1], AXES[0])]
    return "| " + " | ".join(map(str, cells)) + " |"


def _said(found: Answer) -> list[str]:
    """For each lever on the small model: whether it moves success more than size does."""
    lines = []
    for pair in found.rows:
        side = _side(pair.beside_large, Split.SEARCH)
        if pair.beside_small.name not in {"protocol", "plan_cache"} or side is None:
            continue
        low, high = side.against.low, side.against.high
        verdict = "the difference is not shown"
        if low is not None and low > 0:
            verdict = "the lever moves success further than the larger model"
        if high is not None and high < 0:
            verdict = "the larger model moves success further than the lever"
        lines.append(
            f"- {NAMES[pair.beside_small.name]}, beside the larger model without it, cold: "
            f"{points(side.against)} points (n {side.n}), so {verdict}; tokens a solved task "
            f"× {persistent.ratio(side.ratio['tokens'])}, seconds "
            f"× {persistent.ratio(side.ratio['latency_s'])}."
        )
    return lines


def with_table(text: str) -> str:
    """The page with what was measured in its place."""
    before, _, rest = text.partition(persistent.BEGIN)
    found = msgspec.json.decode(MEASURED.read_bytes(), type=Answer)
    end = persistent.END
    return before + persistent.BEGIN + table(found) + end + rest.partition(end)[2]


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".leanloop/persistent.sqlite"))
    parser.add_argument("--calls", type=Path, default=Path(".leanloop"))
    parser.add_argument("--tasks", type=int, default=140, help="Of the search, at most.")
    parser.add_argument("--holdout-tasks", type=int, default=60, help="Of the holdout, at most.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(with_table(PAGE.read_text()))
        return
    store = SqlStore(given.store)
    most = {Split.SEARCH: given.tasks, Split.HOLDOUT: given.holdout_tasks}
    found = answer(store, given.calls, most)
    store.close()
    print(table(found))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


if __name__ == "__main__":
    main()
