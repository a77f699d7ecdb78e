"""What runs of some configurations say of all: a Gaussian process over lever settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from leanloop.stats.evidence import Evidence
from leanloop.stats.resampling import Floats, Ints

MIXES = (
    (0.6, 0.3, 0.1),
    (0.8, 0.15, 0.05),
    (0.9, 0.08, 0.02),
    (0.4, 0.3, 0.3),
    (0.97, 0.025, 0.005),
)
"""Shares of the spread between configurations that levers alone, pairs of levers and the
configuration itself may have; the runs choose among them."""
SIZES = (0.5, 1.0, 2.5)
"""The spread between configurations, over what was seen of it."""
AGAIN = 1.25
"""More runs than at the last choice of mix and size, before they are chosen anew."""
REST = 0.25
"""Standard deviation that every configuration has of its own, over the zone of indifference:
no mix says that a configuration is just the sum of its levers."""


@dataclass(frozen=True)
class Posterior:
    """Means of all configurations and how sure they are.

    Args:
        mean: Shape (configurations,).
        covariance: Shape (configurations, configurations).
    """

    mean: Floats
    covariance: Floats

    def draw(self, normals: Floats) -> Floats:
        """Draws: standard normals of shape (draws, configurations) to the same shape."""
        size = len(self.mean)
        jitter = 1e-9 * max(float(np.trace(self.covariance)) / size, 1e-12)
        root = np.linalg.cholesky(self.covariance + jitter * np.eye(size))
        return np.asarray(self.mean + normals @ root.T)


class Surrogate:
    """Carries what was seen of some configurations over to those that share their settings.

    The covariance of two configurations counts the levers that they set alike, one
    by one and in pairs, and each configuration's own deviation. How much each
    counts is chosen by marginal likelihood (Rasmussen and Williams 2006, 5.4), and
    chosen again when there are a quarter more runs; the common mean is unknown
    (universal kriging, the same, 2.7).

    Args:
        settings: Codes of the setting of each lever, shape (configurations, levers);
            no column where configurations are not made of levers.
        zone: What counts as no difference.
    """

    def __init__(self, settings: Ints, zone: float) -> None:
        self._parts = _likeness(settings)
        self._zone = zone
        self._own = (REST * zone) ** 2
        self._kernel: Floats | None = None
        self._runs = 0

    def posterior(self, evidence: Evidence, seen: Ints, runs: int) -> Posterior:
        """The means of all configurations.

        Args:
            evidence: On the configurations in ``seen``.
            seen: Which ones those are, of all.
            runs: How many the evidence is made of.
        """
        if self._kernel is None or runs > AGAIN * self._runs:
            self._kernel, self._runs = self._likeliest(evidence, seen), runs
        kernel = self._kernel
        noisy = kernel[np.ix_(seen, seen)] + evidence.covariance
        solved = _Solved(noisy, evidence.estimate, kernel[seen])
        gap = 1 - solved.cross.T @ solved.ones
        mean = solved.centre + solved.cross.T @ solved.left
        covariance = kernel - solved.cross.T @ solved.cross
        covariance += np.outer(gap, gap) / solved.precision
        return Posterior(mean, (covariance + covariance.T) / 2)

    def _likeliest(self, evidence: Evidence, seen: Ints) -> Floats:
        """The covariance whose mix and size make what was seen likeliest."""
        noise = float(np.diag(evidence.covariance).mean())
        spread = max(float(evidence.estimate.var()) - noise, self._zone**2)
        parts = [p[np.ix_(seen, seen)] for p in self._parts]
        none = np.zeros((len(seen), 0))
        mixes = MIXES if len(parts) > 1 else ((1.0,),)

        def likelihood(choice: tuple[tuple[float, ...], float]) -> float:
            noisy = self._mixed(parts, *choice) + evidence.covariance
            return _Solved(noisy, evidence.estimate, none).likelihood

        best = max(product(mixes, [s * spread for s in SIZES]), key=likelihood)
        return self._mixed(self._parts, *best)

    def _mixed(self, parts: Sequence[Floats], mix: Sequence[float], size: float) -> Floats:
        total = sum((size * m * p for m, p in zip(mix, parts, strict=True)), start=np.float64(0))
        return np.asarray(total + self._own * parts[-1])


class _Solved:
    """A Gaussian with an unknown common mean, conditioned on what was seen of it."""

    def __init__(self, noisy: Floats, estimate: Floats, cross: Floats) -> None:
        count = len(estimate)
        root = np.linalg.cholesky(noisy + 1e-12 * np.eye(count))
        solved = np.linalg.solve(root, np.column_stack([estimate, np.ones(count), cross]))
        self.ones, self.cross = solved[:, 1], solved[:, 2:]
        self.precision = float(self.ones @ self.ones)
        self.centre = float(self.ones @ solved[:, 0]) / self.precision
        self.left = solved[:, 0] - self.centre * self.ones
        size = float(np.log(np.diag(root)).sum()) + 0.5 * float(np.log(self.precision))
        self.likelihood = -0.5 * float(self.left @ self.left) - size


def _likeness(settings: Ints) -> tuple[Floats, ...]:
    """Of each two configurations: levers set alike, pairs of them, whether they are the same."""
    count, levers = settings.shape
    same = np.eye(count)
    if not levers:
        return (same,)
    alike = [
        (settings[:, None, i] == settings[None, :, i]).astype(np.float64) for i in range(levers)
    ]
    alone = np.mean(alike, axis=0)
    pairs = [alike[i] * alike[j] for i, j in combinations(range(levers), 2)]
    return alone, np.mean(pairs, axis=0) if pairs else alone, same
