"""What each lever does alone, on the embedded models: success and every cost axis, paired.

``python -m benchmarks.levers`` runs the back office, made wider where levers need room, under the
baseline and under each lever alone, and prints a table for each model. Runs are kept in
``--store``: a later call makes only what is missing, so it can be stopped at any moment. The
machine must have nothing else to do. ``--json`` keeps the figures, and ``--page`` writes
``docs/levers.md`` from the levers' cards and from ``docs/measured/levers.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.task import Split
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import Card
from leanloop.models.builtin import ModelSpec
from leanloop.search.result import Rule, verdict
from leanloop.search.runtable import RunTable
from leanloop.search.spec import RunLimits, StudySpec, SuiteSpec
from leanloop.search.study import Silent, Study
from leanloop.stats.comparison import Verdict
from leanloop.stats.interval import Interval
from leanloop.store.sql import SqlStore

MODELS = {
    "small": ModelSpec("embedded", "qwen2.5-coder-0.5b", context_tokens=16384),
    "large": ModelSpec("embedded", "qwen2.5-coder-1.5b", context_tokens=16384),
}
FAMILIES = (
    "lookup", "two_hops", "update", "count", "total", "recheck", "parallel", "unsolvable",
)  # fmt: skip
BASELINE: dict[str, Setting] = {"planning.examples": 4, "stopping.max_steps": 12}
TRIED: dict[str, tuple[Setting, ...]] = {
    "memory.keep_observations": (2,),
    "memory.keep_turns": (4,),
    "memory.stable_prefix": ("on",),
    "memory.summarise": ("4000:2",),
    "memory.fold": (400,),
    "memory.truncate_observation": (300,),
    "memory.dedupe": ("on",),
    "memory.notes": ("on",),
    "tools.shortlist": (6,),
    "tools.schema_trim": ("on",),
    "tools.projection": ("on",),
    "tools.result_cache": ("on",),
    "tools.parallel": (4,),
    "tools.program": ("on",),
    "tools.budget_aware": ("on",),
    "planning.examples": ("nearest:2", "off"),
    "planning.plan_first": ("on",),
    "planning.plan_execute": ("on",),
    "planning.dag": ("on",),
    "planning.delegate": ("on",),
    "planning.samples": (3,),
    "stopping.max_steps": (8,),
    "stopping.repeat_guard": (2,),
    "stopping.no_progress": (2,),
    "stopping.token_budget": (16000,),
    "stopping.time_budget": (8,),
    "stopping.self_check": ("on",),
    "model.max_output": (60,),
    "model.route": ("large",),
    "model.escalate": ("large",),
    "model.choice": ("large",),
}
"""Each lever's settings to measure; with the small model acting, models are levers too."""
BESIDE: dict[str, dict[str, Setting]] = {"memory.stable_prefix": {"memory.keep_turns": 4}}
"""What a lever does nothing without."""
PAGE = Path(__file__).parents[1] / "docs" / "levers.md"
MEASURED = PAGE.parent / "measured" / "levers.json"


class Row(msgspec.Struct):
    """A lever's measured effect."""

    model: str
    lever: str
    setting: Setting
    verdict: Verdict


def study_of(model: str, tasks: int) -> Study:
    """The study whose runs are kept, with that model acting."""
    first = {model: MODELS[model]}
    options = {
        "seed": 23, "search_tasks": tasks, "holdout_tasks": 10, "families": FAMILIES,
        "distractors": 10, "noise_characters": 200,
    }  # fmt: skip
    return Study(
        StudySpec(
            name=f"levers-{model}",
            models=first | MODELS,
            suite=SuiteSpec("backoffice", options),
            limits=RunLimits(max_steps=12),
        )
    )


def configurations(model: str) -> Iterator[tuple[str, Setting, Configuration]]:
    """Each lever, its setting, and the baseline with it."""
    for lever, settings in TRIED.items():
        if model == "large" and lever.startswith("model.") and settings == ("large",):
            continue
        for setting in settings:
            yield (
                lever,
                setting,
                Configuration({**BASELINE, **BESIDE.get(lever, {}), lever: setting}),
            )


def measure(model: str, store: SqlStore, tasks: int, only: list[str]) -> Iterator[Row]:
    """Run what is missing; a row as soon as a lever has its runs."""
    study, baseline = study_of(model, tasks), Configuration(BASELINE)
    asyncio.run(study.run_one(baseline, Split.SEARCH, store, Silent()))
    for lever, setting, configuration in configurations(model):
        if only and lever not in only:
            continue
        asyncio.run(study.run_one(configuration, Split.SEARCH, store, Silent()))
        table = RunTable(study.prices)
        for run in store.runs(study.spec.name):
            table.add(run)
        yield Row(model, lever, setting, verdict(table, baseline, configuration, Rule(0.1)))


def show(row: Row) -> str:
    """A row of the table."""
    v = row.verdict
    ratios = " | ".join(_ratio(i) for i in (v.latency_s, v.usd, v.tokens, v.tool_calls))
    return f"| `{row.lever}` = {row.setting} | {_points(v.success)} | {ratios} | {v.success.n} |"


HEAD = (
    "| lever | success, points | seconds × | dollars × | tokens × | tool calls × | n |\n"
    "|---|---|---|---|---|---|---|"
)


def _points(i: Interval) -> str:
    if i.mean is None or i.low is None or i.high is None:
        return "unknown"
    return f"{100 * i.mean:+.0f} ({100 * i.low:+.0f} to {100 * i.high:+.0f})"


def _ratio(i: Interval) -> str:
    if i.mean is None or i.low is None or i.high is None:
        return "unknown"
    return f"{i.mean:.2f} ({i.low:.2f}–{i.high:.2f})"


def page(cards: Mapping[str, Card], rows: list[Row]) -> str:
    """The page of all levers."""
    lines = [
        "# Levers",
        "",
        "Every lever is off unless it is set. `leanloop levers NAME` shows one of these cards.",
        "This page is written by `python -m benchmarks.levers --page`.",
    ]
    for name in sorted(cards):
        lines += ["", *_card(cards[name])]
        own = [r for r in rows if r.lever == name]
        for model in dict.fromkeys(r.model for r in own):
            lines += ["", f"Measured here, {model} model, against the baseline of that run:", ""]
            lines += [HEAD, *(show(r) for r in own if r.model == model)]
    return "\n".join(lines) + "\n"


def _card(card: Card) -> list[str]:
    tried = ", ".join(map(str, card.search)) or "what the study names"
    needs = f" Needs: {', '.join(card.needs)}." if card.needs else ""
    return [
        f"## {card.name}",
        "",
        f"{card.summary} Settings: off, or {card.domain}; a search tries {tried}. "
        f"Acts on: {', '.join(card.acts_on)}.{needs}",
        "",
        f"Source: {card.source}",
    ]


def measured_rows() -> list[Row]:
    """What was measured and kept; nothing where there is no such file."""
    if not MEASURED.is_file():
        return []
    return msgspec.json.decode(MEASURED.read_bytes(), type=list[Row])


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".leanloop/levers.sqlite"))
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--levers", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(page({n: lever.card for n, lever in BUILT_IN.items()}, measured_rows()))
        return
    store = SqlStore(given.store)
    rows: list[Row] = []
    for model in given.models:
        print(f"### {model} model acts\n\n{HEAD}", flush=True)
        for row in measure(model, store, given.tasks, given.levers):
            rows.append(row)
            print(show(row), flush=True)
    store.close()
    if given.json:
        kept: list[dict[str, Any]] = msgspec.to_builtins(rows)
        given.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
