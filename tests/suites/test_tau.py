from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Request, SystemMessage, ToolCall, UserMessage
from leanloop.core.run import Status
from leanloop.core.task import Split, Task
from leanloop.search.spec import StudySpec
from leanloop.search.study import Study
from leanloop.suites.builtin import build_suite
from leanloop.suites.protocol import Conversing
from leanloop.suites.tau.environment import all_said
from leanloop.suites.tau.functions import read_tools
from leanloop.suites.tau.suite import TauSuite
from leanloop.suites.tau.users import GREETING, STOP
from tests.suites.conformance import SuiteConformance
from tests.suites.playing import Made, calls, play, says

DESK = "examples/library_desk"
LINES = {
    line["id"]: line for line in map(json.loads, Path(DESK, "tasks.jsonl").read_text().splitlines())
}


def desk(**options: Any) -> TauSuite:
    suite = build_suite("tau", {"folder": DESK, **options})
    assert isinstance(suite, TauSuite)
    return suite


def task_of(suite: TauSuite, ident: str) -> Task:
    return next(t for split in Split for t in suite.tasks(split) if t.task_id == ident)


def actions(ident: str) -> list[Made]:
    return [(a["name"], a["arguments"]) for a in LINES[ident].get("actions", [])]


def solved(ident: str) -> list[AssistantMessage]:
    """All actions, then an answer with every output; more words for whoever goes on talking."""
    made = actions(ident)
    script = [calls(made)] if made else []
    said = " ".join(["Your member number?", *LINES[ident].get("outputs", [])])
    return [*script, *(says(said) for _ in range(len(LINES[ident].get("user", [])) + 1))]


class TestTau(SuiteConformance):
    def make(self) -> TauSuite:
        return desk(seed=1)

    def solution(self, task: Task) -> list[ToolCall]:
        return [ToolCall(f"c{i}", n, a) for i, (n, a) in enumerate(actions(task.task_id))]


@pytest.mark.parametrize("ident", LINES)
async def test_the_expected_actions_and_outputs_are_success(ident):
    suite = desk()
    run, _ = await play(suite, task_of(suite, ident), solved(ident))
    assert (run.success, run.status) == (1, Status.FINISHED), run.reason


@pytest.mark.parametrize("ident", [i for i in LINES if actions(i)])
async def test_an_action_left_out_or_otherwise_is_none(ident):
    suite = desk()
    task, made = task_of(suite, ident), actions(ident)
    answers = [m for m in solved(ident) if not m.tool_calls]
    short = [calls(made[:-1])] if made[:-1] else []
    other = [calls([*made, ("return_book", {"book_id": "B-16"})])]
    for script in ([*short, *answers], [*other, *answers]):
        run, _ = await play(suite, task, script)
        assert (run.success, run.status) == (0, Status.FINISHED)


@pytest.mark.parametrize("ident", [i for i in LINES if LINES[i].get("outputs")])
async def test_an_output_that_was_not_said_is_none(ident):
    suite = desk()
    script = [m if m.tool_calls else says("Done.") for m in solved(ident)]
    run, _ = await play(suite, task_of(suite, ident), script)
    assert (run.success, run.status) == (0, Status.FINISHED)


async def test_a_user_by_script_says_what_fits_and_then_the_rest():
    suite = desk()
    task = task_of(suite, "renew-asks-number")
    renewed = calls(actions("renew-asks-number"))
    script = [says("Who are you?"), renewed, says("Until 2031-05-29."), says("Goodbye.")]
    run, model = await play(suite, task, script)
    said = [m.text for m in model.requests[-1].messages if isinstance(m, UserMessage)]
    assert said == [task.prompt, "My number is M-103.", "That is all, thank you."]
    assert (run.success, run.answer) == (1, "Goodbye.")
    run, model = await play(suite, task, [says("Which book?"), says("Who?"), says("x")])
    said = [m.text for m in model.requests[-1].messages if isinstance(m, UserMessage)]
    assert said[1:] == ["That is all, thank you.", "My number is M-103."]


async def test_an_output_may_be_said_in_an_earlier_turn():
    suite = desk()
    run, _ = await play(suite, task_of(suite, "lend-fees"), [says("You owe 7.50."), says("Bye.")])
    assert run.success == 1


async def test_a_model_of_the_study_plays_the_user():
    suite = desk(user_model="large", user_turns=5)
    assert suite.models == ("large",)
    task = task_of(suite, "pay-then-lend")
    heard: list[Request] = []

    def user(request: Request) -> AssistantMessage:
        heard.append(request)
        return says("Take the 6.00, please." if len(heard) == 1 else STOP)

    script = [says("You owe 6.00."), calls(actions("pay-then-lend")), says("Done.")]
    run, model = await play(suite, task, script, large=user)
    assert run.success == 1
    assert [c.purpose for c in run.test_calls] == ["user", "user"]
    said = [m.text for m in model.requests[-1].messages if isinstance(m, UserMessage)]
    assert said == [task.prompt, "Take the 6.00, please."]
    told, opening, first, answer = heard[0].messages
    assert isinstance(told, SystemMessage)
    assert LINES["pay-then-lend"]["instruction"] in told.text
    assert isinstance(opening, UserMessage)
    assert first == AssistantMessage(task.prompt)
    assert answer == UserMessage("You owe 6.00.")
    assert len(heard[1].messages) == 6


