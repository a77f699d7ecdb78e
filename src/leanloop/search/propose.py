"""Proposals from Optuna's multi-objective sampler, each lever alone first."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Literal, cast

import optuna

from leanloop.core.configuration import Configuration, Setting

MODEL = "model."
"""Levers whose settings are models; they come last, because a larger model is the dearest run."""

FORWARD = 3
"""Settings that are tried beside the best configuration so far."""

TRIES = 50
"""Asks in a row that may come back with known configurations before giving up."""


class OptunaProposer:
    """Proposes the baseline, each lever alone, what helped together, then Optuna's picks.

    Each lever alone is what the comparison lever by lever is made of. Levers
    interact, so before the picks the best so far is tried with one more. The
    picks are those of Optuna's multi-objective TPE sampler, told everything.

    Args:
        space: Lever to the settings to try.
        baseline: The configuration to beat.
        objectives: Objective to ``max`` or ``min``.
        seed: Of the sampler.
    """

    def __init__(
        self,
        space: Mapping[str, tuple[Setting, ...]],
        baseline: Configuration,
        objectives: Mapping[str, str],
        seed: int,
    ) -> None:
        self._space = {n: tuple(dict.fromkeys([*v, baseline[n]])) for n, v in space.items()}
        self._baseline = baseline
        self._objectives = dict(objectives)
        self._study = _quiet_study(self._objectives, seed)
        self._trials: dict[Configuration, optuna.trial.Trial] = {}
        self._means: dict[Configuration, Mapping[str, float]] = {}
        # The baseline goes alone: what its runs cost says whether others fit the budget.
        self._queue = [baseline]
        self._stages: list[Callable[[], list[Configuration]]] = [
            lambda: self._alone(of_model=False),
            self._together,
            lambda: self._beside_best(of_model=False),
            lambda: self._alone(of_model=True),
            lambda: self._beside_best(of_model=True),
        ]

    def propose(self, count: int) -> list[Configuration]:
        """The next configurations to try: no stage begins before the last has been told."""
        found: list[Configuration] = []
        while len(found) < count:
            if self._queue:
                configuration = self._queue.pop(0)
                if configuration not in self._trials:
                    self._study.enqueue_trial({n: configuration[n] for n in self._space})
                    found += self._ask()
            elif len(self._means) < len(self._trials):
                return found
            elif self._stages:
                self._queue = self._stages.pop(0)()
            else:
                asked = self._ask()
                found += asked
                if not asked:
                    return found
        return found

    def tell(self, configuration: Configuration, means: Mapping[str, float]) -> None:
        """What a configuration came to; unknown objectives are told as a failed trial."""
        known = {name: means.get(name, math.nan) for name in self._objectives}
        self._means[configuration] = known
        values = list(known.values())
        trial = self._trials[configuration]
        if any(math.isnan(v) for v in values):
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, values)

    def _ask(self) -> list[Configuration]:
        """The sampler's next new configuration, if it has one."""
        for _ in range(TRIES):
            trial = self._study.ask()
            settings: dict[str, Setting] = {
                n: cast(Setting, trial.suggest_categorical(n, v)) for n, v in self._space.items()
            }
            configuration = self._baseline.changed(settings)
            if configuration not in self._trials:
                self._trials[configuration] = trial
                return [configuration]
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return []

    def _alone(self, *, of_model: bool) -> list[Configuration]:
        return [
            self._baseline.changed({name: setting})
            for name, settings in self._space.items()
            for setting in settings
            if setting != self._baseline[name] and name.startswith(MODEL) == of_model
        ]

    def _together(self) -> list[Configuration]:
        """The best setting of each structural lever that helped alone, all at once."""
        kept: dict[str, Setting] = {}
        for name, settings in self._space.items():
            gains = {s: self._gain(self._baseline.changed({name: s})) for s in settings}
            best = max(gains, key=lambda s: gains[s])
            if gains[best] > 0 and not name.startswith(MODEL):
                kept[name] = best
        return [self._baseline.changed(kept)]

    def _beside_best(self, *, of_model: bool) -> list[Configuration]:
        """The best so far with one setting more, those that did best alone first."""
        best = max(self._means, key=self._gain, default=self._baseline)
        alone = sorted(self._alone(of_model=of_model), key=self._gain, reverse=True)
        changes = ({n: c[n] for n in self._space if c[n] != self._baseline[n]} for c in alone)
        return [best.changed(change) for change in changes][:FORWARD]

    def _gain(self, configuration: Configuration) -> float:
        """Success gained over the baseline, and half of the share of cost saved."""
        start, means = self._means.get(self._baseline), self._means.get(configuration)
        if start is None or means is None:
            return -math.inf
        gain = means.get("success", 0.0) - start.get("success", 0.0)
        for name, value in means.items():
            if name != "success" and start[name] > 0:
                gain += 0.5 * (1 - value / start[name]) / max(1, len(means) - 1)
        return -math.inf if math.isnan(gain) else gain


def _quiet_study(objectives: Mapping[str, str], seed: int) -> optuna.study.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, multivariate=True)
    directions: list[Literal["maximize", "minimize"]] = [
        "maximize" if d == "max" else "minimize" for d in objectives.values()
    ]
    return optuna.create_study(directions=directions, sampler=sampler)
