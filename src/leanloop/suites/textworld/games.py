"""Generating games; nothing is downloaded, compiled or written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from leanloop.core.errors import BadInputError
from leanloop.suites.extras import needed

REMEDY = "needs the extra: pip install 'leanloop[textworld]'"
TRIES = 5
"""Seeds that are tried for a game; of some, TextWorld can make none."""


@dataclass(frozen=True)
class Shape:
    """What every game of a suite has in common.

    Args:
        rooms: Rooms of the world.
        objects: Things in it, containers and supporters included.
        quest_length: Actions that a quest takes at the least.
        quests: Quests of a game; each is a point.
        goal: Whether the goal names every step, or only the last.
    """

    rooms: int
    objects: int
    quest_length: int
    quests: int
    goal: Literal["steps", "last"]


def part(module: str) -> Any:  # noqa: ANN401 - the package has no types
    """A module of TextWorld.

    Raises:
        BadInputError: It is not installed.
    """
    return needed(module, "textworld", REMEDY)


def seed_of(key: str) -> int:
    """A seed from any text, the same in every process."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])


def make_game(shape: Shape, key: str) -> Any:  # noqa: ANN401 - TextWorld's own game
    """The game of a key; takes from a tenth of a second to several, by its size.

    Args:
        shape: How large it is.
        key: The same key is the same game, in every process.

    Raises:
        BadInputError: TextWorld is not installed, or cannot make such a game.
    """
    generator = part("textworld.generator")
    for turn in range(TRIES):
        try:
            return generator.make_game(_options(shape, seed_of(f"{key}/{turn}")))
        except Exception as error:  # what it cannot make has errors without a common base
            problem = f"{type(error).__name__}: {error}"
    raise BadInputError("suite.options", f"TextWorld makes no game of {shape}: {problem}")


def _options(shape: Shape, seed: int) -> Any:  # noqa: ANN401 - TextWorld's own
    options = part("textworld.generator").GameOptions()
    # Reading the rules of the world takes longer than making a game of them.
    options.kb = part("textworld.generator.data").KnowledgeBase.default()
    options.seeds = seed
    options.nb_rooms = shape.rooms
    options.nb_objects = shape.objects
    options.nb_parallel_quests = shape.quests
    options.quest_length = shape.quest_length
    options.quest_breadth = 1
    options.grammar.only_last_action = shape.goal == "last"
    return options
