"""A study: search, then baseline and finalists again on tasks that the search never saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.errors import BadInputError
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.judging.reading import Selection
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.builtin import build_model
from leanloop.models.pacing import pace_models
from leanloop.models.protocol import Model
from leanloop.models.weights import Progress as FetchProgress
from leanloop.search.field_errors import naming_file
from leanloop.search.frame import Frame
from leanloop.search.judge_check import JudgeTrial
from leanloop.search.kept_memory import KeptMemory
from leanloop.search.kept_tasks import KeptTasks
from leanloop.search.ledger import Ledger, Terms, names_of
from leanloop.search.notebook import study_html
from leanloop.search.optimization import Optimization
from leanloop.search.protocol import Observer, Runner
from leanloop.search.recorded import RecordedRuns
from leanloop.search.result import (
    Member,
    Result,
    figures,
    settings_of,
)
from leanloop.search.run_frame import runs_of_study
from leanloop.search.runtable import RunTable
from leanloop.search.spec import StudySpec, check_study, read_study
from leanloop.search.streams import check_streams, memory_levers
from leanloop.search.subject import Tasks
from leanloop.search.task_report import Agreement
from leanloop.store.protocol import Store, StudyRecord
from leanloop.suites.builtin import build_suite
from leanloop.suites.judge import JudgingSuite
from leanloop.suites.protocol import Modelled, Suite

if TYPE_CHECKING:
    from leanloop.gateway.outside_agent import OutsideAgent


class Silent:
    """An observer that looks away."""

    def run_done(self, configuration: Configuration, run: Run, progress: object) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Study:
    """A study in Python: the same as its TOML file, and any suite or model object.

    Args:
        spec: What is studied.
        suite: The tasks; built from the description when None.
        models: Models by the study's names; built from the description when None.

    Raises:
        BadInputError: The description is wrong.
    """

    def __init__(
        self,
        spec: StudySpec,
        *,
        suite: Suite | None = None,
        models: Mapping[str, Model] | None = None,
    ) -> None:
        check_study(spec)
        self.spec = spec
        with naming_file(spec.file):
            self.prices = spec.price_book()
            self.recorded = _recorded(spec)
            self.suite: Tasks = self.recorded or suite or _suite(spec)
            self._carrying = self._check_streams()
            self._check_tests()
        self.tasks: Tasks = self.suite
        self.judge: Agreement | None = None
        self.judge_usd: float | None = 0.0
        self._models = dict(models) if models is not None else {}
        self._outside: OutsideAgent | None = None

    def _check_streams(self) -> bool:
        """Whether anything that is studied carries something over from task to task."""
        if self.recorded is not None:
            return False
        spec = self.spec
        every = [spec.baseline, *spec.references.values()]
        settings = {n for table in every for n in spec.configuration(table, "levers")}
        settings |= set(self.space())
        tasks = [t for split in Split for t in self.suite.tasks(split)]
        check_streams(sorted(settings), tasks)
        return bool(memory_levers(settings))

    def _check_tests(self) -> None:
        """What a suite queries itself is a model of the study."""
        if not isinstance(self.suite, Modelled):
            return
        for name in self.suite.models:
            if name not in self.spec.models:
                known = ", ".join(self.spec.models)
                raise BadInputError(
                    "suite.options", f"no such model {name!r}; the study has {known}"
                )

    @classmethod
    def from_toml(cls, path: Path) -> Study:
        """The study that a file describes.

        Raises:
            BadInputError: The file or a field of it is wrong.
        """
        return cls(read_study(path))

    def load_models(self, progress: FetchProgress | None = None) -> None:
        """Build the models, fetching weights where they are missing.

        Raises:
            BadInputError: A model cannot be had.
        """
        specs = self.spec.models
        missing = {a: s for a, s in specs.items() if a not in self._models}
        with naming_file(self.spec.file):
            new = {a: build_model(a, s, progress) for a, s in missing.items()}
        self._models |= pace_models(new, specs)

    def runner(self) -> Runner:
        """What makes runs: leanloop's own agent, or the look-up of recorded ones."""
        if self.recorded is not None:
            return self.recorded
        limits, asked = self.spec.limits, self.spec.agent
        if asked.is_outside:
            # What outside agents need is slow to load.
            from leanloop.gateway.outside_agent import OutsideAgent  # noqa: PLC0415
            from leanloop.gateway.programs import build_program  # noqa: PLC0415

            with naming_file(self.spec.file):
                program = build_program(asked.command, asked.python)
            self._outside = OutsideAgent(
                cast(Suite, self.suite),
                self.spec.models,
                program,
                Limits(limits.max_steps, limits.timeout_s, limits.max_output_tokens),
                self.prices.call_usd,
            )
            return self._outside
        self.load_models()
        return Agent(
            cast(Suite, self.suite),
            self._models,
            self.spec.default_model,
            all_levers(),
            Limits(limits.max_steps, limits.timeout_s, limits.max_output_tokens),
            self.prices.call_usd,
        )

    def space(self) -> dict[str, tuple[Setting, ...]]:
        """Lever to the settings to try."""
        return self.spec.space() if self.recorded is None else self.recorded.space()

    def configuration(self, settings: Mapping[str, Any], where: str) -> Configuration:
        """Lever settings as a configuration of this study.

        Raises:
            BadInputError: A lever or a setting is unknown, or was not recorded.
        """
        if self.recorded is None:
            return self.spec.configuration(settings, where)
        return self.recorded.configuration(settings, where)

    def record(self) -> StudyRecord:
        """The study as a store keeps it."""
        text = msgspec.json.encode(self.spec).decode()
        return StudyRecord(self.spec.name, text, self.spec.fingerprint())

    def runs(self, store: Store) -> Frame:
        """The runs of this study that a store has, a row for each: ``.to_polars()``.

        Args:
            store: Where they are kept.

        Raises:
            BadInputError: The store has no such study.
        """
        return runs_of_study(store, self.spec.name)

    def _repr_html_(self) -> str:
        """What a notebook shows: what the study would run."""
        return study_html(self)

    async def close(self) -> None:
        """Close the models."""
        if self._outside is not None:
            await self._outside.close()
        for model in self._models.values():
            await model.close()

    async def run_one(
        self,
        configuration: Configuration,
        split: Split,
        store: Store,
        observer: Observer,
        first: int | None = None,
        memory: KeptMemory | None = None,
    ) -> Member:
        """Run one configuration on a split; runs that the store has are not made again.

        Args:
            configuration: What is on.
            split: Whose tasks.
            store: Where runs are kept.
            observer: Watches.
            first: Tasks to take, from the first; all when None.
            memory: What is carried over, and where what is learned is kept, instead of
                what the study's streams have left: every run sees what there is. The
                runs are kept as a study of their own, ``NAME with MEMORY``.
        """
        record = self.record()
        record = msgspec.structs.replace(record, name=self.name_of_runs(memory))
        if memory is None and self.recorded is None:
            check_streams(configuration, self.suite.tasks(split))
        store.open_study(record)
        table = RunTable(self.prices)
        carrying = self._carrying or bool(memory_levers(configuration))
        with naming_file(self.spec.file):
            self._keep_tasks(store, record.name, ordered=memory is None and carrying)
            ledger = self._ledger(store, observer, name=record.name)
            ledger.kept = memory
            ledger.phase, ledger.alive = str(split), 1
            async with ledger.open():
                for run in await ledger.make([(configuration, self.tasks.tasks(split)[:first])]):
                    table.add(run)
        found = figures(table, configuration)
        empty = RunTable(self.prices)
        return Member(
            id=configuration.id,
            settings=settings_of(configuration),
            p_frontier=None,
            search=found if split is Split.SEARCH else figures(empty, configuration),
            holdout=found if split is Split.HOLDOUT else None,
        )

    def name_of_runs(self, memory: KeptMemory | None) -> str:
        """The study in the store that runs with a memory are kept as."""
        return self.spec.name if memory is None else f"{self.spec.name} with {memory.name}"

    async def optimize(
        self, store: Store, observer: Observer | None = None, runner: Runner | None = None
    ) -> Result:
        """Run the study, or go on with it, to its result.

        Args:
            store: Where its runs are kept.
            observer: Watches.
            runner: Makes the runs; the study's own when None.

        Raises:
            StoppedError: Somebody asked from elsewhere that it ends.
        """
        with naming_file(self.spec.file):
            return await self._optimize(store, observer or Silent(), runner)

    async def _optimize(self, store: Store, watching: Observer, runner: Runner | None) -> Result:
        store.open_study(self.record())
        self._keep_tasks(store, self.spec.name, ordered=self._carrying)
        await self._try_judge(store, watching)
        ledger = self._ledger(store, watching, runner)
        async with ledger.open():
            optimization = Optimization(self, ledger, watching, self._earlier(store))
            result = await optimization.run()
        for along in result.streams:
            ledger.streams.keep_in(store, self.spec.name, Configuration(along.settings))
        store.save_result(self.spec.name, msgspec.json.encode(result))
        optimization.show("done")
        return result

    def _keep_tasks(self, store: Store, name: str, *, ordered: bool) -> None:
        if self.recorded is None:
            field = _tasks_field(self.spec) if ordered else None
            self.tasks = KeptTasks(cast(Suite, self.suite), store, name, field)

    async def _try_judge(self, store: Store, observer: Observer) -> None:
        """Try a judge on its labelled answers."""
        if not isinstance(self.suite, JudgingSuite):
            return
        self.load_models()
        trial = JudgeTrial(self.record(), store, self.prices, observer, self.spec.budget.max_usd)
        self.judge, self.judge_usd = await trial.run(self.suite, self._models)

    def _earlier(self, store: Store) -> list[Configuration]:
        """The frontier of the study that this one starts from."""
        name = self.spec.plan.transfer
        if name is None:
            return []
        raw = store.result(name)
        if raw is None:
            raise BadInputError("plan.transfer", f"study {name!r} has no result in this store")
        result = msgspec.json.decode(raw, type=Result)
        return [Configuration(m.settings) for m in (*result.frontier, *result.others)]

    def _ledger(
        self, store: Store, observer: Observer, runner: Runner | None = None, name: str = ""
    ) -> Ledger:
        spec = self.spec
        embedded = any(m.provider == "embedded" for m in spec.models.values())
        terms = Terms(
            spec.budget.max_usd,
            spec.max_runs,
            warm_up=embedded,
            claim=self.recorded is None,
            bound=spec.memory.bound,
            learn_from=spec.memory.learn_from,
        )
        made_by = runner or self.runner()
        return Ledger(name or spec.name, made_by, self.prices, store, observer, terms)

    def price_labels(self) -> dict[str, str]:
        """The study's name for each model, to what it is and where its price comes from."""
        labels = self.prices.labels()
        refs = {a: f"{m.provider}:{m.name}" for a, m in self.spec.models.items()}
        refs |= names_of(self._models)
        return {alias: f"{ref}, {labels[alias]}" for alias, ref in refs.items()}


def _tasks_field(spec: StudySpec) -> str:
    """The field that says which tasks in which order, and what it says."""
    for name in ("file", "tasks"):
        if name in spec.suite.options:
            return f"suite.options.{name} ({spec.suite.options[name]!r})"
    return "suite.options"


def _recorded(spec: StudySpec) -> RecordedRuns | None:
    suite = spec.suite
    if suite.recorded is None:
        return None
    if "*" not in suite.recorded and not Path(suite.recorded).is_file():
        raise BadInputError("suite.recorded", f"{suite.recorded}: no such file")
    selection = Selection(suite.select, suite.where)
    try:
        return RecordedRuns(suite.recorded, selection, suite.holdout, spec.seed)
    except BadInputError as error:
        # A table of runs knows these as options; here they are fields.
        field = {"--select": "suite.select", "--where": "suite.where"}.get(error.where)
        raise error if field is None else BadInputError(field, error.problem) from error


def _suite(spec: StudySpec) -> Suite:
    return build_suite(spec.suite.name, spec.suite.options, Path(spec.folder))