async def test_a_model_has_so_many_turns():
    suite = desk(user_model="large", user_turns=2)
    script = [says("And?")] * 9
    run, model = await play(suite, task_of(suite, "waive"), script, large=lambda _: says("Please!"))
    assert len(model.requests) == 3
    assert run.status is Status.FINISHED


def test_the_users_model_is_one_of_the_study():
    models = {"small": {"provider": "embedded", "name": "qwen2.5-coder-0.5b"}}
    options = {"folder": DESK, "user_model": "huge"}
    spec = {"name": "x", "models": models, "suite": {"name": "tau", "options": options}}
    with pytest.raises(BadInputError, match="no such model 'huge'"):
        Study(msgspec.convert(spec, StudySpec))


async def test_two_runs_of_a_task_at_once_do_not_meet():
    suite = desk()
    task = task_of(suite, "swap-authors")
    scripts = [solved("swap-authors"), solved("swap-authors"), [says("Tides of Glass")]]
    runs = await asyncio.gather(*(play(suite, task, s) for s in scripts))
    assert [run.success for run, _ in runs] == [1, 1, 0]


def test_only_who_goes_on_talking_converses():
    suite = desk()
    talking = {i: isinstance(suite.open(task_of(suite, i)), Conversing) for i in LINES}
    assert talking == {i: bool(line.get("user")) for i, line in LINES.items()}


@pytest.mark.parametrize(
    ("outputs", "answers", "said"),
    [
        (["1200"], ["It is 1,200."], True),
        (["1200"], ["It is 12,000."], False),
        (["7.50"], ["You owe 17.50"], False),
        (["5"], ["7.5 or 5.2 or 15"], False),
        (["5"], ["It is 5."], True),
        (["Tides of Glass", "B-12"], ["tides of glass", "b-12!"], True),
        (["Tides of Glass", "B-12"], ["tides of glass B-123"], False),
        ([], [""], True),
    ],
)
def test_outputs_are_whole_words(outputs, answers, said):
    assert all_said(outputs, answers) is said


async def test_what_a_tool_refuses_is_an_error_result_and_changes_nothing():
    suite = desk()
    environment = suite.open(task_of(suite, "waive"))
    wrong: list[Made] = [
        ("lend_book", {"member_id": "M-101"}),
        ("lend_book", {"member_id": 101, "book_id": "B-12"}),
        ("lend_book", {"member_id": "M-101", "book_id": "B-12", "days": 3}),
        ("lend_book", {"member_id": "M-999", "book_id": "B-12"}),
        ("take_payment", {"member_id": "M-102", "amount": "all"}),
        ("_member", {"member_id": "M-101"}),
        ("timedelta", {}),
    ]
    for name, arguments in wrong:
        result = await environment.call(ToolCall("c", name, arguments))
        assert (result.is_error, result.text[:6]) == (True, "Error:"), name
    assert environment.verify("No.") == 1


def test_splits_stay_and_clusters_are_not_parted(tmp_path):
    few, every = desk(search_tasks=3), desk()
    assert list(few.tasks(Split.SEARCH)) == list(every.tasks(Split.SEARCH)[:3])
    folder = copied(tmp_path)
    lines = [line | {"cluster": line["family"]} for line in LINES.values()]
    write_lines(folder, lines)
    suite = build_suite("tau", {"folder": str(folder), "seed": 3})
    search, holdout = ({t.cluster for t in suite.tasks(split)} for split in Split)
    assert search
    assert holdout
    assert not search & holdout


def test_tasks_may_say_their_split(tmp_path):
    folder = copied(tmp_path)
    lines = [
        line | {"split": "holdout" if i % 3 == 0 else "search"}
        for i, line in enumerate(LINES.values())
    ]
    write_lines(folder, lines)
    suite = build_suite("tau", {"folder": str(folder)})
    assert [t.task_id for t in suite.tasks(Split.HOLDOUT)] == list(LINES)[::3]


def test_an_instruction_alone_takes_a_model(tmp_path):
    folder = copied(tmp_path)
    lines = [{"id": str(n), "instruction": f"Want book {n}."} for n in range(6)]
    write_lines(folder, lines)
    with pytest.raises(BadInputError, match=r"tasks\.jsonl:1: prompt: .*user_model"):
        build_suite("tau", {"folder": str(folder)})
    suite = build_suite("tau", {"folder": str(folder), "user_model": "large"})
    assert {t.prompt for t in suite.tasks(Split.SEARCH)} == {GREETING}


def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "desk"
    folder.mkdir()
    for file in Path(DESK).iterdir():
        if file.is_file():
            (folder / file.name).write_text(file.read_text())
    return folder


