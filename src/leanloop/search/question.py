"""What a search is to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leanloop.search.allocate import Goal
from leanloop.search.constraints import Constraints

LEAST = 0.001
"""Zone of indifference where the user named none: equal means are never shown to be equal."""


@dataclass(frozen=True)
class Question:
    """What a race is to answer.

    Args:
        directions: Objective to ``max`` or ``min``.
        margins: Success, and the share of a cost, that count as no difference.
        currency: What a run is paid in: ``runs``, all alike, or a cost axis.
        tasks: Tasks that there are in all, where their means are what is asked
            about; None where tasks are a sample of those that will come.
        seed: Of every draw.
        constraints: What a configuration must keep to.
    """

    directions: Mapping[str, str]
    margins: tuple[float, float] = (0.02, 0.05)
    currency: str = "runs"
    tasks: int | None = None
    seed: int = 0
    constraints: Constraints | None = None

    def goal(self, name: str) -> Goal:
        """An objective as the allocator takes it."""
        is_cost = name != "success"
        zone = float(np.log1p(self.margins[1])) if is_cost else self.margins[0]
        return Goal(is_cost, max(zone, LEAST))
