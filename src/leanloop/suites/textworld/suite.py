"""Generated text games as a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.task import Example, Split, Task
from leanloop.suites.extras import check_installed
from leanloop.suites.options import read_options
from leanloop.suites.textworld.environment import TextworldRun, solved
from leanloop.suites.textworld.games import REMEDY, Shape, make_game

INSTRUCTIONS = (
    "You play a text game with the tools. See what the goal is, look around, and act until the "
    "game says that you have won or lost. Then answer in a word."
)
EXAMPLES = 3
AT_LEAST = {"search_tasks": 1, "holdout_tasks": 1, "rooms": 1, "objects": 1, "quest_length": 1}
AT_LEAST |= {"quests": 1}
AT_MOST = {"rooms": 12, "objects": 40, "quest_length": 15, "quests": 4}
"""Beyond these TextWorld may take minutes to make one game."""


class TextworldOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study may set.

    Attributes:
        seed: Another seed is other games.
        search_tasks: Games to search on.
        holdout_tasks: Games held out.
        rooms: Rooms of a world, 1 to 12.
        objects: Things in it, 1 to 40.
        quest_length: Actions of a quest at the least, 1 to 15.
        quests: Quests of a game, 1 to 4; each is a point.
        goal: ``steps`` names every step of the quests, ``last`` only the last step of the one
            quest that there must be then.
        score: ``won``, or ``fraction``: the part of the points that was made.
        commands: Whether the game says what can be done, when one looks around and when a
            command is not understood.
    """

    seed: int = 0
    search_tasks: int = 20
    holdout_tasks: int = 12
    rooms: int = 5
    objects: int = 10
    quest_length: int = 5
    quests: int = 1
    goal: Literal["steps", "last"] = "steps"
    score: Literal["won", "fraction"] = "won"
    commands: bool = False


class TextworldSuite:
    """A game a task, generated when it is first played and kept in memory.

    Args:
        options: How many games, and how large.

    Raises:
        BadInputError: TextWorld is not installed, or an option is out of bounds.
    """

    name = "textworld"
    instructions = INSTRUCTIONS

    def __init__(self, options: TextworldOptions) -> None:
        check_bounds(options)
        check_installed("textworld", self.name, REMEDY)
        self._options = options
        self._shape = Shape(
            options.rooms, options.objects, options.quest_length, options.quests, options.goal
        )
        self._games: dict[str, Any] = {}

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """A few games of the same shape that are no tasks, each played to its end."""
        return tuple(self._example(index) for index in range(EXAMPLES))

    def tasks(self, split: Split) -> Sequence[Task]:
        """The tasks of a split; no game is made for it."""
        wanted = {
            Split.SEARCH: self._options.search_tasks,
            Split.HOLDOUT: self._options.holdout_tasks,
        }
        return [self._task(split, index) for index in range(wanted[split])]

    def open(self, task: Task) -> TextworldRun:
        """The game from its start."""
        game = self._games.get(task.task_id)
        if game is None:
            game = make_game(self._shape, f"{self._options.seed}/{task.task_id}")
            self._games[task.task_id] = game
        return self._run(game)

    def _run(self, game: Any) -> TextworldRun:  # noqa: ANN401 - TextWorld's own
        options = self._options
        return TextworldRun(game, fraction=options.score == "fraction", commands=options.commands)

    def _example(self, index: int) -> Example:
        ident = f"example-{index:04}"
        game = make_game(self._shape, f"{self._options.seed}/{ident}")
        return Example(f"Play the game {ident} and win it.", solved(self._run(game), game), "Won.")

    def _task(self, split: Split, index: int) -> Task:
        ident = f"{split}-{index:04}"
        shape = self._shape
        family = f"rooms {shape.rooms}, quests {shape.quests} of {shape.quest_length}"
        return Task(ident, f"Play the game {ident} and win it.", split, family)


def check_bounds(options: TextworldOptions) -> None:
    """Refuse numbers out of bounds.

    Raises:
        BadInputError: One is too small or too large.
    """
    for name, least in AT_LEAST.items():
        value, most = getattr(options, name), AT_MOST.get(name)
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise BadInputError("suite.options", f"{name} must be {bounds}, not {value}")
    if options.goal == "last" and options.quests > 1:
        # TextWorld names the end of one quest alone, so that the others could not be known.
        raise BadInputError("suite.options", 'goal = "last" takes quests = 1')


def build(options: Mapping[str, object], base: Path) -> TextworldSuite:
    """The suite of a study's options.

    Raises:
        BadInputError: An option is wrong, or TextWorld is not installed.
    """
    del base
    return TextworldSuite(read_options(options, TextworldOptions))
