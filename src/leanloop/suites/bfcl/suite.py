"""The benchmark's multi-turn categories as a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.task import Example, Split, Task
from leanloop.suites.bfcl.environment import BfclRun
from leanloop.suites.bfcl.records import Category, Record, clusters, read_category
from leanloop.suites.bfcl.world import simulated
from leanloop.suites.options import read_options
from leanloop.suites.places import Places

INSTRUCTIONS = (
    "Do what the user asks with the tools, one request after the other. When nothing is left to "
    "do for a request, or a tool or a value that it needs is missing, say so in a sentence; the "
    "user then goes on."
)


class BfclOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study may set.

    Attributes:
        category: ``base``, ``miss_func``, ``miss_param`` or ``long_context``, or several.
        classes: Only entries that play in these APIs alone, such as ``TradingBot``; all
            entries when empty.
        seed: Decides the splits and the order in them.
        holdout: The part of the entries that is held out.
        search_tasks: At most so many in the search split; all of them when None.
        holdout_tasks: At most so many in the holdout; all of them when None.
    """

    category: Category | tuple[Category, ...] = "base"
    classes: tuple[str, ...] = ()
    seed: int = 0
    holdout: float = 0.4
    search_tasks: int | None = None
    holdout_tasks: int | None = None

    @property
    def categories(self) -> tuple[Category, ...]:
        """Each of them once."""
        wanted = (self.category,) if isinstance(self.category, str) else self.category
        return tuple(dict.fromkeys(wanted))


class BfclSuite:
    """Entries of the benchmark as tasks.

    Args:
        options: Which entries, and how they are split.

    Raises:
        BadInputError: The package is not installed, or an option is wrong.
    """

    name = "bfcl"
    instructions = INSTRUCTIONS
    examples: tuple[Example, ...] = ()

    def __init__(self, options: BfclOptions) -> None:
        places = Places(options.seed, options.holdout, options.search_tasks, options.holdout_tasks)
        base = read_category("base")
        known = check_classes(options.classes, base)
        together = clusters(base)
        every = [record for name in options.categories for record in read_category(name)]
        apis = set(options.classes or known)
        wanted = [r for r in every if set(r.classes) <= apis and r.can_be_solved]
        for api in sorted(apis):
            simulated(api)  # what is missing is said now, not in the middle of a study
        parts = places.divide(wanted, lambda r: together[r.number], lambda r: r.ident)
        self._tasks = {
            split: tuple(_task(record, split, together[record.number]) for record in part)
            for split, part in parts.items()
        }
        self._records = {record.ident: record for part in parts.values() for record in part}

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split; the variants of an entry share their cluster."""
        return self._tasks[split]

    def open(self, task: Task) -> BfclRun:
        """Fresh APIs, in the state that the entry starts in."""
        return BfclRun(self._records[task.task_id])


def check_classes(classes: Sequence[str], base: Sequence[Record]) -> Sequence[str]:
    """Every API there is; names of others are refused.

    Raises:
        BadInputError: One is unknown.
    """
    known = sorted({api for record in base for api in record.classes})
    for name in classes:
        if name not in known:
            raise BadInputError(
                "suite.options", f"classes: no {name!r}; there are {', '.join(known)}"
            )
    return known


def build(options: Mapping[str, object], base: Path) -> BfclSuite:
    """The suite of a study's options.

    Raises:
        BadInputError: An option is wrong, or the package is not installed.
    """
    del base
    return BfclSuite(read_options(options, BfclOptions))


def _task(record: Record, split: Split, cluster: str) -> Task:
    family = f"{record.category}/{'+'.join(sorted(record.classes))}"
    return Task(record.ident, record.turns[0], split, family, cluster)
