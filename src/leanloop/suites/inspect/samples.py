"""Samples of Inspect's as tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from inspect_ai.dataset import Sample

from leanloop.core.errors import BadInputError
from leanloop.core.task import Example, Split, Task
from leanloop.suites.inspect.environment import InspectRun
from leanloop.suites.inspect.loading import load_task, name_of, samples_of, scorer_of
from leanloop.suites.inspect.scores import as_success
from leanloop.suites.inspect.session import Session
from leanloop.suites.inspect.suite import InspectOptions
from leanloop.suites.inspect.talk import prompt_text, system_text
from leanloop.suites.places import Places

INSTRUCTIONS = "Do what you are asked, with the tools if there are any."


@dataclass(frozen=True)
class Drawn:
    """A sample, and what the model would be sent for it.

    Args:
        ident: The task's id.
        sample: The sample.
        system: System text.
        prompt: What the user says.
    """

    ident: str
    sample: Sample
    system: str
    prompt: str


class InspectSuite:
    """The samples of a task; its solvers run up to the query, and its scorer after the answer.

    Args:
        options: Which task, and how its samples are split.

    Raises:
        BadInputError: The task cannot be loaded, or needs what cannot be had here.
    """

    name = "inspect"
    examples: tuple[Example, ...] = ()

    def __init__(self, options: InspectOptions) -> None:
        places = Places(options.seed, options.holdout, options.search_tasks, options.holdout_tasks)
        self._options = options
        self._task = load_task(options.task, options.args)
        self._scorer = scorer_of(self._task, options.scorer)
        named = name_of(self._scorer)
        if options.model is None and named.startswith("model_graded"):
            raise BadInputError(
                "suite.options",
                f"the scorer {named} queries a model; name the study's: model",
            )
        drawn = [
            self._draw(index, sample)
            for index, sample in enumerate(samples_of(self._task, options.limit))
        ]
        check_ids(drawn)
        systems = {d.system for d in drawn}
        self._shared = systems.pop() if len(systems) == 1 else ""
        parts = places.divide(drawn, self._key, lambda d: d.ident)
        self._tasks = {
            split: tuple(self._made(d, split) for d in part) for split, part in parts.items()
        }
        self._samples = {d.ident: d.sample for d in drawn}

    @property
    def models(self) -> tuple[str, ...]:
        """The model that the scorer may query."""
        return () if self._options.model is None else (self._options.model,)

    @property
    def instructions(self) -> str:
        """The task's system text, where all of its samples have the same."""
        return self._shared or INSTRUCTIONS

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split."""
        return self._tasks[split]

    def open(self, task: Task) -> InspectRun:
        """The sample from its start, in a context of its own."""
        return self._run(self._samples[task.task_id])

    def _run(self, sample: Sample) -> InspectRun:
        options = self._options
        return InspectRun(
            Session(self._task, sample, self._scorer),
            lambda score: as_success(score, options.value, options.full_score),
            options.model,
        )

    def _draw(self, index: int, sample: Sample) -> Drawn:
        run = self._run(sample)
        try:
            messages = run.query.messages
            ident = f"{index + 1:04}" if sample.id is None else str(sample.id)
            return Drawn(ident, sample, system_text(messages), prompt_text(messages))
        finally:
            run.close()

    def _key(self, drawn: Drawn) -> str:
        """What must not be parted: a cluster, or samples that differ in nothing but their id."""
        cluster = self._said(drawn.sample, self._options.cluster)
        return cluster or content(drawn.sample)

    def _made(self, drawn: Drawn, split: Split) -> Task:
        own = "" if drawn.system == self._shared else f"{drawn.system}\n\n"
        family = (
            self._said(drawn.sample, self._options.family) or self._task.name.rpartition("/")[2]
        )
        cluster = self._said(drawn.sample, self._options.cluster)
        return Task(drawn.ident, own + drawn.prompt, split, family, cluster)

    def _said(self, sample: Sample, key: str | None) -> str | None:
        value = None if key is None else (sample.metadata or {}).get(key)
        return None if value is None else str(value)


def content(sample: Sample) -> str:
    """All that a sample holds but its id, and those of its messages, which are drawn at random."""
    said = sample.input
    words = said if isinstance(said, str) else [(m.role, m.text) for m in said]
    rest = (sample.target, sample.choices, sample.metadata)
    return json.dumps([words, *rest], sort_keys=True, default=str)


def check_ids(drawn: Sequence[Drawn]) -> None:
    """Refuse samples that share an id.

    Raises:
        BadInputError: Two do.
    """
    seen: set[str] = set()
    for one in drawn:
        if one.ident in seen:
            raise BadInputError("suite inspect", f"two samples have the id {one.ident!r}")
        seen.add(one.ident)
