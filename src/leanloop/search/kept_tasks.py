"""The tasks of a study as it began with them: splits stay where they were drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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

    Args:
        suite: Whose tasks.
        store: Where the study keeps them.
        study: Its name.

    Raises:
        BadInputError: A task asks for something else than it did, or is scored otherwise.
    """

    def __init__(self, suite: Suite, store: Store, study: str) -> None:
        every = [t for split in Split for t in suite.tasks(split)]
        kept = store.keep_tasks(study, [_row(t) for t in every])
        for task in every:
            if kept[task.task_id].digest != _digest(task):
                known = msgspec.json.decode(kept[task.task_id].task_json, type=Task)
                what = "asks for something else" if known.prompt != task.prompt else SCORED
                raise BadInputError(
                    f"task {task.task_id!r}",
                    f"{what} than when study {study!r} began, and its runs are kept; give the "
                    "task another id, or the study another name",
                )
        self._tasks = [_where_it_was(t, kept[t.task_id]) for t in every]

    def tasks(self, split: Split) -> Sequence[Task]:
        """Tasks of a split, in the suite's order."""
        return [t for t in self._tasks if t.split is split]


def _row(task: Task) -> TaskRow:
    return TaskRow(task.task_id, str(task.split), _digest(task), msgspec.json.encode(task))


def _digest(task: Task) -> str:
    graded = f"\0{task.graded_by}" if task.graded_by else ""
    return hashlib.sha256(f"{task.prompt}{graded}".encode()).hexdigest()[:16]


def _where_it_was(task: Task, row: TaskRow) -> Task:
    split = Split(row.split)
    return task if task.split is split else msgspec.structs.replace(task, split=split)
