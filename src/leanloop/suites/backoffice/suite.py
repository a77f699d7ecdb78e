"""The suite ``backoffice``: tasks without limit from a seed, on a real database."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolSpec
from leanloop.core.task import Example, ExampleStep, Split, Task
from leanloop.suites.backoffice.distractors import DISTRACTORS
from leanloop.suites.backoffice.families import FAMILIES, FAMILY_TOOLS, Draft
from leanloop.suites.backoffice.families_long import (
    EXTRA_FAMILIES,
    EXTRA_FAMILY_TOOLS,
    WORLD_NUMBERS,
)
from leanloop.suites.backoffice.history import FIELD
from leanloop.suites.backoffice.names import EXAMPLE, HOLDOUT, SEARCH, Pool
from leanloop.suites.backoffice.noise import NOISE_FIELDS, Noise
from leanloop.suites.backoffice.stream import Plan, StreamTasks
from leanloop.suites.backoffice.tools import EXTRA_TOOLS, TOOLS, Backoffice
from leanloop.suites.backoffice.verify import Check
from leanloop.suites.backoffice.world import USUAL_NUMBERS, World, make_world
from leanloop.suites.options import read_options

INSTRUCTIONS = (
    "You work in the back office of a company. Use the tools to look things up and to change "
    "them. {calls} Answer with the value alone."
)
ONE_CALL = "Call one tool at a time."
MANY_CALLS = "Calls that do not wait for each other can be made together."
EVERY_FAMILY = FAMILIES | EXTRA_FAMILIES
EVERY_FAMILY_TOOLS = FAMILY_TOOLS | EXTRA_FAMILY_TOOLS
MOST_NOISE = 100_000
POOLS: dict[Split, tuple[Pool, int]] = {Split.SEARCH: (SEARCH, 0), Split.HOLDOUT: (HOLDOUT, 1)}
EXAMPLE_ROUNDS = 3


class BackofficeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The knobs of the suite.

    Attributes:
        seed: Draws every company and every task.
        search_tasks: Tasks in the search split.
        holdout_tasks: Tasks in the holdout.
        families: Which families to draw from. When empty, all but the further ones: audit,
            recheck, parallel, unsolvable, long and history. An audit takes 16 calls and
            more, so raise the study's limits.max_steps.
        noise_fields: Fields that no task needs, in every record, 0 to 8.
        distractors: Tools that no task needs, 0 to 40.
        noise_characters: About how long a free text in every record is, 0 to 100 000;
            none at 0. The family history is about one line of it.
        one_call: Whether the instructions ask for one tool call at a time.
        streams: When 1 or more, each split is that many ordered streams, each of one
            company that asks for the same kinds of thing again and again, in several
            wordings; the holdout goes on where the search ends. When 0, every task has a
            company of its own.
        drift: In streams, how many records of the company change a task, 0 to 1: what
            was true may not be any more.
    """

    seed: int = 0
    search_tasks: int = 70
    holdout_tasks: int = 42
    families: tuple[str, ...] = ()
    noise_fields: int = 4
    distractors: int = 4
    noise_characters: int = 0
    one_call: bool = True
    streams: int = 0
    drift: float = 0.0


