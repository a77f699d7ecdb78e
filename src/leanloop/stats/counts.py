"""What a count of rare events tells of how many are to be expected."""

from __future__ import annotations

import math

from leanloop.stats.student import Z

TAIL = 0.025
LARGE = 30.0
"""Above this shape a formula is exact to three digits."""
FEWEST = 0.05
"""Below so few events nothing more is told."""


def count_reach(events: float) -> tuple[float, float]:
    """How far the expected count may be from the one seen, as logarithms of both ratios.

    The exact 95% interval of a Poisson count (Garwood 1936), with events that need not
    be whole: those of equal weight that would leave a weighted sum as uncertain as it
    is, as in Fay and Feuer (1997) for rates of weighted counts.

    Args:
        events: How many were seen.

    Returns:
        How far below and how far above, both 0 or more.
    """
    if math.isinf(events):
        return 0.0, 0.0
    events = max(events, FEWEST)
    low, high = gamma_quantile(events, TAIL), gamma_quantile(events + 1, 1 - TAIL)
    return math.log(events / low), math.log(high / events)


def gamma_quantile(shape: float, chance: float) -> float:
    """A lower or an upper 2.5% quantile of a gamma variable of scale 1.

    Newton's method on the series of the incomplete gamma function (Abramowitz and Stegun
    1964, 6.5.29), from the cube of Wilson and Hilferty (1931), which is good enough
    alone for large shapes.

    Args:
        shape: Above 0.
        chance: ``TAIL`` or 1 less it.
    """
    z = Z if chance > 0.5 else -Z
    root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
    cubed = shape * max(root, 0.0) ** 3
    if shape > LARGE:
        return cubed
    # Near 0 the distribution is a power, from which the quantile is known.
    power = math.exp((math.log(chance) + math.lgamma(shape + 1)) / shape)
    log_x = math.log(cubed if chance > 0.5 else power)
    for _ in range(60):
        x = math.exp(log_x)
        found = _below(shape, x)
        # In logarithms the distribution has no end to step over.
        slope = math.exp(shape * log_x - x - math.lgamma(shape))
        step = (found - chance) / max(slope, 1e-300)
        log_x -= min(max(step, -1.0), 1.0)
        if abs(step) < 1e-12:
            break
    return math.exp(log_x)


def _below(shape: float, x: float) -> float:
    """The chance of a gamma variable to be below ``x``."""
    term = total = 1.0
    place = shape
    while term > 1e-16 * total:
        place += 1
        term *= x / place
        total += term
    return math.exp(shape * math.log(x) - x - math.lgamma(shape + 1)) * total
