"""What each lever does alone, on the embedded models: success and every cost axis, paired.

``python -m benchmarks.levers`` runs the back office, made wider where levers need room, under the
baseline and under each lever alone, and prints a table for each model. Runs are kept in
``--store``: a later call makes only what is missing, so it can be stopped at any moment. The
machine must have nothing else to do. ``--json`` keeps the figures, in the place of those of the
same model and lever that the file has, and ``--page`` writes
``docs/levers.md`` from the levers' cards and from ``docs/measured/levers.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.task import Split
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import Card
from leanloop.models.builtin import ModelSpec
from leanloop.search.result import Member, Result, Rule, verdict
from leanloop.search.runtable import RunTable
from leanloop.search.spec import RunLimits, StudySpec, SuiteSpec, read_study
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
OPTIONS = {"seed": 23, "holdout_tasks": 10, "distractors": 10, "noise_characters": 200}
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
STREAMED = frozenset(
    {
        *("memory.facts", "memory.skills", "memory.warm_prefix"),
        *("planning.plan_cache", "tools.protocol"),
    }
)
"""Levers that are measured by ``benchmarks.persistent``."""
PAGE = Path(__file__).parents[1] / "docs" / "levers.md"
MEASURED = PAGE.parent / "measured" / "levers.json"
SEARCHED = PAGE.parent / "measured" / "every-lever.json"
"""What ``--searched`` kept of ``leanloop optimize examples/every_lever.toml --json``."""


class Row(msgspec.Struct):
    """A lever's measured effect."""

    model: str
    lever: str
    setting: Setting
    verdict: Verdict


class Measured(msgspec.Struct):
    """What was measured, on what, and when."""

    day: str
    machine: str
    cores: int
    rows: list[Row]
    note: str = ""


class Searched(msgspec.Struct):
    """What one search over every lever came to, on what, and when."""

    day: str
    machine: str
    cores: int
    max_wall_s: float
    note: str
    result: Result


def study_of(model: str, tasks: int) -> Study:
    """The study whose runs are kept, with that model acting."""
    first = {model: MODELS[model]}
    options = {**OPTIONS, "search_tasks": tasks, "families": FAMILIES}
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
    return f"| `{row.lever}` = {row.setting} | {points(v.success)} | {ratios} | {v.success.n} |"


HEAD = (
    "| lever | success, points | seconds × | dollars × | tokens × | tool calls × | n |\n"
    "|---|---|---|---|---|---|---|"
)


def points(i: Interval) -> str:
    """A difference of success in points, with its interval."""
    if i.mean is None or i.low is None or i.high is None:
        return "unknown"
    return f"{100 * i.mean:+.0f} ({100 * i.low:+.0f} to {100 * i.high:+.0f})"


def _ratio(i: Interval) -> str:
    if i.mean is None or i.low is None or i.high is None:
        return "unknown"
    return f"{i.mean:.2f} ({i.low:.2f}–{i.high:.2f})"


AXES = {"latency_s": "seconds", "usd": "dollars", "tokens": "tokens", "tool_calls": "tool calls"}


def page(
    cards: Mapping[str, Card], measured: Measured | None, searched: Searched | None = None
) -> str:
    """The page of all levers."""
    lines = [
        "# Levers",
        "",
        "Every lever is off unless it is set. `leanloop levers NAME` shows one of these cards.",
        "This page is written by `python -m benchmarks.levers --page`.",
    ]
    if measured is not None:
        lines += ["", *_how(measured)]
    for name in sorted(cards):
        lines += ["", *_card(cards[name])]
        if measured is not None:
            lines += _found(name, [r for r in measured.rows if r.lever == name])
    if searched is not None:
        lines += ["", *_at_once(searched)]
    return "\n".join(lines) + "\n"


def _how(measured: Measured) -> list[str]:
    baseline = " ".join(f"`{k}={v}`" for k, v in BASELINE.items())
    named = ", ".join(f"{n} is {m.name}" for n, m in MODELS.items())
    wide = f"{OPTIONS['distractors']} tools that no task needs, "
    wide += f"{OPTIONS['noise_characters']} characters of noise in each record"
    text = (
        f"Measured on {measured.day}: the back office ({', '.join(FAMILIES)}; {wide}), each lever "
        f"alone against {baseline}, the same tasks, 95% intervals. Models: {named}, by llama.cpp "
        f"on {measured.cores} core(s) of {measured.machine}. {measured.note} Dollars are seconds "
        "here: the machine at $0.10 an hour. With so few tasks only large effects show; what a "
        "lever does where runs are long is not seen: most of these end within five steps."
    )
    return [" ".join(text.split())]


def _at_once(searched: Searched) -> list[str]:
    """What one search over every lever came to."""
    r = searched.result
    members = [(m, m.id == r.baseline.id) for m in (r.baseline, *r.frontier, *r.others)]
    tested = {m.id: (m, base) for m, base in members if m.holdout is not None}
    head = "| configuration | n | success | points | tokens | × | seconds × |"
    rows = [_tested(m, base) for m, base in tested.values()]
    chosen = (
        f"It recommends {_set(r.member(r.recommended))}" if r.recommended else "It recommends none"
    )
    helps = "" if r.p_helps is None else f" That something beats the baseline: p {r.p_helps:.2g}."
    text = (
        f"`leanloop optimize examples/every_lever.toml`, on {searched.day}, within "
        f"{searched.max_wall_s:g} s on {searched.cores} core(s) of {searched.machine}: {r.runs} "
        f"runs of {r.configurations} configurations ({len(r.levers)} settings alone), success "
        f"against tokens, both embedded models among the levers. {searched.note} The search "
        f"ended because {r.stopped_because}. {len(r.frontier)} are called the frontier, "
        f"{len(r.dropped)} were dropped.{helps} {chosen}: {r.recommendation}. On the "
        "holdout, mean and 95% interval:"
    )
    lines = ["## All of them in one search", "", " ".join(text.split()), "", head]
    return [*lines, "|---|---|---|---|---|---|---|", *rows]


