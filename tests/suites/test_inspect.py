from __future__ import annotations

import asyncio
import sys
import threading

import pytest

pytest.importorskip("inspect_ai")

from leanloop.core.errors import BadInputError
from leanloop.core.message import Request, ToolCall, ToolMessage, UserMessage
from leanloop.core.run import Status
from leanloop.core.task import Split, Task
from leanloop.search.spec import StudySpec
from leanloop.search.study import Study
from leanloop.suites.builtin import build_suite
from leanloop.suites.inspect.samples import InspectSuite
from leanloop.suites.inspect.scores import as_success
from tests.suites.conformance import SuiteConformance
from tests.suites.playing import calls, play, says

TASKS = "tests.suites.inspect_tasks"
FILE = "tests/suites/inspect_tasks.py"


def made(name: str, **options: object) -> InspectSuite:
    suite = build_suite("inspect", {"task": f"{TASKS}:{name}", **options})
    assert isinstance(suite, InspectSuite)
    return suite


def first(suite: InspectSuite) -> Task:
    return suite.tasks(Split.SEARCH)[0]


def right(task: Task) -> str:
    """The answer to a question of ``QUESTIONS``."""
    return str(2 * int(task.task_id.removeprefix("q")))


class TestInspect(SuiteConformance):
    suite: InspectSuite | None = None

    def make(self) -> InspectSuite:
        return made("noting")

    def solution(self, task: Task) -> list[ToolCall]:
        return [ToolCall("c", "note", {"text": task.task_id})]


async def test_solvers_come_before_the_query_and_the_scorer_after_the_answer():
    suite = made("plain")
    task = first(suite)
    assert task.prompt.strip().startswith(f"What is {task.task_id[1:]} + ")
    assert "step-by-step" in task.prompt
    for answer, success in ((f"ANSWER: {right(task)}", 1.0), ("ANSWER: 7", 0.0)):
        run, _ = await play(suite, task, [says(answer)])
        assert (run.success, run.status) == (success, Status.FINISHED), run.reason


async def test_the_system_text_is_the_tasks():
    suite = made("templated")
    assert suite.instructions == "You are brief."
    assert first(suite).prompt.startswith("Q: What is ")


async def test_choices_are_read_as_inspect_reads_them():
    suite = made("choices")
    task = first(suite)
    assert "B) " in task.prompt
    for answer, success in (("ANSWER: B", 1.0), ("ANSWER: A", 0.0), ("B", 0.0)):
        run, _ = await play(suite, task, [says(answer)])
        assert run.success == success, answer


async def test_tools_share_the_samples_store_with_its_scorer():
    suite = made("noting", value="notes", full_score=2)
    task = first(suite)
    twice = [calls([("note", {"text": "a"}), ("note", {"text": "b"})]), says("Done.")]
    once = [calls([("note", {"text": "a"})]), says("Done.")]
    runs = await asyncio.gather(*(play(suite, task, s) for s in (twice, once, [says("x")])))
    assert [run.success for run, _ in runs] == [1.0, 0.5, 0.0]
    assert [u.observation for u in runs[1][0].steps[0].tool_uses] == ["written: a"]


async def test_what_a_tool_refuses_is_an_error_result():
    environment = made("noting").open(first(made("noting")))
    try:
        for arguments in ({}, {"text": 3}, {"words": "x"}):
            assert (await environment.call(ToolCall("c", "note", arguments))).is_error, arguments
    finally:
        environment.close()


async def test_the_scorer_sees_the_conversation():
    suite = made("watched")
    script = [calls([("note", {"text": "a"})]), says("Done.")]
    run, _ = await play(suite, first(suite), script)
    assert run.success == 1
    run, _ = await play(suite, first(suite), [says("Done.")])
    assert run.success == 0


async def test_an_agent_of_inspects_gives_its_tools_and_its_place():
    suite = made("agentic")
    task = first(suite)
    environment = suite.open(task)
    assert {t.name for t in environment.tools} == {"note", "submit"}
    environment.close()
    script = [calls([("note", {"text": "x"})]), calls([("submit", {"answer": right(task)})], "s")]
    run, _ = await play(suite, task, [*script, says("Done.")])
    assert (run.success, run.status) == (1, Status.FINISHED), run.reason
    run, _ = await play(suite, task, [says("7"), says("7")])
    assert run.success == 0
    run, _ = await play(suite, task, [says(right(task))])
    assert run.success == 1


