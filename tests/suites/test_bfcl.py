from __future__ import annotations

import asyncio
import decimal
import importlib.util
import subprocess
import sys

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, SystemMessage, ToolCall, UserMessage
from leanloop.core.run import Status
from leanloop.core.task import Split, Task
from leanloop.suites.bfcl.environment import BfclRun
from leanloop.suites.bfcl.records import Category, Record, TrueCall, read_category
from leanloop.suites.bfcl.schemas import json_schema, tools_of
from leanloop.suites.bfcl.suite import BfclOptions, BfclSuite
from leanloop.suites.builtin import build_suite
from tests.suites.conformance import SuiteConformance
from tests.suites.playing import Made, play, turns

pytest.importorskip("bfcl_eval")

CATEGORIES: tuple[Category, ...] = ("base", "miss_func", "miss_param", "long_context")
HAS_MPMATH = importlib.util.find_spec("mpmath") is not None
APIS = tuple(sorted({api for r in read_category("base") for api in r.classes} - {"MathAPI"})) + (
    ("MathAPI",) if HAS_MPMATH else ()
)
"""All of them; the simulated mathematics needs a package of its own."""
EVERY = BfclSuite(BfclOptions(category=CATEGORIES, classes=APIS))
RECORDS = EVERY._records
BASE = {r.ident: r for r in RECORDS.values() if r.category == "base"}


def named(call: TrueCall) -> Made:
    """With every argument by name, as a model has to give them."""
    tool = next(t for api in API_OF if (t := API_OF[api].get(call.name)) is not None)
    names = list(tool.parameters["properties"])
    return call.name, dict(zip(names, call.positional, strict=False)) | dict(call.named)


API_OF = {
    api: {t.name: t for t in tools_of(api)}
    for api in {api for r in BASE.values() for api in r.classes}
}


def solution(record: Record) -> list[list[Made]]:
    return [[named(c) for c in turn] for turn in record.right_calls]


async def play_record(record: Record, made: list[list[Made]]) -> float:
    """Without the agent, for many at once."""
    environment = BfclRun(record)
    for turn in made:
        for number, (name, arguments) in enumerate(turn):
            await environment.call(ToolCall(f"c{number}", name, arguments))
        await environment.reply("done", _nobody)
    score = environment.verify("done")
    environment.close()
    return score


async def _nobody(request: object) -> Json:
    raise AssertionError("this user is no model")


class TestBfcl(SuiteConformance):
    def make(self) -> BfclSuite:
        return BfclSuite(BfclOptions(category=("base", "long_context"), classes=APIS, seed=2))

    def solution(self, task: Task) -> list[ToolCall]:
        made = [m for turn in solution(RECORDS[task.task_id]) for m in turn]
        return [ToolCall(f"c{i}", name, a) for i, (name, a) in enumerate(made)]


@pytest.mark.parametrize("category", CATEGORIES)
async def test_the_ground_truth_of_every_entry_is_right_and_nothing_is_wrong(category):
    for record in (r for r in RECORDS.values() if r.category == category):
        assert await play_record(record, solution(record)) == 1, record.ident
        assert await play_record(record, [[] for _ in record.turns]) == 0, record.ident


@pytest.mark.parametrize("category", CATEGORIES)
async def test_a_turn_left_out_is_wrong(category):
    for record in [r for r in RECORDS.values() if r.category == category][:40]:
        made = solution(record)
        for turn in (i for i, calls in enumerate(made) if calls):
            short = [[] if i == turn else calls for i, calls in enumerate(made)]
            assert await play_record(record, short) == 0, (record.ident, turn)


async def test_a_wrong_argument_is_wrong():
    for record in list(BASE.values())[::4]:
        made = solution(record)
        turn, index = max((t, i) for t, calls in enumerate(made) for i in range(len(calls)))
        name, arguments = made[turn][index]
        text = next((k for k, v in arguments.items() if isinstance(v, str)), None)
        if text is None:
            continue
        made[turn][index] = (name, arguments | {text: "something quite different"})
        assert await play_record(record, made) == 0, record.ident


