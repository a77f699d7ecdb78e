"""The levers there are, in the order of the pipeline."""

from __future__ import annotations

import difflib
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from leanloop.core.errors import BadInputError
from leanloop.levers.memory import (
    dedupe,
    facts,
    fold,
    keep_observations,
    keep_turns,
    notes,
    skills,
    stable_prefix,
    summarise,
    truncate_observation,
    warm_prefix,
)
from leanloop.levers.model import choice, effort, escalate, max_output, route
from leanloop.levers.planning import (
    dag,
    delegate,
    examples,
    plan_cache,
    plan_execute,
    plan_first,
    samples,
)
from leanloop.levers.protocol import Lever
from leanloop.levers.stopping import (
    abort_doomed,
    max_steps,
    no_progress,
    repeat_guard,
    self_check,
    time_budget,
    token_budget,
    usd_budget,
)
from leanloop.levers.tools import (
    budget_aware,
    parallel,
    program,
    projection,
    protocol,
    result_cache,
    schema_trim,
    shortlist,
)

ENTRY_POINT_GROUP = "leanloop.levers"

# The model is known first, history is edited before anything is put in front of it, and the plan
# is asked for behind the prompt that the steps will have. Responses go the other way: an answer is
# voted on, then checked by who gave it, and then by who may hand the run to a larger model; and
# what the check puts into the history stands where it came up, since no one has edited it yet.
#
# Levers that take old messages away come first: a summary counts on an unshortened history.
# Whether they may is then decided by stable_prefix. The memory levers behind it never change what
# a message was made into once, as long as those before them are the same, or add to the end; so
# they cannot break the prefix. A repeated observation refers only to a copy that is left. Whole
# texts are folded before they would be cut. What carries over from task to task watches calls and
# results as they really are: behind every lever that mends a call, before every one that shortens
# a result. Its notes stand behind the task, found as what precedes the first reply, so they are
# put there before worked examples are; the prefix is marked when these are in. Levers with tools
# of their own stand behind the cache of results, which a call of a tool that it does not know
# would empty.
BUILT_IN: dict[str, Lever] = {
    lever.card.name: lever
    for lever in (
        choice.LEVER,
        route.LEVER,
        escalate.LEVER,
        effort.LEVER,
        max_output.LEVER,
        self_check.LEVER,
        summarise.LEVER,
        keep_turns.LEVER,
        keep_observations.LEVER,
        stable_prefix.LEVER,
        dedupe.LEVER,
        plan_cache.LEVER,
        facts.LEVER,
        skills.LEVER,
        examples.LEVER,
        warm_prefix.LEVER,
        shortlist.LEVER,
        schema_trim.LEVER,
        projection.LEVER,
        result_cache.LEVER,
        fold.LEVER,
        truncate_observation.LEVER,
        notes.LEVER,
        program.LEVER,
        parallel.LEVER,
        delegate.LEVER,
        protocol.LEVER,
        plan_first.LEVER,
        plan_execute.LEVER,
        dag.LEVER,
        samples.LEVER,
        budget_aware.LEVER,
        max_steps.LEVER,
        repeat_guard.LEVER,
        token_budget.LEVER,
        usd_budget.LEVER,
        time_budget.LEVER,
        no_progress.LEVER,
        abort_doomed.LEVER,
    )
}


def all_levers() -> dict[str, Lever]:
    """Built-in levers in pipeline order, then those of other packages by name."""
    levers = dict(BUILT_IN)
    for point in _points(tuple(sys.path)):
        levers.setdefault(point.name, point.load())
    return levers


@cache
def _points(path: tuple[str, ...]) -> list[EntryPoint]:
    """Entry points of other packages, by name; looking for them reads every package's files."""
    del path
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name)


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
