"""Tasks, their splits, and worked examples."""

from __future__ import annotations

import enum

import msgspec

from leanloop.core.message import Json


class Split(enum.StrEnum):
    """Which part of a suite a task belongs to."""

    SEARCH = "search"
    HOLDOUT = "holdout"


class Task(msgspec.Struct, frozen=True):
    """Something to do.

    Attributes:
        task_id: Unique in its suite, stable across sessions.
        prompt: What the user asks.
        split: ``search``, or ``holdout``, which the search never sees.
        family: The kind of task, for break-downs.
        cluster: Tasks that are not independent share a cluster; None when
            the task stands alone.
        stream: The ordered stream that it belongs to: an agent that lives on meets its
            tasks one after the other. None when it stands alone.
        position: Where it stands in the stream: any whole numbers that are in order.
        graded_by: Digest of what decides how an answer is scored, where the suite can say
            it: a task that is scored otherwise is another task.
    """

    task_id: str
    prompt: str
    split: Split
    family: str = ""
    cluster: str | None = None
    stream: str | None = None
    position: int | None = None
    graded_by: str = ""


class ExampleStep(msgspec.Struct, frozen=True):
    """One tool call of a worked example.

    Attributes:
        tool: The tool's name.
        arguments: Its arguments.
        result: The whole record, or records, that the tool returned.
        fields: The fields of the result that the next step needs; a lever that
            narrows results shows these alone.
    """

    tool: str
    arguments: dict[str, Json]
    result: Json
    fields: tuple[str, ...] = ()


class Example(msgspec.Struct, frozen=True):
    """A worked example: a task and the steps that solve it."""

    prompt: str
    steps: tuple[ExampleStep, ...]
    answer: str
