"""The tasks of a study as it began with them: splits stay where they were drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.task import Split, Task
from leanloop.store.protocol import Store, TaskRow
from leanloop.suites.protocol import Suite

SCORED = "is scored in another way"


class KeptTasks:
    """A suite's tasks, each in the split that it had when the study met it first.

    More tasks may come at any time: they go where the suite says. A task that is in
    another split by now, since others came or the seed of the draw changed, stays where
    it was, so that no run of the search is ever on a task of the holdout.

    Where order counts a task keeps its place as well: what was learned along a stream is
    kept by position, and another order would have taught something else.

    Args:
        suite: Whose tasks.
        store: Where the study keeps them.
        study: Its name.
        ordered_by: The field of the study that says which tasks in which order, where a
            lever carries something over from task to task; None where order does not count.

    Raises:
        BadInputError: A task asks for something else than it did, is scored otherwise, or
            has another place in its stream where order counts. No new task is kept then.
    """

    def __init__(
        self, suite: Suite, store: Store, study: str, ordered_by: str | None = None
    ) -> None:
        every = [t for split in Split for t in suite.tasks(split)]
        self._study, self._ordered_by = study, ordered_by
        self._check(every, store.keep_tasks(study, []))
        kept = store.keep_tasks(study, [_row(t) for t in every])
        # Another program may have kept some in the same moment.
        self._check(every, kept)
        self._tasks = [_where_it_was(t, kept[t.task_id]) for t in every]

    def tasks(self, split: Split) -> Sequence[Task]:
        """Tasks of a split, in the suite's order."""
        return [t for t in self._tasks if t.split is split]

    def _check(self, every: Sequence[Task], kept: Mapping[str, TaskRow]) -> None:
        for task in every:
            if task.task_id in kept and kept[task.task_id].digest != _digest(task):
                was = _task(kept[task.task_id])
                what = "asks for something else" if was.prompt != task.prompt else SCORED
                raise BadInputError(
                    f"task {task.task_id!r}",
                    f"{what} than when study {self._study!r} began, and its runs are kept; give "
                    "the task another id, or the study another name",
                )
        if self._ordered_by is not None:
            self._check_order(self._ordered_by, every, kept)

    def _check_order(
        self, ordered_by: str, every: Sequence[Task], kept: Mapping[str, TaskRow]
    ) -> None:
        """See that each task is where it was, and none where one was that is gone."""
        known = {task_id: _task(row) for task_id, row in kept.items()}
        now = {t.task_id for t in every}
        gone = {_place(t): t for t in known.values() if t.task_id not in now}
        for task in every:
            was = known.get(task.task_id, task)
            other = gone.get(_place(_where_it_was(task, kept.get(task.task_id))))
            if (was.stream, was.position) != (task.stream, task.position):
                problem = f"was at {_say_place(was)} when study {self._study!r} met it first, and "
                problem += f"is at {_say_place(task)} now"
            elif other is not None:
                problem = f"is at {_say_place(task)}, where study {self._study!r} met task "
                problem += f"{other.task_id!r}, which is gone"
            else:
                continue
            raise BadInputError(
                ordered_by,
                f"task {task.task_id!r} {problem}; what was learned along a stream is kept by "
                "position: add new tasks of a stream at its end, or give the study another name",
            )


def _place(task: Task) -> tuple[Split, str | None, int | None]:
    return task.split, task.stream, task.position


def _say_place(task: Task) -> str:
    if task.stream is None:
        return "no place of a stream"
    return f"position {task.position} of stream {task.stream!r}"


def _task(row: TaskRow) -> Task:
    """A task as it was kept."""
    return msgspec.json.decode(row.task_json, type=Task)


def _row(task: Task) -> TaskRow:
    return TaskRow(task.task_id, str(task.split), _digest(task), msgspec.json.encode(task))


def _digest(task: Task) -> str:
    graded = f"\0{task.graded_by}" if task.graded_by else ""
    return hashlib.sha256(f"{task.prompt}{graded}".encode()).hexdigest()[:16]


def _where_it_was(task: Task, row: TaskRow | None) -> Task:
    """A task in the split that it was kept in; as it is where it was not kept."""
    split = task.split if row is None else Split(row.split)
    return task if task.split is split else msgspec.structs.replace(task, split=split)
