"""Tasks of the holdout that the search split holds too, in the same or almost the same words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from leanloop.core.task import Task

SHINGLE = 5
"""Words in a row that are compared."""
FEWEST_WORDS = 12
"""Shorter prompts are compared whole: a few words in common are no copy."""
ALIKE = 0.8
"""Share of the shorter prompt's shingles that both hold, from which on it is a near copy."""
COMMON = 200
"""Tasks that may share a shingle before it is taken for the suite's own frame."""


class Overlap(msgspec.Struct, frozen=True):
    """A task of the holdout and one of the search that are alike.

    Attributes:
        holdout: Id of the one.
        search: Id of the other.
        share: Share of the shorter prompt that both hold, 0 to 1; 1 for the same words.
    """

    holdout: str
    search: str
    share: float


def overlaps(search: Sequence[Task], holdout: Sequence[Task]) -> list[Overlap]:
    """For each task of the holdout the most like one of the search, where that is a near copy.

    Prompts are compared by their words alone; the most that can be told without knowing
    what a right answer is. Frames that many tasks share are left out of the comparison.

    Args:
        search: Tasks of the search split.
        holdout: Tasks of the holdout.
    """
    whole: dict[tuple[str, ...], Task] = {}
    known: dict[tuple[str, ...], list[int]] = defaultdict(list)
    sets = []
    for at, task in enumerate(search):
        words = _words(task.prompt)
        whole.setdefault(words, task)
        sets.append(_shingles(words))
        for shingle in sets[-1]:
            known[shingle].append(at)
    found = []
    for task in holdout:
        words = _words(task.prompt)
        if words in whole:
            found.append(Overlap(task.task_id, whole[words].task_id, 1.0))
            continue
        best = _most_alike(_shingles(words), known, sets)
        if best is not None:
            found.append(Overlap(task.task_id, search[best[0]].task_id, round(best[1], 3)))
    return found


def _most_alike(
    own: frozenset[tuple[str, ...]],
    known: dict[tuple[str, ...], list[int]],
    sets: Sequence[frozenset[tuple[str, ...]]],
) -> tuple[int, float] | None:
    telling = [s for s in own if len(known.get(s, ())) <= COMMON]
    shared = Counter(at for s in telling for at in known.get(s, ()))
    if not shared:
        return None
    at, count = max(shared.items(), key=lambda item: item[1] / min(len(own), len(sets[item[0]])))
    share = count / min(len(own), len(sets[at]))
    return (at, share) if share >= ALIKE else None


def _words(prompt: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", prompt.casefold()))


def _shingles(words: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    if len(words) < FEWEST_WORDS:
        return frozenset()
    return frozenset(words[i : i + SHINGLE] for i in range(len(words) - SHINGLE + 1))
