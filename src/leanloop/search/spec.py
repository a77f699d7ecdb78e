"""What a study is, as its TOML file says it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, Literal

import msgspec

from leanloop.core.configuration import OFF, Configuration, Setting, flatten_settings
from leanloop.core.domain import ModelName, check_setting
from leanloop.core.errors import BadInputError
from leanloop.core.fields import read_fields
from leanloop.gateway.acting import why_not
from leanloop.levers.builtin import all_levers, find_lever
from leanloop.levers.planning import plan_cache
from leanloop.models.builtin import ModelSpec
from leanloop.models.own_price import own_price
from leanloop.pricing.catalogue import ListPrice
from leanloop.pricing.cost import AXES, PriceBook
from leanloop.pricing.machine import DEFAULT_USD_PER_HOUR
from leanloop.pricing.protocol import PriceRule
from leanloop.search.builtin import ALLOCATORS, PROPOSERS
from leanloop.search.constraints import read_constraint

Direction = Literal["max", "min"]

USUAL_RUNS = 300
"""Runs of a search that names no bound: a slip in a study's file should not cost a fortune."""


class SuiteSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which suite, with its options; or recorded runs, which are looked up.

    Attributes:
        name: Built in, of another package, or ``module:factory``.
        options: What it is made from.
        recorded: A file of recorded runs in place of a suite, from the study's own
            folder; None for none.
        select: SQL select list that names its columns, as for run tables. Columns
            named like levers are the space, else ``configuration`` is one lever.
        where: SQL condition on the file's own columns.
        holdout: Share of recorded tasks that the search never sees.
    """

    name: str = "backoffice"
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    recorded: str | None = None
    select: str = "*"
    where: str | None = None
    holdout: float = 0.3


class AgentSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose agent makes the runs; leanloop's own when neither is named.

    Attributes:
        command: A program that is started for each run; it speaks to a gateway.
        python: ``module:function``, which takes a ``leanloop.gateway.programs.AgentRun``.
    """

    command: str | None = None
    python: str | None = None

    @property
    def is_outside(self) -> bool:
        """Whether leanloop did not write it."""
        return self.command is not None or self.python is not None


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study may spend; None is no bound.

    Attributes:
        max_runs: Runs of the search, those of the holdout left out. When None, 300;
            recorded runs have no bound then.
        max_usd: Dollars of search and holdout.
        max_wall_s: Seconds of search and holdout together; the search ends early
            enough that the holdout is expected to fit.
    """

    max_runs: int | None = None
    max_usd: float | None = None
    max_wall_s: float | None = None


class RunLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What no run may pass, whatever its levers say."""

    max_steps: int = 12
    timeout_s: float = 300.0
    max_output_tokens: int = 160


class MemorySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent keeps along a stream of tasks.

    Attributes:
        bound: Entries at most, inclusive; the least worth are forgotten first.
        learn_from: ``solved`` (runs that the verifier passed), ``verified`` (that it
            judged), ``all``, or ``nothing``.
    """

    bound: int = 1000
    learn_from: Literal["solved", "verified", "all", "nothing"] = "solved"


class SearchPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the search goes about it.

    Attributes:
        propose: What names configurations to begin with: ``optuna`` (each lever alone,
            then a sampler), ``grid`` or ``factorial``.
        allocate: Who gets the next runs: ``membership`` (those that tell most about the
            frontier) or ``uniform``.
        transfer: An earlier study of the same store whose frontier is looked at first.
        block: Tasks that every new configuration is run on; the fewest that one gets
            at a time.
        proposals: Configurations to try at most, the baseline included; None for no
            bound but the budget's.
        finalists: Configurations run on the holdout beside the baseline.
        drop_at: Confidence, over the whole study and every look, that nothing is
            dropped that is not beaten.
        settle_at: Confidence in the frontier at which the search ends.
        cost_margin: Share of a cost that counts as no difference.
        reference_tasks: Holdout tasks for each reference; all when None.
    """

    propose: str = "optuna"
    allocate: str = "membership"
    transfer: str | None = None
    block: int = 7
    proposals: int | None = None
    finalists: int = 3
    drop_at: float = 0.95
    settle_at: float = 0.95
    cost_margin: float = 0.05
    reference_tasks: int | None = None


class StudySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A study.

    Attributes:
        name: Unique in a store.
        seed: Decides every draw that the search makes.
        suite: The tasks.
        agent: What works on them.
        models: The study's own names for its models; the first acts by default.
            None are needed with recorded runs.
        baseline: The configuration to beat, as lever settings.
        levers: The levers to search, each with the settings to try beside the
            baseline's; an empty list takes off and the lever's own.
        references: Name to settings that differ from the baseline: shown beside
            the result on the holdout, such as the larger model alone.
        objectives: ``success`` and any of usd, latency_s, tokens, tool_calls.
        budget: What the study may spend.
        limits: What no run may pass.
        plan: How the search goes about it.
        constraints: What a configuration must keep to, such as
            ``success >= baseline - 0.02`` or ``p95 latency_s <= 20``.
        memory: What an agent keeps along a stream.
        margin: Success that may be lost before a configuration counts as worse.
        usd_per_hour: Price of this machine, for embedded models.
        folder: Where its file is, set by what reads it: names of the suite's files start
            from there.
        file: Its file as the user named it, set by what reads it, for errors.
    """

    name: str
    models: dict[str, ModelSpec] = msgspec.field(default_factory=dict)
    seed: int = 0
    suite: SuiteSpec = SuiteSpec()
    agent: AgentSpec = AgentSpec()
    baseline: dict[str, Any] = msgspec.field(default_factory=dict)
    levers: dict[str, Any] = msgspec.field(default_factory=dict)
    references: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    objectives: dict[str, Direction] = msgspec.field(
        default_factory=lambda: {"success": "max", "usd": "min"}
    )
    budget: Budget = Budget()
    limits: RunLimits = RunLimits()
    plan: SearchPlan = SearchPlan()
    memory: MemorySpec = MemorySpec()
    constraints: tuple[str, ...] = ()
    margin: float = 0.02
    usd_per_hour: Decimal = DEFAULT_USD_PER_HOUR
    folder: str = ""
    file: str = ""

    @property
    def max_runs(self) -> int | None:
        """Runs of the search at most; None for no bound."""
        usual = USUAL_RUNS if self.suite.recorded is None else None
        return usual if self.budget.max_runs is None else self.budget.max_runs

    @property
    def default_model(self) -> str:
        """The model that acts when no lever says otherwise."""
        return next(iter(self.models))

    def baseline_configuration(self) -> Configuration:
        """The configuration to beat.

        Raises:
            BadInputError: A lever or a setting is unknown.
        """
        return self.configuration(self.baseline, "baseline")

    def configuration(self, table: Mapping[str, Any], where: str) -> Configuration:
        """Lever settings as a configuration; naming the default model is naming none.

        Raises:
            BadInputError: A lever or a setting is unknown.
        """
        flat = flatten_settings(table, where)
        return Configuration({n: self._setting(n, v, where) for n, v in flat.items()})

    def space(self) -> dict[str, tuple[Setting, ...]]:
        """Lever to the settings to try beside the baseline's, in pipeline order.

        Raises:
            BadInputError: A lever or a setting is unknown.
        """
        flat = flatten_settings(self.levers, "levers")
        for name in flat:
            find_lever(name, "levers")
        return {n: self._settings(n, flat[n]) for n in all_levers() if n in flat}

    def price_book(self) -> PriceBook:
        """A price rule for each model."""
        return PriceBook({name: self._rule(name, spec) for name, spec in self.models.items()})

    def fingerprint(self) -> str:
        """Hash of what decides how a run turns out: suite, models and limits."""
        # What a suite does not use is left out: a new field must not part a study from its runs.
        used = {"name": self.suite.name, "options": self.suite.options}
        suite = used if self.suite.recorded is None else self.suite
        deciding: list[object] = [suite, self.models, self.limits]
        deciding += [self.agent] if self.agent.is_outside else []
        deciding += [self.memory] if self.memory != MemorySpec() else []
        parts = msgspec.json.encode(deciding, order="sorted")
        return hashlib.sha256(parts).hexdigest()[:16]

    def _settings(self, name: str, values: object) -> tuple[Setting, ...]:
        if not isinstance(values, list):
            raise BadInputError(f"levers.{name}", "takes a list of settings to try")
        own = find_lever(name, "levers").card.search
        if not (values or own):
            raise BadInputError(
                f"levers.{name}", "name the settings to try; it has none of its own"
            )
        checked = [self._setting(name, v, "levers") for v in (values or own)]
        return tuple(dict.fromkeys(checked if values else [OFF, *checked]))

    def _setting(self, name: str, value: object, where: str) -> Setting:
        domain = find_lever(name, where).card.domain
        setting = check_setting(name, domain, value, where)
        model = setting if isinstance(domain, ModelName) else _model_in(name, setting)
        if model not in (OFF, None) and model not in self.models:
            raise BadInputError(
                f"{where}.{name}",
                f"no such model {model!r}; the study has {', '.join(self.models)}",
            )
        return OFF if name == "model.choice" and setting == self.default_model else setting

    def _rule(self, alias: str, spec: ModelSpec) -> PriceRule:
        own = own_price(alias, spec, self.usd_per_hour)
        return own or ListPrice(spec.provider, spec.name)


def _model_in(name: str, setting: Setting) -> str | None:
    """The model that a summary policy, or who adapts a plan, names, if it does."""
    if name == plan_cache.NAME:
        return None if setting in (plan_cache.PLAIN, plan_cache.ON) else str(setting)
    parts = str(setting).split(":")
    return parts[2] if name == "memory.summarise" and len(parts) == 3 else None


def read_study(path: Path) -> StudySpec:
    """Read a study's TOML file.

    Raises:
        BadInputError: The file is missing, is not TOML, or a field of it is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), f"not TOML: {error}") from error
    try:
        spec = read_fields(table, StudySpec, strict=False, hidden=("folder", "file"))
        check_study(spec)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error.where}", error.problem) from error
    return _beside(spec, path)


