"""A study that carries something over along streams keeps its tasks where they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split, Task
from leanloop.models.builtin import ModelSpec
from leanloop.models.scripted import ScriptedModel
from leanloop.search.kept_memory import KeptMemory
from leanloop.search.kept_tasks import KeptTasks
from leanloop.search.spec import StudySpec, SuiteSpec
from leanloop.search.study import Silent, Study
from leanloop.store.protocol import StudyRecord
from leanloop.store.sql import SqlStore
from tests.search.test_tasks_and_judge import acts

FACTS = Configuration({"memory.facts": 4})
EMPTY = Configuration({})


def study(folder: Path, order: Sequence[int], *, carrying: bool = True) -> Study:
    """A study over sums; each number is a line of its file."""
    lines = [
        {"id": f"s{i}", "prompt": f"What is {i} plus 3?", "expected": i + 3, "split": "search"}
        for i in order
    ]
    lines.append({"id": "last", "prompt": "What is 50 plus 3?", "expected": 53, "split": "holdout"})
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, lines)))
    levers: dict[str, list[Setting]] = {"memory.facts": [4]} if carrying else {}
    spec = StudySpec(
        name="sums",
        models={"small": ModelSpec("scripted", "x:y")},
        suite=SuiteSpec("jsonl", {"file": "sums.jsonl", "ordered": True}),
        levers=levers,
        folder=str(folder),
        file="study.toml",
    )
    return Study(spec, models={"small": ScriptedModel(acts, latency_s=0.0)})


class Given:
    """A suite of these tasks."""

    def __init__(self, *places: tuple[str, str | None, int | None]) -> None:
        self.every = [Task(i, i, Split.SEARCH, stream=s, position=p) for i, s, p in places]

    def tasks(self, split: Split) -> list[Task]:
        return [t for t in self.every if t.split is split]


def given(*places: tuple[str, str | None, int | None]) -> Given:
    return Given(*places)


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    store = SqlStore(tmp_path / "s.sqlite")
    store.open_study(StudyRecord("given", "{}", "f"))
    return store


async def test_lines_on_top_of_an_ordered_file_are_refused(tmp_path, store):
    # The task of the holdout comes last, at position 4.
    await study(tmp_path, [0, 1, 2, 3]).run_one(FACTS, Split.SEARCH, store, Silent())
    before = list(store.runs("sums"))
    with pytest.raises(BadInputError) as refused:
        await study(tmp_path, [8, 9, 0, 1, 2, 3]).run_one(FACTS, Split.SEARCH, store, Silent())
    assert str(refused.value) == (
        "study.toml: suite.options.file ('sums.jsonl'): task 's0' was at position 0 of stream "
        "'sums' when study 'sums' met it first, and is at position 2 of stream 'sums' now; what "
        "was learned along a stream is kept by position: add new tasks of a stream at its end, "
        "or give the study another name"
    )
    with pytest.raises(BadInputError, match=r"'s1' was at position 1.* is at position 0"):
        await study(tmp_path, [1, 0, 2, 3]).run_one(FACTS, Split.SEARCH, store, Silent())
    with pytest.raises(BadInputError, match="'s0' was at position 0"):
        await study(tmp_path, [8, 0, 1, 2, 3]).optimize(store)
    assert list(store.runs("sums")) == before


async def test_a_configuration_that_carries_over_is_enough_to_refuse(tmp_path, store):
    await study(tmp_path, [0, 1, 2], carrying=False).run_one(FACTS, Split.SEARCH, store, Silent())
    with pytest.raises(BadInputError, match="'s2' was at position 2"):
        await study(tmp_path, [2, 1, 0], carrying=False).run_one(
            FACTS, Split.SEARCH, store, Silent()
        )


async def test_order_does_not_matter_where_nothing_is_carried_over(tmp_path, store):
    plain = {"carrying": False}
    await study(tmp_path, [0, 1, 2], **plain).run_one(EMPTY, Split.SEARCH, store, Silent())
    await study(tmp_path, [8, 2, 1, 0], **plain).run_one(EMPTY, Split.SEARCH, store, Silent())
    assert len(store.runs("sums")) == 4


async def test_an_agent_in_service_meets_tasks_in_any_order(tmp_path, store):
    memory = KeptMemory(store.memory("office"), 1000)
    for order in ([0, 1, 2], [2, 8, 1, 0]):
        found = study(tmp_path, order)
        await found.run_one(FACTS, Split.SEARCH, store, Silent(), None, memory)
    assert len(store.runs("sums with office")) == 4


def test_tasks_at_the_end_are_welcome_also_after_others_were_refused(store):
    old = [("a", "x", 0), ("b", "x", 1)]
    KeptTasks(given(*old), store, "given", "suite.options")
    shifted = given(("new", "x", 0), ("a", "x", 1), ("b", "x", 2))
    with pytest.raises(BadInputError, match="'a' was at position 0"):
        KeptTasks(shifted, store, "given", "suite.options")
    # What was refused must not be what the study holds its tasks to from then on.
    kept = KeptTasks(given(*old, ("new", "x", 2)), store, "given", "suite.options")
    assert [t.task_id for t in kept.tasks(Split.SEARCH)] == ["a", "b", "new"]


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([("a", "y", 0), ("b", "x", 1)], "position 0 of stream 'x' .* position 0 of stream 'y'"),
        ([("a", None, None), ("b", "x", 1)], "at no place of a stream now"),
        ([("a", "x", 0), ("c", "x", 1)], "'c' is at position 1 .* met task 'b', which is gone"),
    ],
)
def test_other_streams_and_places_that_were_taken_are_refused(store, places, said):
    KeptTasks(given(("a", "x", 0), ("b", "x", 1)), store, "given", "suite.options")
    with pytest.raises(BadInputError, match=said):
        KeptTasks(given(*places), store, "given", "suite.options")
    KeptTasks(given(*places), store, "given")


def test_a_task_that_is_gone_leaves_the_others_where_they_were(store):
    KeptTasks(given(("a", "x", 0), ("b", "x", 1)), store, "given", "suite.options")
    KeptTasks(given(("b", "x", 1)), store, "given", "suite.options")
    KeptTasks(given(("b", "x", 1), ("a", "x", 0)), store, "given", "suite.options")
