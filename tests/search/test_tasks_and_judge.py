"""Splits that stay, tasks that tell nothing, copies in the holdout, and a judge on trial."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Request
from leanloop.core.task import Split
from leanloop.models.builtin import ModelSpec
from leanloop.models.scripted import ScriptedModel
from leanloop.report.html import render_report
from leanloop.search.result import Result
from leanloop.search.spec import Budget, SearchPlan, StudySpec, SuiteSpec
from leanloop.search.study import Silent, Study
from leanloop.search.task_report import say_tasks
from leanloop.store.sql import SqlStore


def acts(request: Request) -> AssistantMessage:
    """Knows every even sum but the first."""
    words = request.messages[1].text.split()
    first, second = int(words[2]), int(words[4].rstrip("?"))
    right = (first + second) % 2 == 0
    return AssistantMessage(text=str(first + second if right else 0))


class Judge:
    """Says right where the answer is what it looks for, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: Request) -> AssistantMessage:
        self.asked += 1
        said = request.messages[1].text
        if "MUMBLE" in said:
            return AssistantMessage(text="hm")
        answer = said.split("Answer:\n")[1]
        return AssistantMessage(text="right" if "Oslo" in answer else "I say: wrong.")


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    (folder / name).write_text("\n".join(json.dumps(r) for r in rows))


def sums(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"s{i}", "prompt": f"What is {i} plus 3?", "expected": i + 3} for i in range(count)
    ]


def spec_of(folder: Path, options: dict[str, object], **more: object) -> StudySpec:
    models = {"small": ModelSpec("scripted", "x:y"), "judge": ModelSpec("scripted", "x:y")}
    return StudySpec(
        name="own",
        models=models,
        suite=SuiteSpec("jsonl", {"file": "tasks.jsonl", **options}),
        levers={"tools": {"schema_trim": ["on"]}},
        plan=SearchPlan(block=3, finalists=1),
        budget=Budget(max_runs=18),
        folder=str(folder),
        **more,
    )


def study_of(spec: StudySpec, judge: Judge | None = None) -> Study:
    models = {
        "small": ScriptedModel(acts, name="small", latency_s=0.1),
        "judge": ScriptedModel(judge or Judge(), name="judge", latency_s=0.1),
    }
    return Study(spec, models=models)


async def test_a_study_over_json_lines_says_which_tasks_tell_nothing(tmp_path: Path) -> None:
    write(tmp_path, "tasks.jsonl", sums(12))
    store = SqlStore(tmp_path / "s.sqlite")
    study = study_of(spec_of(tmp_path, {}))
    result = await study.optimize(store)
    assert {r.key.task_id for r in store.runs("own")} <= {f"s{i}" for i in range(12)}
    report = result.tasks
    assert (report.search, report.holdout) == (7, 5)
    assert not report.judge
    solved = {r.key.task_id: r.success for r in store.runs("own") if r.split is Split.SEARCH}
    assert set(report.always_ids) <= {t for t, s in solved.items() if s == 1}
    assert set(report.never_ids) <= {t for t, s in solved.items() if s == 0}
    assert msgspec.json.decode(msgspec.json.encode(result), type=Result) == result
    store.close()


async def test_splits_stay_where_they_were_when_tasks_are_added(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "s.sqlite")
    write(tmp_path, "tasks.jsonl", sums(10))
    first = study_of(spec_of(tmp_path, {}))
    await first.optimize(store)
    before = {t.task_id: t.split for s in Split for t in first.tasks.tasks(s)}
    for count in range(11, 60):
        write(tmp_path, "tasks.jsonl", sums(count))
        drawn = study_of(spec_of(tmp_path, {}))
        fresh = {t.task_id: t.split for s in Split for t in drawn.suite.tasks(s)}
        if any(fresh[t] is not split for t, split in before.items()):
            break
    else:
        raise AssertionError("no draw that would move a task: this shows nothing")
    await drawn.optimize(store)
    after = {t.task_id: t.split for s in Split for t in drawn.tasks.tasks(s)}
    assert {t: after[t] for t in before} == before
    assert len(after) == count
    for run in store.runs("own"):
        assert run.split is after[run.key.task_id]
    store.close()


async def test_a_task_that_asks_for_something_else_is_refused(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "s.sqlite")
    write(tmp_path, "tasks.jsonl", sums(10))
    await study_of(spec_of(tmp_path, {})).optimize(store)
    changed = sums(10)
    changed[4]["prompt"] = "What is 5 plus 3?  "
    write(tmp_path, "tasks.jsonl", changed)
    with pytest.raises(BadInputError, match="task 's4': asks for something else"):
        await study_of(spec_of(tmp_path, {})).optimize(store)
    store.close()


async def test_a_corrected_answer_key_is_another_task(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "s.sqlite")
    write(tmp_path, "tasks.jsonl", sums(10))
    await study_of(spec_of(tmp_path, {})).optimize(store)
    changed = sums(10)
    changed[4] |= {"tags": ["sum"]}
    write(tmp_path, "tasks.jsonl", changed)
    await study_of(spec_of(tmp_path, {})).optimize(store)
    changed[4] |= {"expected": 99}
    write(tmp_path, "tasks.jsonl", changed)
    with pytest.raises(BadInputError, match="task 's4': is scored in another way"):
        await study_of(spec_of(tmp_path, {})).optimize(store)
    store.close()


