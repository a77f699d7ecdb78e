"""Runs of a profile with their sub-agents, added up in groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from leanloop.stats.interval import UNKNOWN, Interval, proportion_interval
from leanloop.traces.profile_result import Group, Seconds
from leanloop.traces.repeated_calls import RunRepeats
from leanloop.traces.spending import Spending
from leanloop.traces.timing import add_seconds

GROUPS = ("none", "session", "task", "model")


@dataclass
class RunSums:
    """What is kept of a run."""

    key: tuple[str, str]
    parent: tuple[str, str]
    task_id: str
    session_id: str
    model: str
    success: float | None
    spending: Spending
    seconds: Seconds
    repeats: RunRepeats
    model_calls: int
    chars_sent: int
    chars_resent: int
    exponent: float | None


Root = tuple[RunSums, list[RunSums]]
"""A run of its own, and the runs of its sub-agents."""


def rolled_up(runs: Sequence[RunSums]) -> list[Root]:
    """Each run of its own with its sub-agents, theirs included."""
    by_key = {r.key: r for r in runs}
    roots: dict[tuple[str, str], Root] = {}
    for run in runs:
        root, seen = run, {run.key}
        while root.parent in by_key and root.parent not in seen:
            root = by_key[root.parent]
            seen.add(root.key)
        if root.parent in seen:  # they name each other: each is its own
            root = run
        mine = roots.setdefault(root.key, (root, []))
        if root is not run:
            mine[1].append(run)
    return list(roots.values())


def groups_by(group_by: str, roots: Sequence[Root]) -> tuple[Group, ...]:
    """Figures by what runs have in common, largest cost first.

    Args:
        group_by: One of ``GROUPS``.
        roots: Runs of their own.
    """
    if group_by == "none":
        return ()
    key: Callable[[RunSums], str] = {
        "session": lambda r: r.session_id or "no session",
        "task": lambda r: r.task_id or "no task",
        "model": lambda r: r.model or "unknown model",
    }[group_by]
    groups: dict[str, list[Root]] = defaultdict(list)
    for root in roots:
        groups[key(root[0])].append(root)
    return _dearest_first(group_of(n, g) for n, g in groups.items())


def dearest_runs(roots: Sequence[Root], most: int) -> tuple[Group, ...]:
    """Figures of each run of its own, largest cost first.

    Args:
        roots: Runs of their own.
        most: Of more runs, as many that sent most.
    """
    if len(roots) > most:
        roots = sorted(roots, key=lambda r: -r[0].chars_sent)[:most]
    return _dearest_first(group_of(r[0].key[1], [r]) for r in roots)


def group_of(name: str, roots: Sequence[Root]) -> Group:
    """Figures of some runs together, those of their sub-agents included."""
    everyone = [r for root, subs in roots for r in (root, *subs)]
    spending = Spending()
    for run in everyone:
        spending.merge(run.spending)
    solved = [r.success for r, _ in roots if r.success is not None]
    usd = spending.dollars.best
    total_solved = sum(solved) if len(solved) == len(roots) else 0.0
    return Group(
        name=name,
        runs=len(roots),
        sub_runs=len(everyone) - len(roots),
        success=_success([r for r, _ in roots]),
        model_calls=sum(r.model_calls for r in everyone),
        tool_calls=sum(r.repeats.tool_calls for r in everyone),
        tokens=spending.tokens,
        usd=spending.dollars,
        seconds=add_seconds([r.seconds for r, _ in roots]),
        chars_sent=sum(r.chars_sent for r in everyone),
        chars_resent=sum(r.chars_resent for r in everyone),
        usd_per_solved=usd / total_solved if usd is not None and total_solved else None,
    )


def beside(name: str, spending: Spending) -> Group:
    """Figures of calls that are no part of the agent's own conversation."""
    nothing = Seconds(None, None, None, None, None)
    return Group(
        name, 0, 0, UNKNOWN, spending.calls, 0, spending.tokens, spending.dollars, nothing, 0, 0
    )


def _success(runs: list[RunSums]) -> Interval:
    """Mean of the runs that say, over tasks: several runs of one task are no more evidence."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for place, run in enumerate(runs):
        if run.success is not None:
            by_task[run.task_id or f"#{place}"].append(run.success)
    return proportion_interval(np.array([sum(v) / len(v) for v in by_task.values()]))


def _dearest_first(groups: Iterable[Group]) -> tuple[Group, ...]:
    def cost(group: Group) -> tuple[float, float, str]:
        return (-(group.usd.best or 0.0), -float(group.tokens.total or 0), group.name)

    return tuple(sorted(groups, key=cost))
