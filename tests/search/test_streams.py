"""Studies over streams: memory along each, none from the holdout, the same after a kill."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.memory import Entry, Forget, Kind, Origin, Put
from leanloop.core.run import Run, RunKey, Status
from leanloop.core.task import Split, Task
from leanloop.models.builtin import ModelSpec
from leanloop.models.scripted import ScriptedModel
from leanloop.report.html import write_report
from leanloop.report.terminal import show_result
from leanloop.search.kept_memory import KeptMemory
from leanloop.search.spec import Budget, MemorySpec, SearchPlan, StudySpec, SuiteSpec
from leanloop.search.streams import Streams, check_streams
from leanloop.search.study import Silent, Study
from leanloop.store.sql import SqlStore
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from tests.levers.oracle import Oracle

OPTIONS = {"seed": 4, "search_tasks": 80, "holdout_tasks": 40, "streams": 2, "distractors": 0}
PLAN = Configuration({"planning.plan_cache": "plain"})


def study(concurrency: int = 1, **fields: object) -> Study:
    suite = BackofficeSuite(msgspec.convert(OPTIONS, BackofficeOptions))
    oracle = Oracle(suite)
    model = ScriptedModel(oracle, latency_s=0.01, concurrency=concurrency)
    spec = StudySpec(
        name="stream",
        models={"small": ModelSpec("scripted", "tests.levers.oracle:none")},
        suite=SuiteSpec("backoffice", OPTIONS),
        **fields,
    )
    return Study(spec, suite=suite, models={"small": model})


def essence(run: Run) -> object:
    """What a run came to, without its clock."""
    learned = [(type(c), c.entry.key if isinstance(c, Put) else c) for c in run.memory]
    uses = [(u.name, u.arguments_json) for s in run.steps for u in s.tool_uses]
    return run.key, run.success, run.usage.model_calls, uses, learned


def store_in(folder: Path) -> SqlStore:
    return SqlStore(folder / "s.sqlite")


async def test_a_stream_learns_as_it_goes_and_the_holdout_gains_from_it_and_teaches_nothing(
    tmp_path,
):
    store = store_in(tmp_path)
    await study().run_one(PLAN, Split.SEARCH, store, Silent())
    await study().run_one(PLAN, Split.HOLDOUT, store, Silent())
    runs = store.runs("stream")
    search = sorted((r for r in runs if r.split is Split.SEARCH), key=lambda r: r.position or 0)
    holdout = [r for r in runs if r.split is Split.HOLDOUT]
    early, late = search[:20], search[-20:]
    assert sum(r.usage.model_calls for r in late) < 0.6 * sum(r.usage.model_calls for r in early)
    assert any(r.usage.model_calls == 0 for r in holdout)
    assert not any(r.memory for r in holdout)
    origins = {c.entry.origin.split for r in search for c in r.memory if isinstance(c, Put)}
    assert origins == {"search"}


async def test_streams_at_once_come_to_what_they_come_to_one_by_one(tmp_path):
    found = []
    for concurrency in (1, 6):
        store = store_in(tmp_path / str(concurrency))
        await study(concurrency).run_one(PLAN, Split.SEARCH, store, Silent())
        found.append(sorted(map(repr, map(essence, store.runs("stream")))))
    assert found[0] == found[1]


async def test_a_stream_that_was_cut_off_goes_on_with_what_it_had_learned(tmp_path):
    whole, cut = store_in(tmp_path / "whole"), store_in(tmp_path / "cut")
    await study().run_one(PLAN, Split.SEARCH, whole, Silent())
    for first in (7, 8, 23, 80):
        await study().run_one(PLAN, Split.SEARCH, cut, Silent(), first)
    found = [sorted(repr(essence(r)) for r in s.runs("stream")) for s in (whole, cut)]
    assert found[0] == found[1]


async def test_a_whole_study_over_streams_finds_the_plans(tmp_path):
    found = await study(
        levers={"planning.plan_cache": ["plain"]},
        objectives={"success": "max", "tokens": "min"},
        budget=Budget(max_runs=200),
        margin=0.1,
        plan=SearchPlan(block=10),
    ).optimize(store_in(tmp_path))
    assert found.recommended == PLAN.id
    carried = {c.id: c for c in found.streams}
    assert set(carried) == {PLAN.id}
    own = carried[PLAN.id]
    assert own.paid_back["tokens"].after is not None
    assert own.warm is not None
    assert own.warm.per_solved["tokens"].mean is not None
    assert own.stretches[0].first == 0
    assert sum(s.success.n for s in own.stretches) == found.frontier[0].search.success.n
    assert own.stretches[-1].ratio["tokens"].mean < own.stretches[0].ratio["tokens"].mean
    page, said = tmp_path / "r.html", io.StringIO()
    write_report(found, page)
    show_result(Console(file=said, width=160), found)
    for text in (page.read_text(), said.getvalue()):
        assert "spent on learning is saved" in " ".join(text.split())
        assert "warm" in text
    store = store_in(tmp_path)
    assert list(store.memories()) == [f"stream/{PLAN.id}"]
    kept = len(KeptMemory(store.memory(f"stream/{PLAN.id}"), 1000))
    assert kept > 3
    # Both streams learned some of the same: what is told is what the memory holds.
    assert own.held is not None
    assert own.held.kept == kept < own.held.entries


async def test_an_agent_in_service_goes_on_from_a_memory_and_adds_to_it(tmp_path):
    store = store_in(tmp_path)
    memory = KeptMemory(store.memory("office"), 1000)
    await study().run_one(PLAN, Split.SEARCH, store, Silent(), 20, memory)
    learned = len(memory)
    assert learned
    other = KeptMemory(store.memory("office"), 1000)
    assert len(other) == learned
    await study().run_one(PLAN, Split.HOLDOUT, store, Silent(), None, other)
    assert not store.runs("stream"), "what a memory in service did is no run of the study"
    runs = [r for r in store.runs("stream with office") if r.split is Split.HOLDOUT]
    assert any(r.usage.model_calls == 0 for r in runs)
    assert len(other) > learned, "in service every task that is solved teaches"


def test_a_lever_that_carries_over_needs_an_order():
    spec = StudySpec(
        name="x",
        models={"small": ModelSpec("scripted", "tests.levers.oracle:none")},
        baseline={"memory.facts": 4},
    )
    with pytest.raises(BadInputError, match=r"levers\.memory\.facts.*streams"):
        Study(spec, models={})


async def test_a_configuration_that_is_run_alone_needs_an_order_too(tmp_path):
    spec = StudySpec(
        name="x",
        models={"small": ModelSpec("scripted", "tests.levers.oracle:none")},
        suite=SuiteSpec("backoffice", {**OPTIONS, "streams": 0}),
    )
    with pytest.raises(BadInputError, match="no order"):
        await Study(spec, models={}).run_one(PLAN, Split.SEARCH, store_in(tmp_path), Silent())


def test_two_tasks_in_one_place_are_refused_where_order_counts():
    tasks = [Task(t, "?", Split.SEARCH, stream="a", position=3) for t in "xy"]
    check_streams([], tasks)
    holdout = msgspec.structs.replace(tasks[1], split=Split.HOLDOUT)
    check_streams(["memory.facts"], [tasks[0], holdout])
    with pytest.raises(BadInputError, match="'x' and 'y' both have position 3 of stream 'a'"):
        check_streams(["memory.facts"], tasks)


def test_a_bound_of_nothing_is_refused():
    with pytest.raises(BadInputError, match=r"memory\.bound"):
        study(memory=MemorySpec(bound=0))


def test_a_run_of_the_holdout_that_would_teach_is_refused():
    entry = Entry(Kind.FACT, "k", "n", "c", {})
    run = Run(
        RunKey(PLAN.id, "t"), Split.HOLDOUT, Status.FINISHED, 1.0, (), 0.0, 0.0, 0.0,
        stream="a", position=0, memory=(Put(entry),),
    )  # fmt: skip
    with pytest.raises(ValueError, match="would teach"):
        Streams().add(run)


def learned(key: str, body: str, learned_at: float, position: int) -> Run:
    entry = Entry(Kind.FACT, key, key, key, body, Origin(learned_at=learned_at))
    return Run(
        RunKey(PLAN.id, key), Split.SEARCH, Status.FINISHED, 1.0, (), 0.0, 0.0, 0.0,
        stream="a", position=position, memory=(Put(entry),),
    )  # fmt: skip


def test_what_was_made_of_a_kept_memory_stands_when_its_study_is_run_again(tmp_path):
    streams, store = Streams(), store_in(tmp_path)
    for at, key in enumerate(("forgotten", "known", "served")):
        streams.add(learned(key, "then", 1.0, at))
    streams.keep_in(store, "stream", PLAN)
    memory = store.memory(f"stream/{PLAN.id}")
    ids = {e.key: e.entry_id for e in memory.news().entries.values() if e is not None}
    (served,) = learned("served", "in service", 9.0, 0).memory
    memory.apply([Forget(ids["forgotten"]), served], 1000)
    streams.add(learned("known", "relearned", 5.0, 3))
    streams.add(learned("new", "then", 6.0, 4))
    streams.keep_in(store, "stream", PLAN)
    found = {e.key: e.body for e in memory.news().entries.values() if e is not None}
    assert found == {"known": "relearned", "served": "in service", "new": "then"}


def test_other_fields_of_memory_part_a_study_from_its_runs():
    usual, other = study(), study(memory=MemorySpec(bound=5))
    assert usual.spec.fingerprint() != other.spec.fingerprint()
