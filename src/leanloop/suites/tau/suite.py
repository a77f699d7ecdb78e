"""A folder of service-desk tasks as a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.task import Example, Split, Task
from leanloop.suites.options import read_options
from leanloop.suites.places import Places
from leanloop.suites.tau.environment import TalkingRun, TauRun
from leanloop.suites.tau.folder import read_folder
from leanloop.suites.tau.lines import Line, Read
from leanloop.suites.tau.users import GREETING, ModelUser, ScriptedUser


class TauOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study may set.

    Attributes:
        folder: With ``policy.md``, ``db.json``, ``tools.py`` and ``tasks.jsonl``.
        user_model: The study's model that plays the user; the tasks' scripts when None.
        user_turns: Times that it may speak after its first words, at least 1.
        user_tokens: What it may write at a time.
        seed: Decides the splits, where the tasks do not say theirs, and the order in them.
        holdout: The part of the tasks that is held out.
        search_tasks: At most so many in the search split; all of them when None.
        holdout_tasks: At most so many in the holdout; all of them when None.
    """

    folder: str
    user_model: str | None = None
    user_turns: int = 20
    user_tokens: int = 200
    seed: int = 0
    holdout: float = 0.4
    search_tasks: int | None = None
    holdout_tasks: int | None = None


class TauSuite:
    """Tasks of a folder.

    Args:
        options: Which folder, who the user is, and how the tasks are split.

    Raises:
        BadInputError: The folder or an option is wrong.
    """

    name = "tau"
    examples: tuple[Example, ...] = ()

    def __init__(self, options: TauOptions) -> None:
        places = Places(options.seed, options.holdout, options.search_tasks, options.holdout_tasks)
        for name in ("user_turns", "user_tokens"):
            if getattr(options, name) < 1:
                raise BadInputError("suite.options", f"{name} must be at least 1")
        self._options = options
        self._folder = read_folder(Path(options.folder))
        for read in self._folder.reads:
            check_words(read, options.user_model is not None)
        self._lines = {read.line.id: read.line for read in self._folder.reads}
        self._tasks = {
            split: tuple(_task(line, split) for line in part)
            for split, part in self._divided(places).items()
        }

    @property
    def models(self) -> tuple[str, ...]:
        """The model that plays the user."""
        return () if self._options.user_model is None else (self._options.user_model,)

    @property
    def instructions(self) -> str:
        """The policy."""
        return self._folder.policy

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split."""
        return self._tasks[split]

    def open(self, task: Task) -> TauRun:
        """A database of its own, and a user who has said nothing but the prompt."""
        line, options = self._lines[task.task_id], self._options
        if options.user_model is not None:
            user = ModelUser(
                line, task.prompt, options.user_model, options.user_turns, options.user_tokens
            )
            return TalkingRun(self._folder, line, user)
        if line.user:
            return TalkingRun(self._folder, line, ScriptedUser(line))
        return TauRun(self._folder, line)

    def _divided(self, places: Places) -> dict[Split, Sequence[Line]]:
        lines = list(self._lines.values())
        if lines[0].split is None:
            return places.divide(lines, lambda line: line.cluster or line.id, lambda line: line.id)
        counts = {Split.SEARCH: places.search_tasks, Split.HOLDOUT: places.holdout_tasks}
        return {
            split: [line for line in lines if line.split == split][: counts[split]]
            for split in Split
        }


def check_words(read: Read, by_model: bool) -> None:
    """Refuse a task whose user has nothing to say.

    Args:
        read: The task, and where it stands.
        by_model: Whether a model plays the user.

    Raises:
        BadInputError: It is one.
    """
    if read.line.prompt or (by_model and read.line.instruction):
        return
    problem = "prompt: missing; it is the user's first words"
    hint = "" if by_model else " (an instruction alone takes the option user_model)"
    raise BadInputError(read.where, problem + hint)


def build(options: Mapping[str, object], base: Path) -> TauSuite:
    """The suite of a study's options.

    Raises:
        BadInputError: The folder or an option is wrong.
    """
    wanted = read_options(options, TauOptions)
    place = str(base / wanted.folder)
    return TauSuite(msgspec.structs.replace(wanted, folder=place))


def _task(line: Line, split: Split) -> Task:
    return Task(line.id, line.prompt or GREETING, split, line.family, line.cluster)
