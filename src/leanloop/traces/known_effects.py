"""What others report of a lever: effects that a recorded path alone cannot show."""

from __future__ import annotations

import msgspec


class KnownEffect(msgspec.Struct, frozen=True):
    """An effect that somebody reports, not reproduced here.

    Attributes:
        lever: The lever that comes nearest to what was tried.
        cost: Ratio of cost with it to without; None when it is not stated.
        success_points: Points of success gained; None when they are not stated.
        source: Where it is reported.
    """

    lever: str
    cost: float | None
    success_points: float | None
    source: str


KNOWN = (
    KnownEffect("memory.keep_observations", 0.5, 1.0, "arXiv 2508.21433, one model: 53.8 to 54.8%"),
    KnownEffect("memory.keep_observations", None, -11.0, "arXiv 2508.21433, another scaffold"),
    KnownEffect("memory.truncate_observation", 0.725, None, "arXiv 2509.23586: cost -21 to -36%"),
    KnownEffect(
        "memory.summarise", None, -4.9, "OPPO on GAIA: simple memory 56.4%, summaries 51.5%"
    ),
    KnownEffect("tools.shortlist", 0.5, None, "arXiv 2505.03275: prompt -50%"),
    KnownEffect("tools.budget_aware", 0.69, None, "arXiv 2511.17006: cost -31%"),
    KnownEffect("stopping.max_steps", None, -0.6, "OPPO on GAIA: 12 to 8 steps, 53.3 to 52.7%"),
    KnownEffect("stopping.max_steps", None, -11.5, "OPPO on GAIA: 12 to 4 steps, 53.3 to 41.8%"),
)
"""As gathered in 2026-11; settings and tasks differ from yours."""


def known_effects(levers: frozenset[str]) -> tuple[KnownEffect, ...]:
    """What is reported of some levers."""
    return tuple(e for e in KNOWN if e.lever in levers)
