"""The runs of a study as the page lists them, and their figures as they come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.pricing.cost import AXES, PriceBook
from leanloop.report.dashboard.board import Document
from leanloop.report.dashboard.shown_figures import show_interval
from leanloop.stats.running import RunningMean, RunningShare


class Line(NamedTuple):
    """A run as the page lists it."""

    task: str
    seed: int
    split: str
    status: str
    success: float | None
    usd: float | None
    latency_s: float | None
    tokens: float | None
    tool_calls: float | None
    steps: int
    reason: str


@dataclass
class Tally:
    """Figures of a configuration on one split, as runs come in."""

    success: RunningShare = field(default_factory=RunningShare)
    costs: dict[str, RunningMean] = field(
        default_factory=lambda: {axis: RunningMean() for axis in AXES}
    )

    def add(self, line: Line) -> None:
        """Take in a run."""
        if line.success is None:
            return
        self.success.add(line.success)
        for axis, mean in self.costs.items():
            mean.add(getattr(line, axis))

    def document(self) -> Document:
        """Each figure as mean, low, high and n."""
        found = {"success": show_interval(self.success.interval())}
        return found | {axis: show_interval(mean.interval()) for axis, mean in self.costs.items()}


class StudyRuns:
    """Takes runs in one by one; one in the place of an outage is counted once.

    Args:
        prices: Prices them.
    """

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._lines: dict[str, dict[tuple[str, int], Line]] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._families: dict[str, str] = {}
        self.counts = dict.fromkeys(Split, 0)
        """Runs of each split."""
        self.usd, self.unknown, self.last_end = Decimal(0), 0, 0.0
        """Dollars of the runs whose price is known, how many others there are, and when the
        last one ended, in Unix seconds."""

    def __len__(self) -> int:
        return sum(self.counts.values())

    @property
    def configurations(self) -> set[str]:
        """Ids of those that have a run."""
        return set(self._lines)

    def add(self, run: Run) -> None:
        """Take in a run."""
        cost = self._prices.cost(run)
        usd = cost.axis("usd")
        line = Line(
            run.key.task_id,
            run.key.seed,
            str(run.split),
            str(run.status),
            run.success,
            usd,
            cost.latency_s,
            cost.tokens,
            cost.tool_calls,
            len(run.steps),
            run.reason,
        )
        own = self._lines.setdefault(run.key.configuration_id, {})
        at = run.key.task_id, run.key.seed
        self.counts[run.split] += at not in own
        own[at] = line
        if run.family:
            self._families[run.key.task_id] = run.family
        self.usd += cost.usd or 0
        self.unknown += cost.usd is None
        self.last_end = max(self.last_end, run.started_at + run.wall_s)
        key = run.key.configuration_id, line.split
        self._tallies.setdefault(key, Tally()).add(line)

    def count(self, configuration_id: str) -> int:
        """How many runs a configuration has."""
        return len(self._lines.get(configuration_id, {}))

    def figures(self, configuration_id: str, split: Split) -> Document | None:
        """Figures of a configuration on a split; None where no run has a success."""
        tally = self._tallies.get((configuration_id, str(split)))
        return None if tally is None or not tally.success.n else tally.document()

    def listed(self, configuration_id: str) -> list[Document]:
        """The runs of a configuration, each with the family of its task."""
        lines = list(self._lines.get(configuration_id, {}).values())
        return [{**line._asdict(), "family": self._families.get(line.task, "")} for line in lines]

    def of_task(self, task: str, seed: int) -> dict[str, Line]:
        """Every run of a task, by configuration."""
        every = list(self._lines.items())
        return {name: lines[task, seed] for name, lines in every if (task, seed) in lines}
