"""Which tasks are searched on and which are held out, by group and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from leanloop.core.errors import BadInputError
from leanloop.core.task import Split


@dataclass(frozen=True)
class Draw:
    """How splits are drawn.

    Args:
        holdout: Share of the tasks to hold out, 0 to 1, both excluded.
        seed: Of the draw.

    Raises:
        BadInputError: The share is not between 0 and 1.
    """

    holdout: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.holdout < 1:
            raise BadInputError("suite.options.holdout", "takes more than 0 and less than 1")


def split_groups(groups: Mapping[str, str], draw: Draw) -> dict[str, Split]:
    """Draw a split for each task; tasks of one group are never parted.

    Groups are put into an order that the seed and their names alone decide, and the
    first ones are held out until their tasks are the share that was asked for. More
    tasks may move others; a study's store keeps where each task was when it began.

    Args:
        groups: Task to its group.
        draw: How.

    Raises:
        BadInputError: There are fewer than two groups, so that one split would be empty.
    """
    sizes: dict[str, int] = {}
    for group in groups.values():
        sizes[group] = sizes.get(group, 0) + 1
    if len(sizes) < 2:
        raise BadInputError(
            "suite", "search and holdout need a task each, of two groups at least; add tasks"
        )
    wanted, held = draw.holdout * len(groups), 0
    out: set[str] = set()
    order = sorted(sizes, key=lambda g: _place(g, draw.seed))
    for group in order[:-1]:
        # As near to the share as whole groups come, and at least one of them.
        if out and held + sizes[group] / 2 > wanted:
            break
        out.add(group)
        held += sizes[group]
    return {t: Split.HOLDOUT if g in out else Split.SEARCH for t, g in groups.items()}


def _place(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{group}".encode()).digest()
