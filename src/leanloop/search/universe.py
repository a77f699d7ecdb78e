"""The configurations that a search chooses among, and how alike they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from leanloop.core.configuration import Configuration, Setting
from leanloop.stats.resampling import Ints

LARGEST = 1000
"""Configurations up to which a space is looked at whole; the work of a look grows with the cube."""


class Universe:
    """All combinations of the levers' settings, where they are few enough to be listed.

    Args:
        baseline: The configuration to beat; always the first.
        space: Lever to the settings to try beside the baseline's.
        listed: The configurations that there are, where not every combination is.
        unrelated: Levers whose settings say nothing about each other, such as the
            one that only names a configuration.
    """

    def __init__(
        self,
        baseline: Configuration,
        space: Mapping[str, Sequence[Setting]],
        listed: Sequence[Configuration] | None = None,
        unrelated: Sequence[str] = (),
    ) -> None:
        self._settings = {n: tuple(dict.fromkeys([*v, baseline[n]])) for n, v in space.items()}
        self.settings: dict[str, tuple[Setting, ...]] = {n: tuple(v) for n, v in space.items()}
        """Lever to the settings to try, as they were given."""
        self._levers = [n for n in self._settings if n not in unrelated]
        self.baseline = baseline
        self.size = math.prod(map(len, self._settings.values())) if listed is None else len(listed)
        self.alone = 1 + sum(len(v) - 1 for v in self._settings.values())
        """The baseline and each setting changed alone."""
        self.all: list[Configuration] = []
        """Every configuration, the baseline first; empty where there are too many."""
        if self.size <= LARGEST:
            every = self._product() if listed is None else listed
            self.all = list(dict.fromkeys([baseline, *every]))

    def has(self, configuration: Configuration) -> bool:
        """Whether the space has that configuration."""
        if self.all:
            return configuration in self.all
        known = all(configuration[n] in v for n, v in self._settings.items())
        rest = {n: s for n, s in configuration.items() if n not in self._settings}
        return known and rest == {n: s for n, s in self.baseline.items() if n in rest}

    def codes(self, configurations: Sequence[Configuration]) -> Ints:
        """Which setting each lever has, shape (configurations, levers)."""
        places = [{s: i for i, s in enumerate(self._settings[n])} for n in self._levers]
        rows = [
            [place[c[n]] for n, place in zip(self._levers, places, strict=True)]
            for c in configurations
        ]
        return np.array(rows, dtype=np.intp).reshape(len(configurations), len(self._levers))

    def _product(self) -> list[Configuration]:
        names = list(self._settings)
        return [
            self.baseline.changed(dict(zip(names, settings, strict=True)))
            for settings in product(*self._settings.values())
        ]