def _beside(spec: StudySpec, path: Path) -> StudySpec:
    """The study with where its file is; recorded runs are looked for there first."""
    spec = msgspec.structs.replace(spec, folder=str(path.parent.resolve()), file=str(path))
    recorded = spec.suite.recorded
    if recorded is None or not (path.parent / recorded).is_file():
        return spec
    suite = msgspec.structs.replace(spec.suite, recorded=str((path.parent / recorded).resolve()))
    return msgspec.structs.replace(spec, suite=suite)


def check_study(spec: StudySpec) -> None:
    """Check what msgspec cannot: levers, settings, objectives, bounds.

    Raises:
        BadInputError: Something is wrong; the field is named.
    """
    if not spec.models and spec.suite.recorded is None:
        raise BadInputError("models", "a study needs at least one model")
    known = ("success", *AXES)
    for name, direction in spec.objectives.items():
        if name not in known:
            raise BadInputError(f"objectives.{name}", f"no such objective; {', '.join(known)}")
        if (direction == "max") != (name == "success"):
            raise BadInputError(f"objectives.{name}", "success is to be max and every cost min")
    if not 0 <= spec.margin < 1:
        raise BadInputError("margin", "takes 0 to 1")
    _check_plan(spec.plan)
    _check_models(spec.models)
    for text in spec.constraints:
        read_constraint(text, "constraints")
    if not 0 < spec.suite.holdout < 1:
        raise BadInputError("suite.holdout", "takes more than 0 and less than 1")
    if spec.suite.recorded is not None:
        # Levers and settings of recorded runs are those of the file.
        return
    _check_levers(spec)
    for name, changes in spec.references.items():
        spec.configuration(changes, f"references.{name}")


def _check_levers(spec: StudySpec) -> None:
    if spec.memory.bound < 1:
        raise BadInputError("memory.bound", "takes 1 or more")
    used = [*spec.baseline_configuration(), *spec.space()]
    if not spec.agent.is_outside:
        return
    if spec.agent.command is not None and spec.agent.python is not None:
        raise BadInputError("agent", "takes command or python, not both")
    for name in used:
        why = why_not(find_lever(name, "levers").card)
        if why is not None:
            raise BadInputError(f"levers.{name}", f"does not act on an outside agent: {why}")


def _check_models(models: Mapping[str, ModelSpec]) -> None:
    fields = ("requests_per_minute", "tokens_per_minute", "timeout_s", "concurrency")
    for (name, model), field in product(models.items(), fields):
        value = getattr(model, field)
        if value is not None and not value > 0:
            raise BadInputError(f"models.{name}.{field}", "takes more than 0")


def _check_plan(plan: SearchPlan) -> None:
    for field, known in (("propose", PROPOSERS), ("allocate", ALLOCATORS)):
        if getattr(plan, field) not in known:
            raise BadInputError(f"plan.{field}", f"there are {', '.join(known)}")
    few = plan.proposals is not None and plan.proposals < 1
    if plan.block < 2 or few or plan.finalists < 1:
        raise BadInputError("plan", "block takes 2 or more, proposals and finalists 1 or more")
    for name in ("drop_at", "settle_at"):
        if not 0.5 <= getattr(plan, name) < 1:
            raise BadInputError(f"plan.{name}", "takes 0.5 to less than 1")
    if not 0 <= plan.cost_margin < 1:
        raise BadInputError("plan.cost_margin", "takes 0 to less than 1")
