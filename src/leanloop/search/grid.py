"""Every combination of settings, in an order that the seed draws."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from leanloop.core.configuration import Configuration


class GridProposer:
    """Proposes what it is given, the first one first and the rest in a drawn order.

    Args:
        configurations: All that there are, the baseline first.
        seed: Draws the order.
    """

    def __init__(self, configurations: Iterable[Configuration], seed: int) -> None:
        first, *rest = dict.fromkeys(configurations)
        random.Random(seed).shuffle(rest)  # noqa: S311 - an order, not a secret
        self._left = [first, *rest]

    def propose(self, count: int) -> list[Configuration]:
        """The next ones."""
        found, self._left = self._left[:count], self._left[count:]
        return found

    def tell(self, configuration: Configuration, means: Mapping[str, float]) -> None:
        """Nothing: the order was drawn before."""
