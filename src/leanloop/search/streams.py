"""Memory along the streams of a study: each run begins with what its stream's earlier runs left."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.memory import Entry, MemoryChange, Origin, Put
from leanloop.core.run import Run, Status
from leanloop.core.task import Split, Task
from leanloop.levers.builtin import all_levers
from leanloop.loop.run_memory import LearnFrom, RunMemory
from leanloop.loop.working_memory import BOUND, WorkingMemory
from leanloop.search.stream_figures import Held
from leanloop.store.protocol import Store

Lane = tuple[str, str]
"""A configuration's id and the name of a stream."""


def memory_levers(configuration: Iterable[str]) -> list[str]:
    """The levers among these that carry something over from task to task."""
    levers = all_levers()
    return [n for n in configuration if n in levers and "memory" in levers[n].card.needs]


def check_streams(settings: Iterable[str], tasks: Sequence[Task]) -> None:
    """See that levers which carry something over have an order to carry it along.

    Raises:
        BadInputError: A task has no place in a stream, or another has the same.
    """
    carrying = memory_levers(settings)
    if not carrying:
        return
    places: dict[tuple[Split, str, int], Task] = {}
    for task in tasks:
        if task.stream is None or task.position is None:
            raise BadInputError(
                f"levers.{carrying[0]}",
                f"carries over from task to task, and the suite's tasks have no order: "
                f"{task.task_id!r} has no stream and position (docs/persistent.md says how a "
                "suite gives them: ordered = true for jsonl, streams = 1 for the back office)",
            )
        other = places.setdefault((task.split, task.stream, task.position), task)
        if other is not task:
            raise BadInputError(
                f"levers.{carrying[0]}",
                f"carries over from task to task, and {other.task_id!r} and {task.task_id!r} both "
                f"have position {task.position} of stream {task.stream!r}",
            )


@dataclass
class _Lane:
    """What the runs of one configuration on one stream have changed, by position."""

    changes: dict[int, tuple[MemoryChange, ...]] = field(default_factory=dict)
    memory: WorkingMemory = field(default_factory=WorkingMemory)
    applied: list[int] = field(default_factory=list)


class Streams:
    """The memory of every configuration on every stream, made from its recorded runs alone.

    What a run changed is recorded with the run, so a study that was killed goes on with
    the memory that it had, and what it learned can be traced. A run of the search sees
    what earlier positions of its stream left. A run of the holdout sees what the whole
    search left, of the same stream, and leaves nothing: what is learned never sees the
    holdout.

    Args:
        bound: Entries that a memory holds at most.
        learn_from: Which runs are learned from.
    """

    def __init__(self, bound: int = BOUND, learn_from: LearnFrom = "solved") -> None:
        self._bound, self._learn_from = bound, learn_from
        self._lanes: dict[Lane, _Lane] = {}
        self._carries: dict[str, bool] = {}

    def lane(self, configuration: Configuration, task: Task) -> Lane | None:
        """What a run has to wait in line for; None when it may be made at any time."""
        if task.stream is None or task.split is Split.HOLDOUT or not self.carries(configuration):
            return None
        return configuration.id, task.stream

    def carries(self, configuration: Configuration) -> bool:
        """Whether a lever of it carries something over."""
        known = self._carries.get(configuration.id)
        if known is None:
            known = self._carries[configuration.id] = bool(memory_levers(configuration))
        return known

    def memory(self, configuration: Configuration, task: Task) -> RunMemory | None:
        """What a run begins with; None where nothing carries over."""
        if task.stream is None or task.position is None or not self.carries(configuration):
            return None
        lane = self._lane_of((configuration.id, task.stream))
        searching = task.split is Split.SEARCH
        self._bring_to(lane, task.position if searching else math.inf)
        origin = Origin(configuration_id=configuration.id)
        learn_from: LearnFrom = self._learn_from if searching else "nothing"
        return RunMemory(lane.memory, task, origin, learn_from=learn_from)

    def add(self, run: Run) -> None:
        """Take in what a run left.

        Raises:
            ValueError: It is a run of the holdout, and left something.
        """
        if not run.memory or run.stream is None or run.position is None:
            return
        if run.split is not Split.SEARCH:
            raise ValueError(f"run {run.key} of the holdout would teach the search")
        if run.status != Status.OUTAGE:
            lane = self._lane_of((run.key.configuration_id, run.stream))
            lane.changes[run.position] = run.memory

    def keep_in(self, store: Store, study: str, configuration: Configuration) -> None:
        """Keep what the search of a configuration left, as ``STUDY/CONFIGURATION`` in the store.

        Streams come one after the other. What is there already is what an earlier
        session of the same study put there, and what was made of it since stands: what
        a person let go does not come back, and what an agent learned later is not undone.
        """
        memory = store.memory(f"{study}/{configuration.id}")
        for working in self.memories(configuration).values():
            there = memory.news(0).entries
            memory.apply([Put(entry) for entry in working if _is_new(entry, there)], self._bound)

    def held(self, configuration: Configuration) -> Held:
        """How much each stream of the search has left, and how much of it ``keep_in`` keeps."""
        left = [m for m in self.memories(configuration).values() if len(m)]
        different = {entry.entry_id for memory in left for entry in memory}
        return Held(sum(map(len, left)), len(left), min(len(different), self._bound))

    def memories(self, configuration: Configuration) -> dict[str, WorkingMemory]:
        """What each stream of the search has left, by the stream's name."""
        found = {}
        for (configuration_id, stream), lane in self._lanes.items():
            if configuration_id == configuration.id:
                self._bring_to(lane, math.inf)
                found[stream] = lane.memory
        return found

    def _lane_of(self, key: Lane) -> _Lane:
        if key not in self._lanes:
            self._lanes[key] = _Lane(memory=WorkingMemory(bound=self._bound))
        return self._lanes[key]

    def _bring_to(self, lane: _Lane, position: float) -> None:
        """Apply the changes of earlier positions, in their order."""
        wanted = sorted(p for p in lane.changes if p < position)
        if wanted[: len(lane.applied)] != lane.applied:
            lane.memory, lane.applied = WorkingMemory(bound=self._bound), []
        for at in wanted[len(lane.applied) :]:
            lane.memory.apply(lane.changes[at])
            lane.applied.append(at)


def _is_new(entry: Entry, there: Mapping[str, Entry | None]) -> bool:
    """Whether an entry was learned after what a memory has of it."""
    if entry.entry_id not in there:
        return True
    known = there[entry.entry_id]
    return known is not None and entry.origin.learned_at > known.origin.learned_at
