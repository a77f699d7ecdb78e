"""Copies of search tasks in the holdout."""

from __future__ import annotations

from leanloop.core.task import Split, Task
from leanloop.suites.contamination import COMMON, overlaps

LONG = (
    "A customer of the bakery on the corner orders forty rolls and nine loaves for Friday, then "
    "writes again and takes twelve of the rolls back; how many rolls does the baker make for her?"
)


def tasks(split: Split, *prompts: str) -> list[Task]:
    return [Task(f"{split}-{i}", p, split) for i, p in enumerate(prompts)]


def test_the_same_words_are_a_copy_however_they_are_written():
    search = tasks(Split.SEARCH, "What is 2 plus 3?", LONG)
    holdout = tasks(Split.HOLDOUT, "what is 2 plus 3", "What is 2 plus 4?")
    assert [(o.holdout, o.search, o.share) for o in overlaps(search, holdout)] == [
        ("holdout-0", "search-0", 1.0)
    ]


def test_a_few_words_changed_are_a_near_copy_and_many_are_not():
    search = tasks(Split.SEARCH, "Something else altogether.", LONG)
    near = LONG.replace("for Friday", "for Monday")
    part = "Please read on. " + LONG
    other = " ".join(LONG.split()[::2]) + " what else could there be to say of it in the end?"
    found = overlaps(search, tasks(Split.HOLDOUT, near, part, other))
    assert [(o.holdout, o.search) for o in found] == [
        ("holdout-0", "search-1"),
        ("holdout-1", "search-1"),
    ]
    assert 0.8 <= found[0].share < 1


def test_a_frame_that_all_tasks_share_is_no_copy():
    frame = "You are given a record of the shop and one question about it. Answer shortly. "
    names = [f"{a}{b}" for a in "abcdefghijklmnop" for b in "qrstuvwxyzabcdef"]
    assert len(names) > COMMON
    prompts = [f"{frame} Which shelf holds the article named {n} now?" for n in names]
    search = tasks(Split.SEARCH, *prompts[: COMMON + 10])
    found = overlaps(search, tasks(Split.HOLDOUT, *prompts[COMMON + 10 :]))
    assert not found