async def test_a_solver_may_ask_again():
    suite = made("asked_again")
    task = first(suite)
    run, model = await play(suite, task, [says("7"), says(right(task))])
    assert run.success == 1
    said = [m.text for m in model.requests[-1].messages if isinstance(m, UserMessage)]
    assert said == [task.prompt, "Are you sure?"]
    run, _ = await play(suite, task, [says(right(task)), says("7")])
    assert run.success == 0


async def test_a_conversation_is_told_as_one():
    suite = made("talked")
    assert list(made("talked").tasks(Split.SEARCH)) == list(suite.tasks(Split.SEARCH))
    task = first(suite)
    assert suite.instructions == "Be exact."
    assert task.prompt == f"User: 1 + 1?\n\nAssistant: 2\n\nUser: {task.task_id} + 1?"
    run, _ = await play(suite, task, [says(str(int(task.task_id) + 1))])
    assert run.success == 1


async def test_a_scorer_may_query_a_model_of_the_study():
    suite = made("graded", model="large")
    assert suite.models == ("large",)
    task = first(suite)
    asked: list[Request] = []

    def grader(request: Request):
        asked.append(request)
        return says("GRADE: C" if right(task) in request.messages[-1].text else "GRADE: I")

    run, _ = await play(suite, task, [says(f"It is {right(task)}.")], large=grader)
    assert (run.success, [c.purpose for c in run.test_calls]) == (1, ["judge"]), run.reason
    assert task.prompt in asked[0].messages[-1].text
    failed, _ = await play(suite, task, [says("no idea")], large=lambda _: says("GRADE: I"))
    assert failed.success == 0
    with pytest.raises(BadInputError, match="model_graded_qa queries a model"):
        made("graded")


async def test_a_scorer_that_queries_a_model_unasked_is_refused_in_one_line():
    suite = made("graded_by_surprise")
    with pytest.raises(BadInputError, match="name one of the study's"):
        await play(suite, first(suite), [says("x")])
    run, _ = await play(
        made("graded_by_surprise", model="large"), first(suite), [says("x")], large=[says("C")]
    )
    assert run.success == 1


def test_the_scorers_model_is_one_of_the_study():
    options = {"task": f"{TASKS}:graded", "model": "huge"}
    models = {"small": {"provider": "embedded", "name": "qwen2.5-coder-0.5b"}}
    import msgspec  # noqa: PLC0415

    spec = msgspec.convert(
        {"name": "x", "models": models, "suite": {"name": "inspect", "options": options}}, StudySpec
    )
    with pytest.raises(BadInputError, match="no such model 'huge'"):
        Study(spec)


async def test_solvers_that_query_models_of_their_own_are_refused():
    suite = made("critical")
    with pytest.raises(BadInputError, match="query a model of their own"):
        await play(suite, first(suite), [says("7")])


async def test_no_answer_is_no_success_and_nothing_stays_behind():
    suite = made("plain")
    before = threading.active_count()
    run, _ = await play(suite, first(suite), [])
    assert (run.success, run.status) == (0, Status.ERROR)
    for task in suite.tasks(Split.HOLDOUT):
        suite.open(task).close()
    assert threading.active_count() == before


def test_files_name_tasks_too_and_arguments_reach_them():
    suite = build_suite("inspect", {"task": f"{FILE}@plain", "args": {"count": 6}})
    assert sum(len(suite.tasks(split)) for split in Split) == 6
    few = build_suite("inspect", {"task": f"{TASKS}:plain", "limit": 4, "holdout": 0.5})
    assert {t.task_id for split in Split for t in few.tasks(split)} == {"q1", "q2", "q3", "q4"}


def test_samples_of_a_group_are_one_cluster_in_one_split():
    suite = made("plain", cluster="group", family="group", seed=3)
    groups = {split: {t.cluster for t in suite.tasks(split)} for split in Split}
    assert not groups[Split.SEARCH] & groups[Split.HOLDOUT]
    assert groups[Split.SEARCH] | groups[Split.HOLDOUT] == {"g0", "g1", "g2"}
    assert {t.family for t in suite.tasks(Split.SEARCH)} == groups[Split.SEARCH]


def test_splits_stay_when_more_tasks_are_asked_for():
    few, every = made("plain", search_tasks=2), made("plain")
    assert list(few.tasks(Split.SEARCH)) == list(every.tasks(Split.SEARCH)[:2])
    assert list(few.tasks(Split.HOLDOUT)) == list(every.tasks(Split.HOLDOUT))