async def test_calls_of_another_turn_do_not_count_for_it():
    record = next(r for r in BASE.values() if len(r.turns) == 3 and all(r.right_calls))
    first, second, third = solution(record)
    assert await play_record(record, [[*first, *second], [], third]) == 0
    assert await play_record(record, [first, second, third]) == 1


async def test_turns_go_through_the_agent():
    for task in EVERY.tasks(Split.SEARCH)[:8]:
        record = RECORDS[task.task_id]
        run, model = await play(EVERY, task, turns(solution(record)))
        assert (run.success, run.status) == (1, Status.FINISHED), run.reason
        said = [m.text for m in model.requests[-1].messages if isinstance(m, UserMessage)]
        assert said == list(record.turns)
        assert run.cluster == task.cluster


async def test_a_run_that_ends_before_its_last_turn_is_wrong():
    record = next(r for r in BASE.values() if len(r.turns) > 2)
    task = Task(record.ident, record.turns[0], Split.SEARCH)
    run, _ = await play(EVERY, task, turns(solution(record)), {"stopping.max_steps": 2})
    assert (run.success, run.status) == (0, Status.FINISHED)


async def test_a_function_that_is_held_back_is_added_in_its_turn():
    record = next(r for r in RECORDS.values() if r.category == "miss_func")
    ((name, turn),) = record.held_back.items()
    task = Task(record.ident, record.turns[0], Split.SEARCH)
    run, model = await play(EVERY, task, turns(solution(record)))
    assert run.success == 1
    shown = [
        (sum(isinstance(m, UserMessage) for m in r.messages) - 1, [t.name for t in r.tools])
        for r in model.requests
    ]
    for now, names in shown:
        assert (name in names) == (now >= turn)
    before, after = shown[0][1], shown[-1][1]
    assert after[: len(before)] == before
    environment = BfclRun(record)
    result = await environment.call(ToolCall("c", name, {}))
    assert result.is_error
    assert "no function" in result.text


async def test_two_runs_of_a_task_at_once_do_not_meet():
    task = EVERY.tasks(Split.SEARCH)[0]
    made = solution(RECORDS[task.task_id])
    runs = await asyncio.gather(
        *(play(EVERY, task, turns(made)) for _ in range(3)),
        play(EVERY, task, turns([[] for _ in made])),
    )
    assert [run.success for run, _ in runs] == [1, 1, 1, 0]


async def test_what_a_model_writes_is_a_value_and_nothing_more():
    record = next(r for r in BASE.values() if "GorillaFileSystem" in r.classes)
    environment = BfclRun(record)
    odd: list[Made] = [
        ("mkdir", {"dir_name": "__import__('os').getcwd()"}),
        ("mkdir", {"no_such": 1}),
        ("mkdir", {"self": 1, "dir_name": "x"}),
        ("_load_scenario", {"scenario": {}}),
        ("__class__", {}),
        ("mkdir", {"dir_name": None}),
    ]
    for name, arguments in odd:
        result = await environment.call(ToolCall("c", name, arguments))
        assert "Error during execution" in result.text or name == "mkdir"
    listed = await environment.call(ToolCall("c", "ls", {}))
    assert "__import__('os').getcwd()" in listed.text


@pytest.mark.skipif(not HAS_MPMATH, reason="the simulated mathematics needs mpmath")
async def test_simulated_mathematics_keeps_to_itself():
    record = next(r for r in BASE.values() if "MathAPI" in r.classes)
    environment = BfclRun(record)
    before = decimal.getcontext().prec
    done = await environment.call(ToolCall("c", "square_root", {"number": 2, "precision": 5}))
    assert done.text == "{'result': Decimal('1.4142')}"
    assert decimal.getcontext().prec == before
    for name, arguments in (
        ("power", {"base": 9, "exponent": 10**9}),
        ("square_root", {"number": 2, "precision": 10**9}),
    ):
        result = await environment.call(ToolCall("c", name, arguments))
        assert (result.is_error, "must be at most" in result.text) == (True, True)


