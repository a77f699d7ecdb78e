"""A what-if in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from leanloop.report.profile_words import dollars
from leanloop.stats.interval import Interval
from leanloop.traces.whatif_result import Baseline, Change, WhatIf

MOST = 40


UNKNOWN = "dollars unknown (--prices FILE.toml, or a study's file, states prices)"


def show_whatif(console: Console, answer: WhatIf) -> None:
    """Print a what-if."""
    console.print(_said(answer.baseline))
    console.print(
        "Estimates on the recorded path: the agent might act otherwise. Ratios of totals, below 1 "
        "is less, 95% intervals over tasks."
    )
    table = Table()
    for name in ("", "tokens ×", "dollars ×", "uncached ×", "seconds ×", "ended early"):
        table.add_column(name, overflow="fold")
    for change in answer.changes[:MOST]:
        table.add_row(
            _named(change),
            _ratio(change.tokens),
            _ratio(change.usd),
            _ratio(change.usd_uncached),
            _ratio(change.seconds),
            _cut(change),
        )
    console.print(table)
    if len(answer.changes) > MOST:
        console.print(f"{len(answer.changes) - MOST} more are in --json.")
    console.print(
        "Dollars: prompts cached by the provider's rule, on both sides; uncached: nothing is, "
        "on both."
    )
    for line in dict.fromkeys(_reported(answer)):
        console.print(line)
    for note in answer.notes:
        console.print(f"Note: {note}")
    for s in answer.skipped:
        console.print(f"Skipped: {s.source}: {s.why}, {s.count:,} times, first at {s.first}.")
    for name, why in answer.left_out.items():
        console.print(f"Not judged: {name}: {why}.")


def _said(b: Baseline) -> str:
    solved = "" if b.solved is None else f", {b.solved:,} solved"
    usd = UNKNOWN if b.usd is None else f"{dollars(b.usd)} (modelled)"
    if b.usd_uncached is not None:
        usd += f", {dollars(b.usd_uncached)} with nothing cached"
    if b.recorded_usd is not None:
        usd += f", {dollars(b.recorded_usd)} as recorded"
    estimated = b.runs - b.reported_runs
    mark = f" (estimated in {estimated:,} runs)" if estimated else ""
    return (
        f"{b.runs:,} runs{solved}: {b.model_calls:,} model calls, {b.tool_calls:,} tool calls, "
        f"{b.input_tokens + b.output_tokens:,} tokens{mark}, {usd}."
    )


def _named(change: Change) -> str:
    levers = [f"{k}={v}" for k, v in change.settings.items()]
    return (
        " ".join([*levers, *([f"prices of {change.model}"] if change.model else [])]) or "as it is"
    )


def _ratio(i: Interval) -> str:
    if i.mean is None:
        return "unknown"
    if i.low is None or i.high is None or i.low == i.high:
        return f"{i.mean:.2f}"
    return f"{i.mean:.2f} ({i.low:.2f}–{i.high:.2f})"


def _cut(change: Change) -> str:
    if not change.cut_runs:
        return "none"
    return f"{change.cut_runs} ({change.cut_solved} solved, {change.cut_failed} failed)"


def _reported(answer: WhatIf) -> list[str]:
    lines = []
    for change in answer.changes:
        for e in change.known:
            parts = [] if e.cost is None else [f"cost ×{e.cost:g}"]
            parts += [] if e.success_points is None else [f"success {e.success_points:+g} points"]
            lines.append(f"Others report of {e.lever}: {', '.join(parts)} ({e.source}).")
        lines += [f"Note: {n}: {note}." for n in change.settings for note in _own(change, n)]
    return lines


def _own(change: Change, name: str) -> tuple[str, ...]:
    return change.notes if len(change.settings) == 1 and name in change.settings else ()
