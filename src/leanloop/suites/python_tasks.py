"""The suite ``python``: a function of the user's that yields tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object
from leanloop.core.task import Example, Split, Task
from leanloop.suites.case import Case
from leanloop.suites.options import read_options
from leanloop.suites.protocol import Environment
from leanloop.suites.splitting import Draw, split_groups


class PythonOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of the suite.

    Attributes:
        tasks: ``module:function``; the function takes nothing and yields ``leanloop.Case``.
        instructions: The system text that every task shares.
        holdout: Share of the tasks to hold out, by groups, where a case names no split.
        seed: Of that draw.
    """

    tasks: str
    instructions: str = "Answer with the value alone."
    holdout: float = 0.4
    seed: int = 0


class CaseSuite:
    """Cases as a suite.

    Args:
        name: The suite's name.
        instructions: The system text.
        cases: The tasks.
        draw: How splits are drawn where a case names none.
        examples: Worked examples, for the lever ``planning.examples``.

    Raises:
        BadInputError: An id comes twice, or a case cannot be used.
    """

    def __init__(
        self,
        name: str,
        instructions: str,
        cases: Iterable[Case],
        draw: Draw,
        examples: tuple[Example, ...] = (),
    ) -> None:
        self._name, self._instructions, self._examples = name, instructions, examples
        self._cases: dict[str, Case] = {}
        for case in cases:
            case.validate()
            if case.task_id in self._cases:
                said = "comes twice; give each task its own id"
                raise BadInputError(case.place, said)
            self._cases[case.task_id] = case
        self._tasks = self._drawn(draw)

    @property
    def name(self) -> str:
        """The suite's name."""
        return self._name

    @property
    def instructions(self) -> str:
        """The system text."""
        return self._instructions

    @property
    def examples(self) -> tuple[Example, ...]:
        """Worked examples."""
        return self._examples

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split, in the order in which they were given."""
        return [t for t in self._tasks if t.split is split]

    def open(self, task: Task) -> Environment:
        """A fresh environment for one run of the task."""
        return self._cases[task.task_id].open()

    def _drawn(self, draw: Draw) -> list[Task]:
        free = {i: c.group or i for i, c in self._cases.items() if c.split is None}
        splits = {i: _named(c) for i, c in self._cases.items() if c.split is not None}
        splits |= split_groups(free, draw) if free else {}
        before = Counter[str]()
        places = {}
        for i, c in self._cases.items():
            places[i] = before[c.stream] if c.position is None else c.position
            before[c.stream] += 1
        return [
            Task(
                task_id=i,
                prompt=c.prompt,
                split=splits[i],
                family=c.tags[0] if c.tags else "",
                cluster=c.group or None,
                stream=c.stream or None,
                position=places[i] if c.stream else None,
                graded_by=c.grading,
            )
            for i, c in self._cases.items()
        ]


def _named(case: Case) -> Split:
    try:
        return Split(str(case.split))
    except ValueError:
        raise BadInputError(case.place, "split takes search or holdout") from None


def build(options: Mapping[str, object], base: Path) -> CaseSuite:
    """The suite that a study names.

    Raises:
        BadInputError: The function cannot be had, or what it yields cannot be used.
    """
    del base
    wanted = read_options(options, PythonOptions)
    where = "suite.options.tasks"
    function = load_object(wanted.tasks, where)
    try:
        cases = list(function())
    except TypeError as error:
        raise BadInputError(where, f"{wanted.tasks!r} yields no tasks: {error}") from error
    for case in cases:
        if not isinstance(case, Case):
            raise BadInputError(where, f"yields leanloop.Case, not {type(case).__name__}")
    draw = Draw(wanted.holdout, wanted.seed)
    return CaseSuite("python", wanted.instructions, cases, draw)
