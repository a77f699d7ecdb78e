"""The task that a study names, and what of it cannot be had here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai._eval.loader import load_tasks
from inspect_ai._util.registry import is_registry_object, registry_info
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Scorer

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object
from leanloop.core.message import Json

WHERE = "suite.options"


def load_task(spec: str, arguments: Mapping[str, Json]) -> Task:
    """The task of a description, made with its arguments.

    Args:
        spec: ``module:function``, ``file.py@task``, ``file.py`` or ``package/task``.
        arguments: What the function takes.

    Raises:
        BadInputError: There is no such task, or it cannot be made.
    """
    file = spec.partition("@")[0]
    if file.endswith(".py") and not Path(file).is_file():
        raise BadInputError(WHERE, f"task: no file {file!r}")
    try:
        if ":" in spec and not file.endswith(".py"):
            made = [load_object(spec, f"{WHERE}.task")(**arguments)]
        else:
            made = load_tasks([spec], dict(arguments))
    except BadInputError:
        raise
    except Exception as error:  # whatever a task's own code raises
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInputError(WHERE, f"task {spec!r}: {problem}") from error
    if not made:
        raise BadInputError(WHERE, f"task: there is no task {spec!r}")
    if len(made) > 1:
        raise BadInputError(WHERE, f"task: {spec!r} names {len(made)} tasks; name one: {file}@name")
    if not isinstance(made[0], Task):
        raise BadInputError(WHERE, f"task: {spec!r} gives a {type(made[0]).__name__}, not a Task")
    return made[0]


def samples_of(task: Task, limit: int | None) -> Sequence[Sample]:
    """The samples of a task.

    Args:
        task: The task.
        limit: The first of them, so many; all when None.

    Raises:
        BadInputError: They need what a suite has not.
    """
    if task.sample_source is not None:
        raise BadInputError(WHERE, "task: it makes its samples while it runs; a suite needs them")
    samples = list(task.dataset)[:limit]
    for sample in samples:
        if task.sandbox or sample.sandbox or sample.files or sample.setup:
            raise BadInputError(
                WHERE,
                f"task: sample {sample.id!r} runs in a sandbox (files, a setup script or a "
                "container), which leanloop does not make",
            )
    return samples


def scorer_of(task: Task, name: str | None) -> Scorer:
    """The scorer of that name, or the first.

    Raises:
        BadInputError: There is none.
    """
    scorers = {name_of(scorer): scorer for scorer in task.scorer or []}
    if not scorers:
        raise BadInputError(WHERE, "task: it has no scorer")
    if name is None:
        return next(iter(scorers.values()))
    if name not in scorers:
        raise BadInputError(WHERE, f"scorer: no {name!r}; there are {', '.join(scorers)}")
    return scorers[name]


def name_of(scorer: object) -> str:
    """A scorer's own name, without that of its package."""
    return registry_info(scorer).name.rpartition("/")[2] if is_registry_object(scorer) else "scorer"
