"""When a configuration is shown beaten and leaves the race."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.search.allocate import Goal
from leanloop.search.question import Question
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.stats.frontier import dominance_probability
from leanloop.stats.resampling import Floats
from leanloop.stats.sequence import Objective, shown_to_beat


@dataclass(frozen=True)
class Dropped:
    """A configuration that left the race.

    Args:
        configuration: It.
        rival: The one that beats it; None where it breaks a constraint.
        probability: Posterior probability that the rival is worse by no more than the
            margin on any objective; None where there is none.
        n: Tasks that both were run on, or that it was run on.
        breaks: The constraint that it breaks, as the user wrote it; empty for none.
    """

    configuration: Configuration
    rival: Configuration | None
    probability: float | None
    n: int
    breaks: str = ""


@dataclass(frozen=True)
class Rivalry:
    """Tests a configuration against its likeliest rival.

    Args:
        table: Where the runs are.
        question: The objectives and what counts as no loss on each.
    """

    table: RunTable
    question: Question

    def beaten(
        self, configuration: Configuration, alive: Sequence[Configuration], level: float
    ) -> Dropped | None:
        """By whom it is shown beaten, if it is.

        Args:
            configuration: Which one.
            alive: Its rivals.
            level: Chance that this is ever said wrongly of it and one rival.
        """
        rival = self._likeliest_rival(configuration, alive)
        if rival is None:
            return None
        common = self.table.common([configuration, rival])
        values = [self.table.values(c, common) for c in (rival, configuration)]
        if not shown_to_beat(values[0], values[1], self._compared(), level):
            return None
        return Dropped(configuration, rival, self._chance(*values), len(common))

    def _chance(self, rival: Floats, own: Floats) -> float:
        margins, given = self.question.margins, self.question.directions
        columns = [COLUMNS.index(name) for name in given]
        signs = np.array([1.0 if name == "success" else -1.0 for name in given])
        # What the rival may lose is given to it beforehand.
        allowed = [1.0 if name == "success" else 1 / (1 + margins[1]) for name in given]
        gift = [margins[0] if name == "success" else 0.0 for name in given]
        lifted = rival[:, columns] * np.array(allowed) + np.array(gift)
        return dominance_probability(own[:, columns] * signs, lifted * signs)

    def _likeliest_rival(
        self, configuration: Configuration, alive: Sequence[Configuration]
    ) -> Configuration | None:
        """Of those whose means are no worse, the one that leads by most."""
        own = self.table.means(configuration)
        goals = {name: self.question.goal(name) for name in self.question.directions}
        leads = {c: _lead(self.table.means(c), own, goals) for c in alive if c != configuration}
        best = max(leads, key=lambda c: leads[c], default=None)
        return None if best is None or leads[best] <= 0 else best

    def _compared(self) -> list[Objective]:
        """The objectives with what may be lost on each."""
        margins = self.question.margins
        return [
            Objective(COLUMNS.index(name), name != "success", margins[name != "success"])
            for name in self.question.directions
        ]


def _lead(means: Mapping[str, float], own: Mapping[str, float], goals: Mapping[str, Goal]) -> float:
    """Margins by which one leads, all objectives together; nothing if it is worse on one."""
    total = 0.0
    for name, goal in goals.items():
        gap = means[name] - own[name]
        if goal.is_cost and gap:
            known = means[name] > 0 and own[name] > 0
            gap = math.log(own[name] / means[name]) if known else -math.inf
        if not gap >= -goal.zone:
            return 0.0
        total += gap / goal.zone
    return total
