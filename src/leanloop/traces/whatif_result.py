"""What a what-if says."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import Setting
from leanloop.stats.interval import Interval
from leanloop.traces.known_effects import KnownEffect
from leanloop.traces.reading import Skipped


class Change(msgspec.Struct, frozen=True):
    """What a configuration would have changed, had the agent done the same.

    Ratios are of totals over runs, paired by run and clustered by task; below 1 is less.

    Attributes:
        settings: Lever to setting.
        model: The model whose prices are taken; empty for the recorded one.
        tokens: Ratio of all tokens.
        usd: Ratio of dollars with prompts cached by the provider's rule, on both sides.
        usd_uncached: Ratio of dollars with nothing cached, on both sides.
        seconds: Ratio of model and tool seconds; a call that is still made takes as long.
        model_calls: Ratio of queries.
        tool_calls: Ratio of calls that a tool answers.
        usd_saved: Dollars saved in all, cached; negative when it costs more. None when unknown.
        tokens_saved: Tokens saved in all.
        cut_runs: Runs that a lever would have ended early.
        cut_solved: Of these, recorded as solved: at most so many would have been lost.
        cut_failed: Of these, recorded as failed.
        changed_runs: Runs in which anything sent differs.
        known: What others report of these levers.
        notes: What this figure leaves out.
    """

    settings: dict[str, Setting]
    model: str
    tokens: Interval
    usd: Interval
    usd_uncached: Interval
    seconds: Interval
    model_calls: Interval
    tool_calls: Interval
    usd_saved: float | None
    tokens_saved: int
    cut_runs: int
    cut_solved: int
    cut_failed: int
    changed_runs: int
    known: tuple[KnownEffect, ...] = ()
    notes: tuple[str, ...] = ()


class Baseline(msgspec.Struct, frozen=True):
    """The runs as they were recorded, counted the same way.

    Attributes:
        runs: How many.
        solved: How many are recorded as solved; None where traces do not say.
        input_tokens: All input.
        output_tokens: All output.
        model_calls: Queries.
        tool_calls: Tool calls.
        usd: Dollars with prompts cached by the provider's rule; None when unknown.
        usd_uncached: Dollars with nothing cached; None when unknown.
        recorded_usd: As recorded; None when unknown.
        reported_runs: Runs whose tokens are reported and not estimated.
    """

    runs: int
    solved: int | None
    input_tokens: int
    output_tokens: int
    model_calls: int
    tool_calls: int
    usd: float | None
    usd_uncached: float | None
    recorded_usd: float | None
    reported_runs: int


class WhatIf(msgspec.Struct, frozen=True):
    """Same-path estimates: what levers would have changed, had the agent done the same.

    Attributes:
        baseline: The runs as recorded.
        changes: One for each configuration, in the order asked, or the best first.
        evidence: ``estimated``: no figure here was run.
        left_out: Lever to why it cannot be judged on recorded runs.
        notes: What else a reader must know.
        skipped: What could not be read.
    """

    baseline: Baseline
    changes: tuple[Change, ...]
    evidence: str
    left_out: dict[str, str]
    notes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
