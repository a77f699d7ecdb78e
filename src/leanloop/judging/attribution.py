"""What each lever gives between a baseline and a chosen configuration of a run table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import msgspec
import numpy as np

from leanloop.core.configuration import OFF
from leanloop.core.errors import BadInputError
from leanloop.judging.comparison import Comparison, Terms, compare
from leanloop.judging.frontier import unknown_costs
from leanloop.judging.run_table import AXES, Common, RunTable
from leanloop.stats.attribution import (
    MOST_LEVERS,
    Basis,
    Bools,
    Contrast,
    cost_effect,
    interaction_contrasts,
    shapley_contrasts,
    simple_contrast,
    success_effect,
)
from leanloop.stats.interval import Interval

MODEL = "model"
"""Levers of this component, or of this name, are shown beside the structural ones."""
MOST_MISSING = 16


class Effect(msgspec.Struct, frozen=True):
    """What a change gives.

    Attributes:
        success: Difference of success.
        usd: Factor on mean dollars; None where the table has none. Likewise the others.
    """

    success: Interval
    usd: Interval | None
    latency_s: Interval | None
    tokens: Interval | None
    tool_calls: Interval | None


class LeverShare(msgspec.Struct, frozen=True):
    """What one lever gives between the baseline and the chosen configuration.

    Attributes:
        lever: Its name.
        baseline: Its setting there.
        chosen: Its setting in the chosen configuration.
        is_model: Whether it is a model lever.
        basis: What the share rests on.
        share: Its Shapley value; the shares of all levers multiply (costs) or add
            (success) up to the whole. None where it is not identified.
        alone: What it gives when it alone is changed from the baseline; None
            where that was not run.
        last: What it gives when it is the last to be changed; None where that
            was not run.
    """

    lever: str
    baseline: str
    chosen: str
    is_model: bool
    basis: Basis
    share: Effect | None
    alone: Effect | None
    last: Effect | None


class PairEffect(msgspec.Struct, frozen=True):
    """What two levers give together over what each gives alone, averaged over the others."""

    levers: tuple[str, str]
    basis: Basis
    effect: Effect | None


class ModelEffect(msgspec.Struct, frozen=True):
    """What a lever gives with one model, over pairs of configurations that differ in it alone."""

    lever: str
    model: str
    pairs: int
    n: int
    effect: Effect


class Flip(msgspec.Struct, frozen=True):
    """A lever whose effect has another sign with another model.

    Attributes:
        lever: The lever.
        measure: ``success`` or a cost axis.
        up: The model with which the measure rises.
        down: The model with which it falls.
        shown: Whether both intervals leave no effect out.
    """

    lever: str
    measure: str
    up: str
    down: str
    shown: bool


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """What each lever gives, and what the runs leave open.

    Attributes:
        baseline: Where the change starts.
        chosen: Where it ends.
        n_tasks: Tasks that every configuration used has.
        dropped_tasks: Tasks that only some have.
        cells: Configurations used.
        whole: The chosen configuration against the baseline.
        levers: Share of each lever that differs.
        interactions: Of each pair.
        by_model: Each structural lever by model.
        flips: Where a lever's sign differs between models.
        missing: Settings of the levers that were not run; with them every share
            would be exact. The first few.
        missing_count: How many there are in all.
        warnings: What the reader must know first.
        notes: What was left out or taken as unknown.
    """

    baseline: str
    chosen: str
    n_tasks: int
    dropped_tasks: int
    cells: tuple[str, ...]
    whole: Comparison
    levers: tuple[LeverShare, ...]
    interactions: tuple[PairEffect, ...]
    by_model: tuple[ModelEffect, ...]
    flips: tuple[Flip, ...]
    missing: tuple[dict[str, str], ...]
    missing_count: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Design:
    """The configurations between the baseline and the chosen one."""

    levers: tuple[str, ...]
    settings: Mapping[str, Mapping[str, str]]
    baseline: str
    chosen: str
    cells: tuple[str, ...]

    @property
    def matrix(self) -> Bools:
        """Shape (cells, levers): whether a lever has the chosen setting."""
        goal = self.settings[self.chosen]
        rows = [[self.settings[c][x] == goal[x] for x in self.levers] for c in self.cells]
        return np.array(rows, dtype=np.bool_).reshape(len(self.cells), len(self.levers))

    def missing(self) -> list[dict[str, str]]:
        """Combinations that were not run."""
        had = {tuple(row) for row in self.matrix.tolist()}
        ends = (self.settings[self.baseline], self.settings[self.chosen])
        return [
            {x: ends[on][x] for x, on in zip(self.levers, row, strict=True)}
            for row in product((False, True), repeat=len(self.levers))
            if row not in had
        ]


def explain(table: RunTable, baseline: str, chosen: str, terms: Terms | None = None) -> Attribution:
    """Say what each lever gives between two configurations.

    Args:
        table: Runs, with a column for each lever.
        baseline: The configuration to start from.
        chosen: The configuration to end at.
        terms: The margin of the whole comparison, and the seed.

    Raises:
        BadInputError: The table names no levers, or the two differ in none or in too many.
    """
    asked = terms or Terms()
    first, last = table.find(baseline, "--baseline"), table.find(chosen, "--chosen")
    design = _design(table, first, last)
    common = table.common(design.cells, asked.seed)
    matrix = design.matrix
    shapley = shapley_contrasts(matrix)
    by_model = _by_model(table, design, asked.seed)
    missing = design.missing()
    return Attribution(
        baseline=first,
        chosen=last,
        n_tasks=common.tasks,
        dropped_tasks=common.dropped,
        cells=design.cells,
        whole=compare(table, first, last, asked),
        levers=tuple(
            _share(table, common, design, (at, contrast)) for at, contrast in enumerate(shapley)
        ),
        interactions=tuple(
            PairEffect(
                (design.levers[i], design.levers[j]), found.basis, _effect(table, common, found)
            )
            for (i, j), found in interaction_contrasts(matrix).items()
        ),
        by_model=by_model,
        flips=tuple(_flips(by_model)),
        missing=tuple(missing[:MOST_MISSING]),
        missing_count=len(missing),
        warnings=(*_warnings(common, missing), *unknown_costs(common, table.axes)),
        notes=table.notes,
    )


def _design(table: RunTable, first: str, last: str) -> _Design:
    if not table.levers:
        raise BadInputError(
            f"{table.source}: columns",
            "none is a lever; --select names them, as in 'strategy AS \"memory.policy\"'",
        )
    settings = table.settings()
    start, end = settings[first], settings[last]
    levers = tuple(x for x in table.levers if start[x] != end[x])
    if not levers:
        raise BadInputError("--chosen", f"{last!r} has the same settings as the baseline")
    if len(levers) > MOST_LEVERS:
        raise BadInputError(
            "--chosen", f"differs in {len(levers)} levers; up to {MOST_LEVERS} can be told apart"
        )
    cells = [
        c
        for c, own in settings.items()
        if all(own[x] in ((start[x], end[x]) if x in levers else (start[x],)) for x in table.levers)
    ]
    return _Design(levers, settings, first, last, tuple(cells))


def _share(
    table: RunTable, common: Common, design: _Design, at: tuple[int, Contrast]
) -> LeverShare:
    number, contrast = at
    lever = design.levers[number]
    matrix = design.matrix
    on, others = matrix[:, number], np.delete(matrix, number, axis=1)
    first, full = others.sum(axis=1) == 0, others.sum(axis=1) == others.shape[1]
    alone = _between(table, common, on & first, ~on & first)
    last = _between(table, common, on & full, ~on & full)
    return LeverShare(
        lever,
        design.settings[design.baseline][lever],
        design.settings[design.chosen][lever],
        is_model(lever),
        contrast.basis,
        _effect(table, common, contrast),
        alone,
        last,
    )


def is_model(lever: str) -> bool:
    """Whether a lever chooses a model."""
    return lever.partition(".")[0].lower() == MODEL


def _between(table: RunTable, common: Common, plus: Bools, minus: Bools) -> Effect | None:
    if not (plus.any() and minus.any()):
        return None
    return _effect(table, common, simple_contrast(plus.tolist(), minus.tolist()))


def _effect(table: RunTable, common: Common, contrast: Contrast) -> Effect | None:
    if contrast.weights is None:
        return None
    costs = {
        a: cost_effect(contrast, common.values[a], common.sample) if a in table.axes else None
        for a in AXES
    }
    return Effect(success_effect(contrast, common.values["success"], common.sample), **costs)


def _by_model(table: RunTable, design: _Design, seed: int) -> tuple[ModelEffect, ...]:
    names = [x for x in table.levers if is_model(x)]
    if not names:
        return ()
    found = []
    for lever in (x for x in design.levers if not is_model(x)):
        for model, pairs in _pairs(table, design, lever, names).items():
            cells = tuple(dict.fromkeys(c for pair in pairs for c in pair))
            common = table.common(cells, seed)
            plus = [any(c == b for _, b in pairs) for c in cells]
            minus = [any(c == a for a, _ in pairs) for c in cells]
            effect = _effect(table, common, simple_contrast(plus, minus))
            if effect is not None and common.tasks:
                found.append(ModelEffect(lever, model, len(pairs), common.tasks, effect))
    return tuple(found)


def _pairs(
    table: RunTable, design: _Design, lever: str, models: Sequence[str]
) -> dict[str, list[tuple[str, str]]]:
    """Model to the pairs of configurations that differ in the lever alone."""
    before = design.settings[design.baseline][lever]
    after = design.settings[design.chosen][lever]
    rest = [x for x in table.levers if x != lever]
    starts: dict[tuple[str, ...], str] = {}
    ends: dict[tuple[str, ...], str] = {}
    for configuration, own in design.settings.items():
        where = tuple(own[x] for x in rest)
        if own[lever] == before:
            starts.setdefault(where, configuration)
        elif own[lever] == after:
            ends.setdefault(where, configuration)
    found: dict[str, list[tuple[str, str]]] = {}
    for where, start in starts.items():
        if where in ends:
            own = design.settings[start]
            model = ", ".join(own[m] for m in models)
            found.setdefault("default" if model == OFF else model, []).append((start, ends[where]))
    return found


def _flips(effects: Sequence[ModelEffect]) -> list[Flip]:
    found = []
    for one, other in combinations(effects, 2):
        if one.lever != other.lever:
            continue
        for measure in ("success", *AXES):
            a, b = getattr(one.effect, measure), getattr(other.effect, measure)
            still = 0.0 if measure == "success" else 1.0
            if a is None or b is None or a.mean is None or b.mean is None:
                continue
            if (a.mean - still) * (b.mean - still) < 0:
                up, down = (one, other) if a.mean > still else (other, one)
                shown = _leaves_out(a, still) and _leaves_out(b, still)
                found.append(Flip(one.lever, measure, up.model, down.model, shown))
    return found


def _leaves_out(interval: Interval, value: float) -> bool:
    low, high = interval.low, interval.high
    return (low is not None and low > value) or (high is not None and high < value)


def _warnings(common: Common, missing: Sequence[object]) -> list[str]:
    lines = []
    if common.tasks == 0:
        lines.append("no task is common to the configurations used: no effect can be given")
    elif common.dropped > common.tasks:
        lines.append(f"only {common.tasks:,} tasks are common; {common.dropped:,} are left out")
    if missing:
        lines.append(
            f"{len(missing)} of the combinations of the levers were not run: what is not exact "
            "is marked"
        )
    return lines
