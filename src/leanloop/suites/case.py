"""A task of the user's own, written in Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json
from leanloop.core.task import Split
from leanloop.suites.answer_check import AnswerCheck, build_check, check_of_value
from leanloop.suites.function_tools import FunctionTools
from leanloop.suites.protocol import Environment

UNSET: Json = object()


@dataclass(frozen=True)
class Case:
    """A task: what is asked, with which tools, and how an answer is scored.

    It says ``environment``, or ``expected``, or ``check``, or ``verify``.

    Args:
        prompt: What the user asks.
        expected: What the answer should be: a text, a number, a list (a set of names) or
            an object, compared as the ``jsonl`` suite does.
        check: A check as in the ``jsonl`` suite, such as ``{"number": 4, "tolerance": 1}``.
        verify: The answer (None when there is none) to a score, 0 to 1, or a bool.
        tools: Plain functions; for tools that change something take ``environment``.
        environment: Makes a fresh environment for one run, such as
            ``lambda: FunctionTools([book, cancel], verify=desk_is_right)``.
        id: Unique and stable; a digest of the prompt when empty.
        group: Tasks of one group are never parted between search and holdout.
        tags: The first is the kind of task, for break-downs.
        split: Where it belongs; drawn by group and seed when None.
        graded_by: What decides how an answer is scored, as text, where that can be told; a
            study refuses to go on with a task that is scored otherwise.
        where: File and line that it is from, for errors.
        stream: The ordered stream that it belongs to, for an agent that lives longer than a
            task; "" when it stands alone.
        position: Where it stands in the stream, any whole number; the order in which the cases of
            the stream are given when None.
    """

    prompt: str
    expected: Json = UNSET
    check: dict[str, Json] | None = None
    verify: Callable[[str | None], float | bool] | None = None
    tools: Sequence[Callable[..., Any]] = ()
    environment: Callable[[], Environment] | None = None
    id: str = ""
    group: str = ""
    tags: Sequence[str] = field(default=())
    split: Split | str | None = None
    graded_by: str = ""
    where: str = ""
    stream: str = ""
    position: int | None = None

    @property
    def place(self) -> str:
        """What to call it in errors."""
        return f"{self.where}: task {self.task_id}" if self.where else f"task {self.task_id}"

    @property
    def grading(self) -> str:
        """Digest of what decides how an answer is scored; "" when that is not known."""
        told = self.graded_by
        if not told and (self.expected is not UNSET or self.check is not None):
            told = json.dumps([None if self.expected is UNSET else self.expected, self.check])
        return hashlib.sha256(told.encode()).hexdigest()[:12] if told else ""

    @property
    def task_id(self) -> str:
        """``id``, or a digest of the prompt."""
        return self.id or id_of(self.prompt)

    def open(self) -> Environment:
        """A fresh environment for one run."""
        if self.environment is not None:
            return self.environment()
        return FunctionTools(self.tools, self.verify or checked(self._check()))

    def validate(self) -> None:
        """Check what can be checked before a run.

        Raises:
            BadInputError: It says in no way, or in two, how an answer is scored.
        """
        ways = (self.expected is not UNSET, self.check, self.verify, self.environment)
        if sum(w is not None and w is not False for w in ways) != 1:
            raise BadInputError(self.place, "takes one of expected, check, verify and environment")
        if self.environment is None:
            self.open().close()

    def _check(self) -> AnswerCheck:
        check = self.check if self.check is not None else check_of_value(self.expected)
        return build_check(check, self.place)


def checked(check: AnswerCheck) -> Callable[[str | None], float]:
    """A verifier: no answer scores nothing."""
    return lambda answer: 0.0 if answer is None else check(answer)


def id_of(prompt: str) -> str:
    """An id that stays when lines are moved or added."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:12]
