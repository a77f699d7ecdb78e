"""Configurations as a result has them: figures, verdicts and constraints, by their runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leanloop.core.configuration import Configuration, Setting
from leanloop.search.constraints import Constraints
from leanloop.search.dropping import Dropped
from leanloop.search.result import (
    DroppedMember,
    Figures,
    LeverEffect,
    Member,
    Optimism,
    Rule,
    figures,
    optimism,
    settings_of,
    verdict,
)
from leanloop.search.runtable import RunTable


@dataclass(frozen=True)
class Members:
    """Says of configurations what the runs that there are show.

    Args:
        table: Runs of the search.
        fresh: Runs of the holdout.
        baseline: The configuration to beat.
        rule: What a verdict goes by.
        constraints: The study's; None for none.
    """

    table: RunTable
    fresh: RunTable
    baseline: Configuration
    rule: Rule
    constraints: Constraints | None

    def member(self, configuration: Configuration, chance: float | None) -> Member:
        """A configuration by its runs.

        Args:
            configuration: It.
            chance: Probability of being on the frontier; None or not a number when unknown.
        """
        ran = bool(self.fresh.count(configuration))
        other = configuration != self.baseline
        table = self.fresh if ran else self.table
        search = figures(self.table, configuration)
        holdout = figures(self.fresh, configuration) if ran else None
        return Member(
            id=configuration.id,
            settings=settings_of(configuration),
            p_frontier=known_chance(chance),
            search=search,
            holdout=holdout,
            verdict=verdict(self.fresh, self.baseline, configuration, self.rule)
            if ran and other
            else None,
            search_verdict=verdict(self.table, self.baseline, configuration, self.rule)
            if other
            else None,
            constraints=()
            if self.constraints is None
            else self.constraints.check(table, configuration, "holdout" if ran else "search"),
            optimism=None if holdout is None else self._optimism(search, holdout),
        )

    def effects(self, space: Mapping[str, Sequence[Setting]]) -> Iterable[LeverEffect]:
        """Each lever of a space alone, on the search split, where it was run alone."""
        for name, settings in space.items():
            for setting in settings:
                alone = self.baseline.changed({name: setting})
                if alone != self.baseline and self.table.count(alone):
                    found = verdict(self.table, self.baseline, alone, self.rule)
                    yield LeverEffect(name, setting, found)

    def _optimism(self, search: Figures, holdout: Figures) -> Optimism | None:
        fresh = self.fresh.count(self.baseline)
        after = figures(self.fresh, self.baseline) if fresh else None
        return optimism(
            search, holdout, (figures(self.table, self.baseline), after), self.rule.cost
        )


def known_chance(chance: float | None) -> float | None:
    """A probability; None also where it is not a number."""
    return None if chance is None or math.isnan(chance) else chance


def dropped_member(dropped: Dropped) -> DroppedMember:
    """One that left the race, as the result has it."""
    settings = settings_of(dropped.configuration)
    rival = None if dropped.rival is None else dropped.rival.id
    return DroppedMember(
        dropped.configuration.id, settings, rival, dropped.probability, dropped.n, dropped.breaks
    )
