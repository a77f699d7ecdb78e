"""Recorded runs as a suite: each configuration on a task is looked up, not run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from leanloop.core.configuration import OFF, Configuration, Setting, flatten_settings
from leanloop.core.errors import BadInputError
from leanloop.core.run import RecordedCost, Run, RunKey, Status
from leanloop.core.task import Split, Task
from leanloop.judging.reading import Selection, read_runs
from leanloop.judging.run_table import AXES, RunTable
from leanloop.search.protocol import Proposer

NAME = "configuration"
"""The one lever of recorded runs that name no levers: which configuration."""
ENOUGH = 0.5
"""Share of the most tasks of any configuration that one needs, or it is left out."""


RECORDED_EVIDENCE = dict.fromkeys(
    ("tokens", "latency_s", "usd", "success"),
    "as recorded in the suite's file; nothing was run here",
)


class RecordedRuns:
    """Configurations and tasks of a run table, complete: every one was run on every task.

    Configurations with few tasks are left out, then tasks that some lack.

    Args:
        path: A file that ``read_runs`` reads.
        selection: What to take from it.
        holdout: Share of the tasks that the search never sees, whole clusters
            together where there are some.
        seed: Says which ones.

    Raises:
        BadInputError: The file cannot be used, or too little is left.
    """

    def __init__(self, path: str, selection: Selection, holdout: float, seed: int) -> None:
        table = read_runs(path, selection)
        try:
            self._take(table, holdout, seed)
        finally:
            table.close()

    def _take(self, table: RunTable, holdout: float, seed: int) -> None:
        counts = table.task_counts()
        most = max(counts.values())
        names = [c for c in table.configurations if counts[c] >= ENOUGH * most]
        common = table.common(names)
        left = len(counts) - len(names)
        self.notes = [*table.notes]
        if left or common.dropped:
            self.notes.append(
                f"{left} configurations with few tasks and {common.dropped:,} tasks that some "
                f"lack are left out: {len(names)} configurations on {common.tasks:,} tasks"
            )
        if len(names) < 2 or common.tasks < 4:
            raise BadInputError(
                table.source,
                f"{len(names)} configurations have {common.tasks} tasks in common: too little to "
                "search; --where or select can leave some out",
            )
        self._place = {c: i for i, c in enumerate(_configurations(table, names))}
        self._values = common.values
        self._tasks = _split(table, common.tasks, common.sample.units.codes, (holdout, seed))
        self._at = {t.task_id: int(t.prompt) for t in self._tasks}
        self.axes = table.axes

    @property
    def configurations(self) -> list[Configuration]:
        """Those that were recorded, in the order of their names."""
        return list(self._place)

    def tasks(self, split: Split) -> Sequence[Task]:
        """Tasks of a split, in an order that says nothing."""
        return [t for t in self._tasks if t.split is split]

    def space(self) -> dict[str, tuple[Setting, ...]]:
        """Lever to the settings that were recorded."""
        levers = sorted({name for c in self._place for name in c})
        return {n: tuple(dict.fromkeys(c[n] for c in self._place)) for n in levers}

    def configuration(self, settings: Mapping[str, Any], where: str) -> Configuration:
        """The recorded configuration of these settings; the first when there are none.

        Raises:
            BadInputError: None was recorded with them.
        """
        if not settings:
            return next(iter(self._place))
        named = NAME in settings
        flat = dict(settings) if named else flatten_settings(settings, where)
        found = Configuration({n: str(v) for n, v in flat.items()})
        if found not in self._place:
            some = "; ".join(str(c) for c in list(self._place)[:4])
            raise BadInputError(where, f"no run was recorded with {found}; there are: {some}, …")
        return found

    def has(self, configuration: Configuration) -> bool:
        """Whether it was recorded."""
        return configuration in self._place

    @property
    def concurrency(self) -> int:
        """One: a look-up never waits."""
        return 1

    async def run(self, configuration: Configuration, task: Task) -> Run:
        """Look a run up."""
        at = self._place[configuration], self._at[task.task_id]
        costs = {a: _known(self._values[a][at]) for a in AXES}
        return Run(
            key=RunKey(configuration.id, task.task_id),
            split=task.split,
            status=Status.FINISHED,
            success=float(self._values["success"][at]),
            steps=(),
            wall_s=0.0,
            critical_path_s=0.0,
            started_at=time.time(),
            cluster=task.cluster,
            recorded=RecordedCost(**costs),
        )


class RecordedOnly:
    """Passes on proposals that were recorded.

    Args:
        proposer: Proposes from the whole space.
        has: Says whether a configuration was recorded.
    """

    def __init__(self, proposer: Proposer, has: Callable[[Configuration], bool]) -> None:
        self._proposer, self._has = proposer, has

    def propose(self, count: int) -> list[Configuration]:
        """The next that were recorded."""
        while proposed := self._proposer.propose(count):
            found = [c for c in proposed if self._has(c)]
            for configuration in proposed:
                if configuration not in found:
                    self._proposer.tell(configuration, {})
            if found:
                return found
        return []

    def tell(self, configuration: Configuration, means: Mapping[str, float]) -> None:
        """What it came to."""
        self._proposer.tell(configuration, means)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _configurations(table: RunTable, names: Sequence[str]) -> list[Configuration]:
    if not table.levers:
        return [Configuration({NAME: name}) for name in names]
    settings = table.settings()
    found: dict[Configuration, str] = {}
    for name in names:
        configuration = Configuration({n: v for n, v in settings[name].items() if v != OFF})
        if configuration in found:
            raise BadInputError(
                table.source,
                f"configurations {found[configuration]!r} and {name!r} have the same levers",
            )
        found[configuration] = name
    return list(found)


def _split(table: RunTable, count: int, units: np.ndarray, draw: tuple[float, int]) -> list[Task]:
    """Tasks in a drawn order; whole units go to the holdout until it has its share."""
    holdout, seed = draw
    rng = np.random.default_rng(seed)
    held: set[int] = set()
    for unit in rng.permutation(int(units.max()) + 1):
        members = np.flatnonzero(units == unit)
        if len(held) + len(members) <= holdout * count:
            held.update(members.tolist())
    names = table.common_tasks()
    clustered = len(np.unique(units)) < count
    return [
        Task(
            task_id=names[i],
            prompt=str(i),
            split=Split.HOLDOUT if i in held else Split.SEARCH,
            cluster=str(units[i]) if clustered else None,
        )
        for i in rng.permutation(count).tolist()
    ]
