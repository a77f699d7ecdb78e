"""A share of sessions on a new configuration, as long as it is not shown worse."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import msgspec
import numpy as np

from leanloop.core.configuration import Configuration
from leanloop.stats.sequence import FEWEST, lower_bound

LATEST = 5000
"""Outcomes of an arm that are looked at, the newest."""


class CanaryPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a new configuration is tried out.

    Attributes:
        share: Of new sessions, those that run it, 0 to 1.
        levers: Its settings.
        margin: Success that may be lost before it counts as worse.
        level: Chance, over all looks, of falling back from one that is no worse.
    """

    share: float
    levers: dict[str, object]
    margin: float = 0.02
    level: float = 0.05


@dataclass
class Verdict:
    """What is shown so far.

    Args:
        fell_back: Whether no new session runs the new configuration any more.
        outcomes: How many sessions of each arm have an outcome.
        success: Mean success of each arm; None without an outcome.
    """

    fell_back: bool
    outcomes: dict[str, int]
    success: dict[str, float | None]


class Canary:
    """Chooses which sessions run the new configuration, and stops when it is shown worse.

    Sessions of the two arms are different ones, so nothing pairs them. Each arm's mean has
    a confidence sequence of its own at half the level (``stats.sequence``); the new one is
    shown worse once the highest that it may be, with the margin, is below the lowest that
    the old one may be. That holds however often one looks.

    Args:
        old: What the rest runs.
        new: What the share runs.
        plan: Share, margin and level.
    """

    def __init__(self, old: Configuration, new: Configuration, plan: CanaryPlan) -> None:
        self.old = old
        self.new = new
        self.plan = plan
        self.fell_back = False
        self._outcomes: dict[str, dict[str, float]] = {old.id: {}, new.id: {}}

    def choose(self, session_id: str) -> Configuration:
        """The configuration of a new session, by its id alone."""
        place = _place(session_id) if not self.fell_back else 1.0
        return self.new if place < self.plan.share else self.old

    def tell(self, session_id: str, configuration_id: str, success: float) -> bool:
        """Note a session's outcome; a later one replaces it.

        Returns:
            Whether the canary falls back because of it.
        """
        outcomes = self._outcomes.get(configuration_id)
        if outcomes is None:
            return False
        outcomes.pop(session_id, None)
        outcomes[session_id] = success
        if len(outcomes) > LATEST:
            outcomes.pop(next(iter(outcomes)))
        if self.fell_back or not self._worse():
            return False
        self.fell_back = True
        return True

    def verdict(self) -> Verdict:
        """What is shown so far."""
        return Verdict(
            self.fell_back,
            {arm: len(o) for arm, o in self._outcomes.items()},
            {arm: sum(o.values()) / len(o) if o else None for arm, o in self._outcomes.items()},
        )

    def _worse(self) -> bool:
        old, new = (np.array(list(self._outcomes[c.id].values())) for c in (self.old, self.new))
        if min(len(old), len(new)) < FEWEST:
            return False
        # One imagined session that succeeded and one that failed, so that no arm looks certain.
        least = lower_bound(old, self.plan.level / 2, prior=0.5)
        most = 1 - lower_bound(1 - new, self.plan.level / 2, prior=0.5)
        return most + self.plan.margin < least


def _place(session_id: str) -> float:
    """A number from 0 to 1 that depends on the id alone; clients may name their sessions."""
    try:
        return int(session_id[:8], 16) / 16**8
    except ValueError:
        return int.from_bytes(blake2b(session_id.encode(), digest_size=4).digest()) / 2**32