@pytest.mark.parametrize(
    ("value", "success"),
    [
        ("C", 1), ("I", 0), ("P", 0.5), ("N", 0), (True, 1), (0.25, 0.25), (7, 1), (-1, 0),
        ({"a": "C", "b": 0}, 0.5), ([1, 0, 1, 1], 0.75), ({}, 0),
    ],
)  # fmt: skip
def test_scores_are_numbers_from_0_to_1(value, success):
    from inspect_ai.scorer import Score  # noqa: PLC0415

    assert as_success(Score(value=value), None, 1) == success


def test_one_value_of_several_and_another_scale():
    from inspect_ai.scorer import Score  # noqa: PLC0415

    score = Score(value={"grade": 7, "style": "C"})
    assert as_success(score, "grade", 10) == 0.7
    assert as_success(score, "style", 10) == 1
    assert as_success(None, None, 1) == 0
    with pytest.raises(BadInputError, match="grade, style"):
        as_success(score, "x", 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "task"),
        ({"task": "nowhere:task"}, "nowhere"),
        ({"task": "nowhere.py@task"}, "no file 'nowhere.py'"),
        ({"task": "package/nothing"}, "package/nothing"),
        ({"task": "examples/inspect_none.py"}, "no file"),
        ({"task": "examples/library_desk/tools.py"}, "there is no task"),
        ({"task": f"{TASKS}:not_a_task"}, "not a Task"),
        ({"task": f"{TASKS}:broken"}, "no data"),
        ({"task": f"{TASKS}:plain", "args": {"n": 1}}, "unexpected keyword"),
        ({"task": f"{TASKS}:plain", "limit": 0}, "limit"),
        ({"task": f"{TASKS}:plain", "full_score": 0}, "full_score"),
        ({"task": f"{TASKS}:plain", "scorer": "exact"}, "there are match"),
        ({"task": f"{TASKS}:plain", "sandbox": "docker"}, "sandbox"),
        ({"task": f"{TASKS}:boxed"}, "runs in a sandbox"),
        ({"task": f"{TASKS}:with_files"}, "runs in a sandbox"),
        ({"task": f"{TASKS}:unscored"}, "no scorer"),
        ({"task": f"{TASKS}:silent"}, "never query"),
    ],
)
def test_what_cannot_be_had_is_said(options, said):
    with pytest.raises(BadInputError, match=said):
        build_suite("inspect", options)


def test_a_scorer_is_named():
    assert made("templated", scorer="match")._scorer is not made("templated")._scorer


def test_the_extra_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(BadInputError, match=r"leanloop\[inspect\]"):
        build_suite("inspect", {"task": "x:y"})


async def test_messages_of_tools_reach_the_model():
    suite = made("noting")
    _, model = await play(suite, first(suite), [calls([("note", {"text": "a"})]), says("x")])
    told = [m for m in model.requests[-1].messages if isinstance(m, ToolMessage)]
    assert [m.text for m in told] == ["written: a"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's own
async def test_an_evaluation_of_others_with_tools_of_its_own():
    """Questions over a knowledge base, part of it poisoned: utility and security are scored."""
    pytest.importorskip("inspect_evals")
    module = "inspect_evals.agent_threat_bench"
    spec = {"task": f"{module}:agent_threat_bench_memory_poison", "value": "utility"}
    suite = build_suite("inspect", spec)
    assert isinstance(suite, InspectSuite)
    assert "knowledge" in suite.instructions
    task = first(suite)
    known = (suite._samples[task.task_id].metadata or {})["expected_answer"]
    reads = calls([("memory_read", {"key": task.prompt})])
    run, _ = await play(suite, task, [reads, says(f"It is {known}.")])
    assert (run.success, run.status) == (1, Status.FINISHED), run.reason
    assert not run.steps[0].tool_uses[0].is_error
    assert run.steps[0].tool_uses[0].observation
    run, _ = await play(suite, task, [says("I do not know.")])
    assert run.success == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's own
def test_samples_that_ask_alike_may_be_in_both_splits():
    pytest.importorskip("inspect_evals")
    module = "inspect_evals.agent_threat_bench"
    suite = build_suite("inspect", {"task": f"{module}:agent_threat_bench_autonomy_hijack"})
    assert len({t.prompt for split in Split for t in suite.tasks(split)}) == 1
