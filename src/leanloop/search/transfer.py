"""Start from what an earlier study found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leanloop.core.configuration import Configuration
from leanloop.search.protocol import Proposer


class TransferProposer:
    """Proposes the baseline, then an earlier study's frontier, then what another proposer names.

    What is carried over is where to look first, not what was seen there: every
    figure comes from runs of this study.

    Args:
        proposer: Proposes the baseline first, and the rest.
        earlier: What to look at first.
    """

    def __init__(self, proposer: Proposer, earlier: Sequence[Configuration]) -> None:
        self._proposer = proposer
        self._queue = list(dict.fromkeys(earlier))
        self._named: dict[Configuration, Mapping[str, float] | None] = {}
        self._own: set[Configuration] = set()

    def propose(self, count: int) -> list[Configuration]:
        """The next ones, none twice."""
        if not self._named:
            return self._from_inner(1)
        found = [c for c in self._queue[:count] if c not in self._named]
        self._queue = self._queue[count:]
        self._named |= dict.fromkeys(found)
        return found or self._from_inner(count)

    def tell(self, configuration: Configuration, means: Mapping[str, float]) -> None:
        """What one came to; the inner proposer hears of those that it named."""
        self._named[configuration] = means
        if configuration in self._own:
            self._proposer.tell(configuration, means)

    def _from_inner(self, count: int) -> list[Configuration]:
        while proposed := self._proposer.propose(count):
            found = [c for c in proposed if c not in self._named]
            self._own.update(proposed)
            self._named |= dict.fromkeys(found)
            for configuration in proposed:
                means = self._named[configuration]
                if means is not None:
                    self._proposer.tell(configuration, means)
            if found:
                return found
        return []
