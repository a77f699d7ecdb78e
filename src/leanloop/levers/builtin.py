"""The levers there are, in the order of the pipeline."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points

from leanloop.core.errors import BadInputError
from leanloop.levers.memory import keep_observations, summarise
from leanloop.levers.model import choice, escalate
from leanloop.levers.planning import examples, plan_first
from leanloop.levers.protocol import Lever
from leanloop.levers.stopping import max_steps, repeat_guard, token_budget
from leanloop.levers.tools import projection, result_cache, shortlist

ENTRY_POINT_GROUP = "leanloop.levers"

# The model is known first, history is edited before anything is put in front of it, and the plan
# is asked for behind the prompt that the steps will have.
BUILT_IN: dict[str, Lever] = {
    lever.card.name: lever
    for lever in (
        choice.LEVER,
        escalate.LEVER,
        summarise.LEVER,
        keep_observations.LEVER,
        examples.LEVER,
        shortlist.LEVER,
        projection.LEVER,
        result_cache.LEVER,
        plan_first.LEVER,
        max_steps.LEVER,
        repeat_guard.LEVER,
        token_budget.LEVER,
    )
}


def all_levers() -> dict[str, Lever]:
    """Built-in levers in pipeline order, then those of other packages by name."""
    levers = dict(BUILT_IN)
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name):
        levers.setdefault(point.name, point.load())
    return levers


def find_lever(name: str, where: str) -> Lever:
    """The lever of that name.

    Args:
        name: ``component.lever``.
        where: The file and field that named it, for the error message.

    Raises:
        BadInputError: There is no such lever.
    """
    levers = all_levers()
    if name in levers:
        return levers[name]
    close = difflib.get_close_matches(name, levers, n=1)
    hint = f"did you mean {close[0]}?" if close else "'leanloop levers' lists them"
    raise BadInputError(f"{where}.{name}", f"no such lever; {hint}")