class BackofficeSuite:
    """People, teams, orders, stock and tickets of small companies, one for each task.

    Entities and wording of the search split and the holdout share nothing, and
    neither do those of the worked examples.

    Args:
        options: The knobs; their defaults when None.
    """

    def __init__(self, options: BackofficeOptions | None = None) -> None:
        self._options = options or BackofficeOptions()
        self._families = self._options.families or tuple(FAMILIES)
        self._noise = Noise(self._options.noise_fields, self._options.noise_characters)
        _check(self._options)

    @property
    def name(self) -> str:
        """``backoffice``."""
        return "backoffice"

    @property
    def instructions(self) -> str:
        """The system text."""
        return INSTRUCTIONS.format(calls=ONE_CALL if self._options.one_call else MANY_CALLS)

    @cached_property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools that the families need, then the distractors."""
        needed = {t for f in self._families for t in EVERY_FAMILY_TOOLS[f]}
        if set(self._families) >= set(FAMILIES):
            needed |= set(TOOLS)
        return (
            *(self._shown(t) for n, t in (TOOLS | EXTRA_TOOLS).items() if n in needed),
            *DISTRACTORS[: self._options.distractors],
        )

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """Three worked examples of each family, names and fields rotated."""
        every = [(r, f) for r in range(EXAMPLE_ROUNDS) for f in self._families]
        return tuple(self._example(f, f"{self._options.seed}/example/{r}") for r, f in every)

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split; families take turns."""
        options = self._options
        count = options.search_tasks if split is Split.SEARCH else options.holdout_tasks
        return [self._task(split, i) for i in range(count)]

    def open(self, task: Task) -> Backoffice:
        """A fresh company for one run of the task."""
        index = int(task.task_id.split("-")[1])
        draft, world = self._draft(task.split, index)
        return Backoffice(world, self.tools, self._noise, Check(draft, world))

    def _shown(self, tool: ToolSpec) -> ToolSpec:
        if tool.name != "get_person" or "history" not in self._families:
            return tool
        # A lever that narrows results must be able to ask for the field that a task needs.
        return msgspec.structs.replace(tool, result_fields=(*tool.result_fields, FIELD))

    def _task(self, split: Split, index: int) -> Task:
        if self._options.streams:
            return self._streams.task(split, index)
        draft, _ = self._draft(split, index)
        family = self._families[index % len(self._families)]
        return Task(f"{split}-{index:04}-{family}", draft.wordings[POOLS[split][1]], split, family)

    @cached_property
    def _streams(self) -> StreamTasks:
        options = self._options
        counts = {Split.SEARCH: options.search_tasks, Split.HOLDOUT: options.holdout_tasks}
        families = {f: EVERY_FAMILY[f] for f in self._families}
        numbers = max(WORLD_NUMBERS.get(f, USUAL_NUMBERS) for f in families)
        plan = Plan(options.seed, options.streams, counts, families, numbers, options.drift)
        return StreamTasks(plan)

    def _draft(self, split: Split, index: int) -> tuple[Draft, World]:
        if self._options.streams:
            return self._streams.draft(split, index)
        seed = f"{self._options.seed}/{split}/{index}"
        return _draw(self._families[index % len(self._families)], POOLS[split][0], seed, seed)

    def _example(self, family: str, seed: str) -> Example:
        draft, world = _draw(family, EXAMPLE, seed, seed + family)
        environment = Backoffice(world, self.tools, self._noise, Check(draft, world))
        try:
            steps = tuple(
                ExampleStep(tool, arguments, _tried(environment, tool, arguments), fields)
                for tool, arguments, fields in draft.steps
            )
        finally:
            environment.close()
        return Example(draft.wordings[2], steps, draft.answer)


def build(options: Mapping[str, object], base: Path) -> BackofficeSuite:
    """The suite of a study's options.

    Raises:
        BadInputError: An option is wrong.
    """
    del base
    return BackofficeSuite(read_options(options, BackofficeOptions))


def _draw(family: str, pool: Pool, seed: str, world_seed: str) -> tuple[Draft, World]:
    world = make_world(pool, world_seed, WORLD_NUMBERS.get(family, USUAL_NUMBERS))
    return EVERY_FAMILY[family](random.Random(seed + family), world), world  # noqa: S311


def _tried(environment: Backoffice, tool: str, arguments: dict[str, str]) -> Json:
    """The result of a call; its error text where a worked example shows that it fails."""
    try:
        return environment.carry_out(tool, dict(arguments))
    except LookupError as error:
        return str(error)


def _check(options: BackofficeOptions) -> None:
    for family in options.families:
        if family not in EVERY_FAMILY:
            raise BadInputError(
                "suite.options.families",
                f"no family {family!r}; there are {', '.join(EVERY_FAMILY)}",
            )
    if "history" in options.families and not options.noise_characters:
        raise BadInputError("suite.options.noise_characters", "the family history needs it above 0")
    if not 0 <= options.noise_characters <= MOST_NOISE:
        raise BadInputError("suite.options.noise_characters", f"takes 0 to {MOST_NOISE}")
    if not 0 <= options.noise_fields <= len(NOISE_FIELDS):
        raise BadInputError("suite.options.noise_fields", f"takes 0 to {len(NOISE_FIELDS)}")
    if not 0 <= options.distractors <= len(DISTRACTORS):
        raise BadInputError("suite.options.distractors", f"takes 0 to {len(DISTRACTORS)}")
    for name in ("search_tasks", "holdout_tasks"):
        if getattr(options, name) < 1:
            raise BadInputError(f"suite.options.{name}", "a suite needs at least one task")
    _check_streams(options)


def _check_streams(options: BackofficeOptions) -> None:
    if not 0 <= options.drift <= 1:
        raise BadInputError("suite.options.drift", "takes 0 to 1")
    if not 0 <= options.streams <= min(options.search_tasks, options.holdout_tasks):
        raise BadInputError(
            "suite.options.streams", "takes 0, or as many as each split has tasks at the most"
        )