async def test_a_check_that_breaks_is_said_and_so_are_answers_that_never_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_checks.py").write_text("def breaks(answer):\n    raise KeyError('broken')")
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = sums(10)
    for row in rows[:5]:
        del row["expected"]
        row["check"] = {"python": "broken_checks:breaks"}
    write(tmp_path, "tasks.jsonl", rows)
    store = SqlStore(tmp_path / "s.sqlite")
    result = await study_of(spec_of(tmp_path, {})).optimize(store)
    said = " ".join(say_tasks(result.tasks))
    assert "runs ended in an error and count as failures; the first, on task 's" in said
    assert "KeyError: 'broken'" in said
    assert "ended in an error" in render_report(result)
    for row in rows:
        row.pop("check", None)
        row["expected"] = "never this"
    write(tmp_path, "tasks.jsonl", rows)
    spec = msgspec.structs.replace(spec_of(tmp_path, {}), name="other")
    small = ScriptedModel(lambda _: AssistantMessage(text='{"name": "add", "arguments": {}}'))
    study = Study(spec, models={"small": small, "judge": small})
    said = " ".join(say_tasks((await study.optimize(store)).tasks))
    assert "No run was solved. Answers: 's" in said
    assert "answers look like calls in plain text" in said
    store.close()


async def test_copies_in_the_holdout_are_said_before_anything_is_run(tmp_path: Path) -> None:
    rows = [r | {"split": "search" if i < 6 else "holdout"} for i, r in enumerate(sums(10))]
    rows[7]["prompt"] = "what is 2 PLUS 3?"
    rows[7]["expected"] = 5
    write(tmp_path, "tasks.jsonl", rows)
    said: list[str] = []

    class Listening(Silent):
        def note(self, text: str) -> None:
            said.append(text)

        def run_done(self, *args: object) -> None:
            assert said, "it is said first"

    store = SqlStore(tmp_path / "s.sqlite")
    result = await study_of(spec_of(tmp_path, {})).optimize(store, Listening())
    assert "1 of 4 holdout tasks are near copies of search tasks, such as 's7' of 's2'" in said[0]
    assert result.tasks.copies == 1
    assert "near copies" in render_report(result)
    store.close()


JUDGED = [
    {"id": f"c{i}", "prompt": f"What is {i} plus 3?", "check": {"judge": "the sum"}}
    for i in range(8)
]


def labels(*rows: tuple[str, bool]) -> list[dict[str, object]]:
    return [
        {"prompt": "Capital of Norway?", "rubric": "Oslo", "answer": a, "success": s}
        for a, s in rows
    ]


async def test_a_judge_is_tried_on_labels_first_and_its_agreement_shown(tmp_path: Path) -> None:
    write(tmp_path, "tasks.jsonl", JUDGED)
    rows = labels(("Oslo", True), ("It is Oslo.", True), ("Bergen", False), ("not Oslo", False))
    write(tmp_path, "labels.jsonl", rows)
    options = {"judge": {"model": "judge", "labels": "labels.jsonl"}}
    store, judge = SqlStore(tmp_path / "s.sqlite"), Judge()
    result = await study_of(spec_of(tmp_path, options), judge).optimize(store)
    a = result.tasks.judge
    assert a is not None
    assert (a.share.mean, a.share.n, a.kappa) == (0.75, 4, 0.5)
    assert (a.false_right, a.false_wrong, a.unjudged) == (0.5, 0.0, 0)
    assert "agrees with 75% of 4 labelled answers" in " ".join(say_tasks(result.tasks))
    assert "agrees with 75%" in render_report(result)
    judged = [r for r in store.runs("own") if r.test_calls]
    assert len(judged) == result.runs
    assert judge.asked == result.runs + 4
    assert result.tasks.test_usd is not None
    assert result.search_usd is not None
    assert 0 < result.tasks.test_usd < result.search_usd
    asked = judge.asked
    again = await study_of(spec_of(tmp_path, options), judge).optimize(store)
    assert judge.asked == asked, "nothing is judged twice"
    assert again.tasks == result.tasks
    store.close()


async def test_what_the_judge_does_not_say_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "tasks.jsonl", JUDGED)
    write(tmp_path, "labels.jsonl", labels(("Oslo", True), ("MUMBLE", True), ("no", False)))
    options = {"judge": {"model": "judge", "labels": "labels.jsonl"}}
    store = SqlStore(tmp_path / "s.sqlite")
    result = await study_of(spec_of(tmp_path, options)).optimize(store)
    assert result.tasks.judge is not None
    assert (result.tasks.judge.share.n, result.tasks.judge.unjudged) == (2, 1)
    store.close()


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"model": "nobody"}, "no such model 'nobody'"),
        ({"model": "judge", "labels": "no.jsonl"}, "no.jsonl"),
        ({"model": "judge", "labels": "bad.jsonl"}, "bad.jsonl:1"),
        ({"model": "judge", "labels": "twice.jsonl"}, "twice.jsonl:2: stands there twice"),
        ({}, "model"),
    ],
)
def test_a_judge_that_cannot_be(tmp_path: Path, judge: dict[str, str], said: str) -> None:
    write(tmp_path, "tasks.jsonl", JUDGED)
    write(tmp_path, "bad.jsonl", [{"prompt": "p"}])
    write(tmp_path, "twice.jsonl", labels(("a", True), ("a", True)))
    with pytest.raises(BadInputError, match=said):
        study_of(spec_of(tmp_path, {"judge": judge}))