def write_lines(folder: Path, lines: list[dict[str, Any]]) -> None:
    (folder / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "truncated"),
        ('{"prompt": "x"}', "id"),
        ('{"id": 3, "prompt": "x"}', "id"),
        ('{"id": "a", "promt": "x"}', "promt"),
        ('{"id": "a"}', "prompt"),
        ('{"id": "waive", "prompt": "x"}', "waive"),
        ('{"id": "a", "prompt": "x", "split": "test"}', "split"),
        ('{"id": "a", "prompt": "x", "split": "search"}', "split"),
        ('{"id": "a", "prompt": "x", "actions": [{"name": "fly"}]}', r"actions\[0\]: no tool"),
        ('{"id": "a", "prompt": "x", "actions": [{"name": "get_book"}]}', "book_id"),
        (
            '{"id": "a", "prompt": "x", "actions": '
            '[{"name": "get_book", "arguments": {"book_id": "B-1"}}]}',
            "no book B-1",
        ),
        ('{"id": "a", "prompt": "x", "user": [{"when": "(", "say": "y"}]}', r"user\[0\].when"),
        ('{"id": "a", "prompt": "x", "user": [{"when": "y"}]}', "say"),
    ],
)
def test_a_mistake_in_a_task_names_its_line(tmp_path, line, said):
    folder = copied(tmp_path)
    with (folder / "tasks.jsonl").open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(BadInputError, match=said) as caught:
        build_suite("tau", {"folder": str(folder)})
    number = len(LINES) + 2
    where = caught.value.where
    assert where == f"{folder}/tasks.jsonl:{1 if 'split' in line and 'search' in line else number}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "where", "said"),
    [
        ("policy.md", " \n", "policy.md", "empty"),
        ("policy.md", None, "policy.md", "cannot be read"),
        ("db.json", "{'a': 1}", "db.json", "malformed"),
        ("db.json", None, "db.json", "cannot be read"),
        ("tasks.jsonl", "\n", "tasks.jsonl", "no task"),
        ("tasks.jsonl", None, "tasks.jsonl", "cannot be read"),
        ("tools.py", None, "tools.py", "no such file"),
        ("tools.py", "x = 1\n", "tools.py", "no function"),
        ("tools.py", "x = 1\nx = 1 +\n", "tools.py:2", "SyntaxError"),
        ("tools.py", "x = 1\nraise ValueError('so')\n", "tools.py:2", "so"),
        ("tools.py", "def f(db):\n    'x'\n", "tools.py:1", "must be data"),
        ("tools.py", "def f():\n    'x'\n", "tools.py:1", "must be data"),
        ("tools.py", "\ndef f(data):\n    pass\n", "tools.py:2", "docstring"),
        ("tools.py", "def f(data, a):\n    'x'\n", "tools.py:1", "a has no type"),
        (
            "tools.py",
            "def f(data, a: Nope):\n    'x'\n",
            "tools.py:1",
            "Nope",
        ),
        ("tools.py", "def f(data, a: 'Nope'):\n    'x'\n", "tools.py:1", "Nope"),
        ("tools.py", "def f(data, a: complex):\n    'x'\n", "tools.py:1", "type of a"),
        ("tools.py", "def f(data, **a: int):\n    'x'\n", "tools.py:1", "name every argument"),
        ("tools.py", "READ_ONLY = ['g']\ndef f(data):\n    'x'\n", "tools.py", "'g'"),
    ],
)
def test_a_mistake_in_another_file_names_it(tmp_path, file, text, where, said):
    folder = copied(tmp_path)
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text)
    with pytest.raises(BadInputError, match=said) as caught:
        build_suite("tau", {"folder": str(folder)})
    assert caught.value.where == f"{folder}/{where}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "folder"),
        ({"folder": "nowhere"}, "no folder"),
        ({"folder": DESK, "user_turns": 0}, "user_turns"),
        ({"folder": DESK, "user_tokens": 0}, "user_tokens"),
        ({"folder": DESK, "holdout": 0}, "holdout"),
        ({"folder": DESK, "users": 1}, "users"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(BadInputError, match=said):
        build_suite("tau", options)


def test_types_and_docstrings_become_a_schema(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text(
        "from typing import Literal\n"
        "def sell(data, what: str, how: Literal['cash', 'card'] = 'cash',\n"
        "         times: list[int] | None = None) -> str:\n"
        "    '''Sell something,\n"
        "    for money.\n\n"
        "    Args:\n"
        "        what: The thing,\n"
        "            by name.\n"
        "        times (list): When.\n\n"
        "    Returns:\n"
        "        A receipt.\n"
        "    '''\n"
        "    return 'Error: sold out' if what == 'x' else f'{what} {how} {times}'\n"
    )
    (tool,) = read_tools(path).values()
    assert tool.spec.description == "Sell something, for money."
    assert tool.spec.read_only is None
    assert tool.spec.parameters == {
        "type": "object",
        "properties": {
            "what": {"type": "string", "description": "The thing, by name."},
            "how": {"enum": ["card", "cash"]},
            "times": {"type": "array", "items": {"type": "integer"}, "description": "When."},
        },
        "required": ["what"],
    }
    assert tool.carry_out({}, {"what": "y", "times": [1]}) == ("y cash [1]", False)
    assert tool.carry_out({}, {"what": "x"}) == ("Error: sold out", True)
    assert tool.carry_out({}, {"what": "y", "how": "gold"})[1]