def _tested(member: Member, base: bool) -> str:
    found, v = member.holdout, member.verdict
    assert found is not None
    against = ("", "", "")
    if v is not None:
        against = (points(v.success), _ratio(v.tokens), _ratio(v.latency_s))
    share = f"{found.success.mean:.2f} ({found.success.low:.2f}–{found.success.high:.2f})"
    tokens = f"{found.tokens.mean:,.0f} ({found.tokens.low:,.0f}–{found.tokens.high:,.0f})"
    name = "baseline" if base else _set(member)
    cells = (name, found.success.n, share, against[0], tokens, against[1], against[2])
    return "| " + " | ".join(map(str, cells)) + " |"


def _set(member: Member | None) -> str:
    settings = {} if member is None else member.settings
    return " ".join(f"`{k}={v}`" for k, v in settings.items()) or "all off"


def _found(name: str, rows: list[Row]) -> list[str]:
    if name in STREAMED:
        return ["", "What it gives shows along a stream of tasks: [persistent.md](persistent.md)."]
    if not rows:
        return ["", "Not measured here."]
    lines: list[str] = []
    for model in dict.fromkeys(r.model for r in rows):
        own = [r for r in rows if r.model == model]
        lines += ["", f"Measured here, {model} model, against the baseline of that run:", ""]
        lines += [HEAD, *map(show, own), "", " ".join(map(_said, own))]
    flips = sorted(_flips(rows))
    return lines + (
        ["", f"The sign of {name} flips between models: {', '.join(flips)}."] if flips else []
    )


def _said(row: Row) -> str:
    """What is shown at 95%, in words."""
    shown = []
    for word, side in _sides(row).items():
        if side:
            shown.append(
                f"{'more' if side > 0 else 'less'} {word}".replace("less tool", "fewer tool")
            )
    if not shown:
        return f"At {row.setting} no effect is shown here."
    return f"Shown at {row.setting}: {', '.join(shown)}."


def _sides(row: Row) -> dict[str, int]:
    """Axis to 1 where more of it is shown, -1 where less, 0 where neither."""
    sides = {"success": _side(row.verdict.success, 0.0)}
    for axis, word in AXES.items():
        sides[word] = _side(getattr(row.verdict, axis), 1.0)
    return sides


def _side(i: Interval, nothing: float) -> int:
    if i.low is None or i.high is None:
        return 0
    return int(i.low > nothing) - int(i.high < nothing)


def _flips(rows: list[Row]) -> set[str]:
    """Axes on which a setting does one thing on a model and the opposite on another."""
    found: dict[tuple[Setting, str], set[int]] = {}
    for row in rows:
        for word, side in _sides(row).items():
            found.setdefault((row.setting, word), set()).add(side)
    return {f"{word} at {setting}" for (setting, word), sides in found.items() if {1, -1} <= sides}


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


def measured() -> Measured | None:
    """What was measured and kept; None where there is no such file."""
    if not MEASURED.is_file():
        return None
    return msgspec.json.decode(MEASURED.read_bytes(), type=Measured)


def searched() -> Searched | None:
    """What the search over every lever came to; None where it was not kept."""
    if not SEARCHED.is_file():
        return None
    return msgspec.json.decode(SEARCHED.read_bytes(), type=Searched)


def keep_searched(path: Path, note: str) -> None:
    """Keep a result of the search over every lever, with what it ran on: this machine.

    Args:
        path: What ``leanloop optimize --json`` printed.
        note: What else there is to know of the machine.
    """
    result = msgspec.json.decode(path.read_bytes(), type=Result)
    spec = read_study(PAGE.parents[1] / "examples" / "every_lever.toml")
    today = datetime.now(tz=UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    kept = Searched(today, machine(), cores, spec.budget.max_wall_s or 0.0, note, result)
    SEARCHED.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def machine() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.is_file() else []
    found = (x.partition(":")[2].strip() for x in names if x.startswith("model name"))
    return next(found, platform.processor() or "an unknown processor")


def _others(path: Path, rows: list[Row]) -> list[Row]:
    """What the file has beside what was measured now."""
    if not path.is_file():
        return []
    now = {(r.model, r.lever) for r in rows}
    kept = msgspec.json.decode(path.read_bytes(), type=Measured).rows
    return [r for r in kept if (r.model, r.lever) not in now]


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".leanloop/levers.sqlite"))
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--levers", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--note", default="", help="What else there is to know of the machine.")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--searched", type=Path, help="Keep the result of every_lever.toml.")
    given = parser.parse_args()
    if given.searched:
        keep_searched(given.searched, given.note)
        return
    if given.page:
        cards = {n: lever.card for n, lever in BUILT_IN.items()}
        PAGE.write_text(page(cards, measured(), searched()))
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
        rows = [*_others(given.json, rows), *rows]
        cores = len(os.sched_getaffinity(0))
        kept = Measured(datetime.now(tz=UTC).date().isoformat(), machine(), cores, rows, given.note)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


if __name__ == "__main__":
    main()
