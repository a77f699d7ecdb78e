"""The suite ``backoffice``: tasks without limit from a seed, on a real database."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import ToolSpec
from leanloop.core.task import Example, ExampleStep, Split, Task
from leanloop.suites.backoffice.families import FAMILIES, FAMILY_TOOLS, Draft
from leanloop.suites.backoffice.names import EXAMPLE, HOLDOUT, SEARCH, Pool
from leanloop.suites.backoffice.tools import DISTRACTORS, TOOLS, Backoffice
from leanloop.suites.backoffice.verify import Check
from leanloop.suites.backoffice.world import NOISE_FIELDS, World, make_world

INSTRUCTIONS = (
    "You work in the back office of a company. Use the tools to look things up and to change "
    "them. Call one tool at a time. Answer with the value alone."
)
POOLS: dict[Split, tuple[Pool, int]] = {Split.SEARCH: (SEARCH, 0), Split.HOLDOUT: (HOLDOUT, 1)}
EXAMPLE_ROUNDS = 3


class BackofficeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The knobs of the suite.

    Attributes:
        seed: Draws every company and every task.
        search_tasks: Tasks in the search split.
        holdout_tasks: Tasks in the holdout.
        families: Which families to draw from; all when empty.
        noise_fields: Fields that no task needs, in every record, 0 to 8.
        distractors: Tools that no task needs, 0 to 6.
    """

    seed: int = 0
    search_tasks: int = 70
    holdout_tasks: int = 42
    families: tuple[str, ...] = ()
    noise_fields: int = 4
    distractors: int = 4


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
        _check(self._options)

    @property
    def name(self) -> str:
        """``backoffice``."""
        return "backoffice"

    @property
    def instructions(self) -> str:
        """The system text."""
        return INSTRUCTIONS

    @cached_property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools that the families need, then the distractors."""
        needed = {t for f in self._families for t in FAMILY_TOOLS[f]}
        if len(self._families) == len(FAMILIES):
            needed = set(TOOLS)
        return (
            *(t for n, t in TOOLS.items() if n in needed),
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
        return Backoffice(world, self.tools, self._options.noise_fields, Check(draft, world))

    def _task(self, split: Split, index: int) -> Task:
        draft, _ = self._draft(split, index)
        family = self._families[index % len(self._families)]
        return Task(f"{split}-{index:04}-{family}", draft.wordings[POOLS[split][1]], split, family)

    def _draft(self, split: Split, index: int) -> tuple[Draft, World]:
        seed = f"{self._options.seed}/{split}/{index}"
        world = make_world(POOLS[split][0], seed)
        family = self._families[index % len(self._families)]
        return FAMILIES[family](random.Random(seed + family), world), world  # noqa: S311

    def _example(self, family: str, seed: str) -> Example:
        world = make_world(EXAMPLE, seed + family)
        draft = FAMILIES[family](random.Random(seed + family), world)  # noqa: S311
        environment = Backoffice(world, self.tools, self._options.noise_fields, Check(draft, world))
        try:
            steps = tuple(
                ExampleStep(tool, arguments, environment.carry_out(tool, arguments), fields)
                for tool, arguments, fields in draft.steps
            )
        finally:
            environment.close()
        return Example(draft.wordings[2], steps, draft.answer)


def _check(options: BackofficeOptions) -> None:
    for family in options.families:
        if family not in FAMILIES:
            raise BadInputError(
                "suite.options.families", f"no family {family!r}; there are {', '.join(FAMILIES)}"
            )
    if not 0 <= options.noise_fields <= len(NOISE_FIELDS):
        raise BadInputError("suite.options.noise_fields", f"takes 0 to {len(NOISE_FIELDS)}")
    if not 0 <= options.distractors <= len(DISTRACTORS):
        raise BadInputError("suite.options.distractors", f"takes 0 to {len(DISTRACTORS)}")
    for name in ("search_tasks", "holdout_tasks"):
        if getattr(options, name) < 1:
            raise BadInputError(f"suite.options.{name}", "a suite needs at least one task")
