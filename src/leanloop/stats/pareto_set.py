"""Which configurations to call the frontier, up to a zone of indifference, and how sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leanloop.stats.frontier import Bools, on_frontier
from leanloop.stats.resampling import Floats, Ints

CANDIDATES = 120
"""Configurations that are looked at in full: those most often on the frontier of a draw."""
PASSES = 4
"""How often all candidates are gone through for the set that is least likely wrong."""


@dataclass(frozen=True)
class Doubt:
    """A configuration that may be on the wrong side, and the one that decides it.

    Args:
        one: The configuration.
        other: Its likeliest rival where it is a member, else the member that covers it.
        chance: Probability that it is on the wrong side.
    """

    one: int
    other: int
    chance: float


@dataclass(frozen=True)
class ParetoSet:
    """A set of configurations to call the frontier.

    It is right up to the zone (Auer, Chiang, Ortner and Drugan 2016, AISTATS 51,
    section 2) when no member is beaten by more than the zone on every objective,
    and every configuration has a member that is no more than the zone worse than
    it on any.

    Args:
        members: Which ones, sorted.
        wrong: Probability that it is not right.
        doubts: Why, likeliest first.
        candidates: The configurations that were looked at in full, sorted.
        chances: Of each candidate, the probability that no other is at least as good
            on every objective and better by more than the zone on one; None where
            nobody asked for them.
    """

    members: Ints
    wrong: float
    doubts: tuple[Doubt, ...]
    candidates: Ints
    chances: Floats | None


def choose_set(draws: Floats, means: Floats, zone: Floats, *, chances: bool = True) -> ParetoSet:
    """The set that is least likely wrong.

    Args:
        draws: Of the true objectives, larger is better, shape (draws,
            configurations, objectives).
        means: Their means, shape (configurations, objectives).
        zone: What counts as no difference on each objective, shape (objectives,).
        chances: Whether to work out ``chances`` too.
    """
    certain = on_frontier(means)
    order = np.argsort(-(on_frontier(draws).mean(axis=0) + certain), kind="stable")
    some = np.sort(order[:CANDIDATES])
    covers, beats = _relations(draws[:, some], zone)
    inside = _least_wrong(certain[some], covers, beats)
    wrong = np.where(inside, beats.any(axis=1), ~covers[:, inside].any(axis=1))
    doubts = _doubts(wrong, inside, covers, beats)
    return ParetoSet(
        members=some[inside],
        wrong=float(wrong.any(axis=1).mean()),
        doubts=tuple(Doubt(int(some[d.one]), int(some[d.other]), d.chance) for d in doubts),
        candidates=some,
        chances=_chances(draws[:, some], zone) if chances else None,
    )


def is_right(members: Ints, truth: Floats, zone: Floats) -> bool:
    """Whether a set is right up to the zone.

    Args:
        members: The set.
        truth: True objectives, larger is better, shape (configurations, objectives).
        zone: What counts as no difference on each objective.
    """
    if not len(members):
        return False
    # A difference of just the zone is none, whatever the last digit says.
    lead = truth[members][:, None] - truth[None]
    covered = (lead >= -zone - 1e-9).all(axis=-1).any(axis=0)
    return bool(covered.all() and not (lead < -zone - 1e-9).all(axis=-1).any())


def _relations(draws: Floats, zone: Floats) -> tuple[Bools, Bools]:
    """By draw, first configuration and second: whether the first covers, beats the second.

    It covers it when it is no more than the zone worse on any objective, beats it when
    it is more than the zone better on every one.
    """
    lead, width = _lead(draws, 0), np.float32(zone[0])
    covers, beats = lead >= -width, lead > width
    for at in range(1, len(zone)):
        lead, width = _lead(draws, at), np.float32(zone[at])
        covers &= lead >= -width
        beats &= lead > width
    return covers, beats


def _chances(draws: Floats, zone: Floats) -> Floats:
    """Of each configuration, the share of draws in which no other outdoes it.

    One outdoes another when it is worse on no objective and more than the zone better on one.
    """
    lead = _lead(draws, 0)
    no_worse, better = lead >= 0, lead > np.float32(zone[0])
    for at in range(1, len(zone)):
        lead = _lead(draws, at)
        no_worse &= lead >= 0
        better |= lead > np.float32(zone[at])
    return np.asarray(1 - (no_worse & better).any(axis=1).mean(axis=0))


def _lead(draws: Floats, at: int) -> npt.NDArray[np.float32]:
    """By draw, first configuration and second: how much better the first is on an objective."""
    small = draws[:, :, at].astype(np.float32)
    return np.asarray(small[:, :, None] - small[:, None, :], dtype=np.float32)


def _least_wrong(inside: Bools, covers: Bools, beats: Bools) -> Bools:
    """Move each configuration to the side where it is less likely wrong, until none moves."""
    inside = inside.copy()
    beaten = beats.any(axis=1).mean(axis=0)
    counts = covers[:, inside].sum(axis=1)
    for _ in range(PASSES):
        moved = False
        for i in np.argsort(beaten, kind="stable"):
            uncovered = (counts[:, i] - inside[i] <= 0).mean()
            wanted = bool(beaten[i] < uncovered - 1e-12)
            if wanted != inside[i]:
                inside[i], moved = wanted, True
                counts = counts + covers[:, i] * (1 if wanted else -1)
        if not moved:
            break
    return inside


def _doubts(wrong: Bools, inside: Bools, covers: Bools, beats: Bools) -> list[Doubt]:
    found = []
    members = np.flatnonzero(inside)
    chances = wrong.mean(axis=0)
    for i in np.flatnonzero(chances > 0).tolist():
        if inside[i]:
            other = int(beats[wrong[:, i], :, i].sum(axis=0).argmax())
        elif len(members):
            other = int(members[covers[:, members, i].mean(axis=0).argmax()])
        else:
            other = i
        found.append(Doubt(i, other, float(chances[i])))
    return sorted(found, key=lambda d: -d.chance)
