"""What proposing a configuration and watching a study mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from leanloop.core.configuration import Configuration
from leanloop.core.run import Run
from leanloop.core.task import Task
from leanloop.search.allocate import Allocation
from leanloop.stats.frontier import Bools
from leanloop.stats.resampling import Floats, Ints


@dataclass(frozen=True)
class Progress:
    """How far a study has come.

    Args:
        phase: ``search`` or ``holdout``.
        runs: Runs done, those found in the store included.
        replayed: Runs that were found in the store.
        alive: Configurations not dropped.
        dropped: Configurations dropped.
        spent_usd: Dollars so far; None when a price is unknown.
        elapsed_s: Seconds so far, earlier sessions included.
        left_s: Seconds that are expected to be left; None when that is unknown.
    """

    phase: str
    runs: int
    replayed: int
    alive: int
    dropped: int
    spent_usd: float | None
    elapsed_s: float
    left_s: float | None


Jobs = Sequence[tuple[Configuration, Sequence[Task]]]
"""Configurations, each with the tasks that it is to be run on."""


class Runner(Protocol):
    """Makes a run: leanloop's own agent, here or elsewhere, or a look-up of recorded ones."""

    @property
    def concurrency(self) -> int:
        """How many runs it is worth having under way at once."""

    async def run(self, configuration: Configuration, task: Task) -> Run:
        """One configuration on one task."""


@runtime_checkable
class PaidRunner(Protocol):
    """A runner whose model calls leave this process: it asks before each and pays after it."""

    def paying(self, check: Callable[[], None], pay: Callable[[Decimal | None], None]) -> Runner:
        """The same runner, its calls paid from somewhere.

        Args:
            check: Raises SpentError once nothing may be spent any more.
            pay: Takes what a call cost, in dollars; None when that is unknown.
        """


class Allocator(Protocol):
    """Says whose runs to buy next, and when there is nothing left to ask."""

    def next(
        self, seen: Ints, values: Floats, open_: Bools, weights: Floats | None = None
    ) -> Allocation:
        """What to do next.

        Args:
            seen: Configurations that have runs.
            values: Theirs, shape (seen, tasks, objectives), costs as they are; NaN
                where there is no run or a cost is unknown.
            open_: Which configurations can be given runs, shape (configurations,).
            weights: What a run of each configuration costs, in the currency of the
                budget, shape (configurations,); all alike when None.
        """

    def judge(self, seen: Ints, values: Floats, draws: int = 2000) -> Allocation:
        """The frontier as it stands, among configurations that have runs.

        Args:
            seen: As in ``next``; all configurations.
            values: As in ``next``.
            draws: Of the posterior.
        """


class Observer(Protocol):
    """Watches a study."""

    def run_done(self, configuration: Configuration, run: Run, progress: Progress) -> None:
        """A run has ended and is in the store."""

    def note(self, text: str) -> None:
        """Something worth telling has happened."""


class Proposer(Protocol):
    """Says which configuration to try next."""

    def propose(self, count: int) -> list[Configuration]:
        """Configurations that it has not proposed before; none when it has no more.

        Args:
            count: How many at most. Fewer come where the next ones depend on what
                these come to.
        """

    def tell(self, configuration: Configuration, means: Mapping[str, float]) -> None:
        """What a proposed configuration came to on its first block of tasks."""