def test_schemas_are_json_schema():
    dialect = {
        "type": "dict",
        "properties": {
            "type": {"type": "float"},
            "b": {"type": "array", "items": {"type": "dict", "properties": {}}},
            "c": {"type": "tuple", "items": {"type": "integer"}},
            "d": {"type": "any", "description": "x"},
        },
    }
    assert json_schema(dialect) == {
        "type": "object",
        "properties": {
            "type": {"type": "number"},
            "b": {"type": "array", "items": {"type": "object", "properties": {}}},
            "c": {"type": "array", "items": {"type": "integer"}},
            "d": {"description": "x"},
        },
    }


def test_splits_stay_when_more_tasks_are_asked_for():
    few = BfclSuite(BfclOptions(category=CATEGORIES, classes=APIS, search_tasks=5, holdout_tasks=3))
    for split, count in ((Split.SEARCH, 5), (Split.HOLDOUT, 3)):
        assert list(few.tasks(split)) == list(EVERY.tasks(split)[:count])
    other = BfclSuite(BfclOptions(category=CATEGORIES, classes=APIS, seed=1))
    assert list(other.tasks(Split.SEARCH)[:5]) != list(EVERY.tasks(Split.SEARCH)[:5])


def test_entries_that_begin_alike_are_one_cluster_in_one_split():
    cluster = {t.task_id: t.cluster for split in Split for t in EVERY.tasks(split)}
    assert cluster["multi_turn_base_63"] == cluster["multi_turn_long_context_83"]
    assert cluster["multi_turn_base_40"] == cluster["multi_turn_miss_param_43"]
    assert cluster["multi_turn_base_1"] == cluster["multi_turn_miss_func_1"]
    assert cluster["multi_turn_base_1"] != cluster["multi_turn_base_2"]
    search, holdout = ({t.cluster for t in EVERY.tasks(split)} for split in Split)
    assert not search & holdout


def test_entries_may_be_those_of_some_apis():
    suite = build_suite("bfcl", {"classes": ["TradingBot", "TicketAPI"]})
    families = {t.family for split in Split for t in suite.tasks(split)}
    assert families == {"base/TradingBot", "base/TicketAPI+TradingBot"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"category": "multi"}, "category"),
        ({"category": ["base", "x"]}, "category"),
        ({"classes": ["Trading"]}, "TradingBot"),
        ({"holdout": 1.0}, "holdout"),
        ({"search_tasks": 0}, "search_tasks"),
        ({"holdout_tasks": -1}, "holdout_tasks"),
        ({"tasks": 3}, "tasks"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(BadInputError, match=said) as caught:
        build_suite("bfcl", options)
    assert caught.value.where.startswith("suite.options")


def test_the_package_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "bfcl_eval", None)
    with pytest.raises(BadInputError, match="pip install --no-deps bfcl-eval"):
        build_suite("bfcl", {})


def test_what_one_of_its_apis_needs_may_be_missing(monkeypatch):
    api = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code.math_api"
    monkeypatch.delitem(sys.modules, api, raising=False)
    monkeypatch.setitem(sys.modules, "mpmath", None)
    with pytest.raises(BadInputError, match="mpmath"):
        build_suite("bfcl", {})
    assert build_suite("bfcl", {"classes": ["TradingBot"]}).tasks(Split.SEARCH)


def test_nothing_of_it_is_loaded_before_it_is_named():
    code = "import leanloop.suites.builtin, sys; print([m for m in sys.modules if 'bfcl' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_system_text_is_the_suites():
    task = EVERY.tasks(Split.SEARCH)[0]
    _, model = await play(EVERY, task, turns([[] for _ in RECORDS[task.task_id].turns]))
    assert model.requests[0].messages[0] == SystemMessage(EVERY.instructions)


def test_an_entry_whose_truth_calls_what_is_held_back_is_left_out():
    assert [len(read_category(c)) for c in CATEGORIES] == [200] * 4
    broken = [r.ident for c in CATEGORIES for r in read_category(c) if not r.can_be_solved]
    assert broken == ["multi_turn_miss_func_49"]
    assert not set(broken) & set(RECORDS)
