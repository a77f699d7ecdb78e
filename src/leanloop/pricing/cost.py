"""The cost of a run on its four axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from leanloop.core.run import ModelCall, Run
from leanloop.pricing.protocol import PriceRule

AXES = ("usd", "latency_s", "tokens", "tool_calls")
"""The cost axes, in the order in which they are shown."""


@dataclass(frozen=True)
class Cost:
    """What a run cost; None is unknown.

    Args:
        usd: Dollars.
        latency_s: Wall seconds.
        tokens: All input and output, cached or not.
        tool_calls: Calls that reached a tool.
    """

    usd: Decimal | None
    latency_s: float | None
    tokens: float | None
    tool_calls: float | None

    def axis(self, name: str) -> float | None:
        """The figure on one of ``AXES``, as a float for statistics."""
        value = getattr(self, name)
        return None if value is None else float(value)


class PriceBook:
    """Prices runs by a rule for each of a study's models.

    Args:
        rules: The study's name for a model, to its rule.
    """

    def __init__(self, rules: Mapping[str, PriceRule]) -> None:
        self._rules = dict(rules)

    def call_usd(self, call: ModelCall) -> Decimal | None:
        """Dollars of one call; None when they are unknown."""
        rule = self._rules.get(call.model)
        return None if rule is None else rule.usd(call)

    def run_usd(self, run: Run) -> Decimal | None:
        """Dollars of a run; None as soon as one call's are unknown."""
        if run.recorded is not None:
            return None if run.recorded.usd is None else Decimal(repr(run.recorded.usd))
        total = Decimal(0)
        for call in run.model_calls:
            usd = self.call_usd(call)
            if usd is None:
                return None
            total += usd
        return total

    def test_usd(self, runs: Iterable[Run]) -> Decimal | None:
        """Dollars of what tests queried themselves; None as soon as one call's are unknown."""
        total = Decimal(0)
        for call in (c for run in runs for c in run.test_calls):
            usd = self.call_usd(call)
            if usd is None:
                return None
            total += usd
        return total

    def cost(self, run: Run) -> Cost:
        """All four axes of a run."""
        if run.recorded is not None:
            r = run.recorded
            usd = None if r.usd is None else Decimal(repr(r.usd))
            return Cost(usd, r.latency_s, r.tokens, r.tool_calls)
        usage = run.usage
        return Cost(self.run_usd(run), usage.wall_s, usage.tokens.total_tokens, usage.tool_calls)

    def labels(self) -> dict[str, str]:
        """The study's name for each model, to where its price comes from."""
        return {name: rule.label for name, rule in self._rules.items()}
