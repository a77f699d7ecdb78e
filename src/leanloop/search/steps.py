"""Where the cost of runs goes, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leanloop.core.run import Run, Step
from leanloop.core.tokens import Tokens, sum_tokens
from leanloop.pricing.cost import PriceBook
from leanloop.search.result import StepCost


def cost_by_step(runs: Iterable[Run], prices: PriceBook) -> tuple[StepCost, ...]:
    """Mean cost of the first, second, … step over the runs that got that far."""
    every = [run.steps for run in runs]
    longest = max((len(steps) for steps in every), default=0)
    return tuple(
        _step(i + 1, [steps[i] for steps in every if len(steps) > i], prices)
        for i in range(longest)
    )


def _step(number: int, steps: Sequence[Step], prices: PriceBook) -> StepCost:
    tokens = sum_tokens(c.tokens for s in steps for c in s.model_calls)
    calls = [c for s in steps for c in s.model_calls]
    dollars = [prices.call_usd(c) for c in calls]
    n = len(steps)
    total = None if None in dollars else sum(float(d) for d in dollars if d is not None)
    return StepCost(
        step=number,
        runs=n,
        uncached_input_tokens=_mean(_uncached(tokens), n),
        cache_read_tokens=_mean(tokens.cache_read_tokens, n),
        output_tokens=_mean(tokens.all_output_tokens, n),
        latency_s=sum(c.latency_s for c in calls) / n,
        usd=None if total is None else total / n,
    )


def _uncached(tokens: Tokens) -> int | None:
    """Input that was not read from a cache: plain and written."""
    if tokens.input_tokens is None or tokens.cache_read_tokens is None:
        return None
    return tokens.input_tokens - tokens.cache_read_tokens


def _mean(total: int | None, n: int) -> float | None:
    return None if total is None else total / n
