"""Tasks of the user's own: JSON lines, Python functions, folders with programs."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from leanloop import Case, FunctionTools
from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Contract, ToolCall
from leanloop.core.run import Run, Status
from leanloop.core.task import Split, Task
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.scripted import ScriptedModel
from leanloop.search.spec import read_study
from leanloop.search.streams import check_streams
from leanloop.search.study import Study
from leanloop.suites.builtin import build_suite
from leanloop.suites.protocol import Suite
from leanloop.suites.python_tasks import CaseSuite
from leanloop.suites.splitting import Draw
from tests.suites.conformance import SuiteConformance

EXAMPLES = Path(__file__).parents[2] / "examples"
MENDED = {"largest": "def largest(numbers):\n    return max(numbers)\n"}


def says(text: str) -> AssistantMessage:
    return AssistantMessage(text=text)


def asks(name: str, **arguments: object) -> AssistantMessage:
    return AssistantMessage(tool_calls=(ToolCall("c1", name, dict(arguments)),))


async def run(suite: Suite, task: Task, *script: AssistantMessage, **limits: float) -> Run:
    models = {"small": ScriptedModel(list(script), name="small")}
    agent = Agent(suite, models, "small", all_levers(), Limits(**limits))  # type: ignore[arg-type]
    return await agent.run(Configuration(), task)


def every(suite: Suite) -> dict[str, Task]:
    return {t.task_id: t for split in Split for t in suite.tasks(split)}


def lines(path: Path, *tasks: object) -> dict[str, str]:
    path.mkdir(exist_ok=True)
    text = "\n".join(t if isinstance(t, str) else json.dumps(t) for t in tasks)
    (path / "tasks.jsonl").write_text(text)
    return {"file": "tasks.jsonl"}


class TestJsonl(SuiteConformance):
    def make(self) -> Suite:
        options = {"file": "questions.jsonl", "tools": "shop_tools:TOOLS"}
        return build_suite("jsonl", options, EXAMPLES)

    def solution(self, task: Task) -> list[ToolCall]:
        return [ToolCall("c", "get_article", {"name": "kettle"})]

    async def test_a_run_with_a_tool(self) -> None:
        suite = self.make()
        task = every(suite)["two-1"]
        done = await run(suite, task, asks("add", first=24, second="31"), says("55 euros"))
        assert (done.status, done.success) == (Status.FINISHED, 1.0)
        assert done.steps[0].tool_uses[0].observation == "55.0"

    async def test_files_are_the_tasks_folder(self) -> None:
        suite = self.make()
        task = every(suite)["note"]
        script = asks("read_file", path="note.txt"), says("In August.")
        done = await run(suite, task, *script)
        assert done.success == 1.0
        assert "but for August" in done.steps[0].tool_uses[0].observation

    def test_tools_of_the_folder_are_only_where_there_are_files(self) -> None:
        suite = self.make()
        names = {}
        for id_ in ("note", "sum-1"):
            environment = suite.open(every(suite)[id_])
            names[id_] = [t.name for t in environment.tools]
            environment.close()
        assert names["note"] == ["list_files", "read_file", "get_article", "add"]
        assert names["sum-1"] == ["get_article", "add"]


def test_lines_and_cases_may_be_a_stream(tmp_path: Path) -> None:
    options = lines(tmp_path, *({"id": i, "prompt": f"p{i}", "expected": 1} for i in range(5)))
    apart = every(build_suite("jsonl", options, tmp_path)).values()
    assert {(t.stream, t.position) for t in apart} == {(None, None)}
    suite = build_suite("jsonl", {**options, "ordered": True}, tmp_path)
    places = {i: (t.stream, t.position) for i, t in every(suite).items()}
    assert places == {str(i): ("tasks", i) for i in range(5)}
    check_streams(["memory.facts"], list(every(suite).values()))
    cases = [Case(f"p{i}", expected=1, id=str(i), stream="ab"[i % 2]) for i in range(4)]
    cases.append(Case("last", expected=1, id="last", stream="a", position=9))
    found = every(CaseSuite("x", "", cases, Draw()))
    assert {i: (t.stream, t.position) for i, t in found.items()} == {
        "0": ("a", 0),
        "1": ("b", 0),
        "2": ("a", 1),
        "3": ("b", 1),
        "last": ("a", 9),
    }


def test_other_names_groups_splits_and_tags(tmp_path: Path) -> None:
    tasks = [
        {"question": f"q{i}", "answer": "x", "group": i % 3, "tags": ["odd"], "source": "s"}
        for i in range(9)
    ]
    tasks.append({"question": "held", "answer": 1, "split": "holdout"})
    options = {**lines(tmp_path, *tasks), "fields": {"prompt": "question", "expected": "answer"}}
    suite = build_suite("jsonl", options, tmp_path)
    found = every(suite)
    assert {t.family for t in found.values()} == {"odd", ""}
    by_prompt = {t.prompt: t for t in found.values()}
    assert by_prompt["held"].split is Split.HOLDOUT
    for i in range(3):
        assert len({by_prompt[f"q{j}"].split for j in range(i, 9, 3)}) == 1
        assert by_prompt[f"q{i}"].cluster == str(i)
    lines(tmp_path, *reversed(tasks))
    again = every(build_suite("jsonl", options, tmp_path))
    assert again == found, "ids and splits stay when lines are moved"


GOOD = {"prompt": "p", "expected": "x"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "tasks.jsonl:2: is not JSON"),
        ("[1]", "tasks.jsonl:2: a task is a JSON object"),
        ({"expected": "x"}, "tasks.jsonl:2: .*prompt"),
        ({"prompt": "p"}, "tasks.jsonl:2: a task takes expected or check"),
        ({**GOOD, "check": {"exact": "x"}}, "tasks.jsonl:2: a task takes expected or check"),
        ({"prompt": "p", "check": {"judge": "r"}}, "suite.options.judge"),
        ({"prompt": "p", "check": {"nothing": 1}}, "tasks.jsonl:2: a check takes one of"),
        ({**GOOD, "files": ["missing.txt"]}, "tasks.jsonl:2: files: .*missing.txt"),
        ({**GOOD, "files": {"../x": "y"}}, "outside"),
        ({**GOOD, "split": "train"}, "tasks.jsonl:2: task .*split takes search or holdout"),
        ({"prompt": "first", "expected": 1}, "tasks.jsonl:2: task .*comes twice"),
        ({**GOOD, "spilt": "holdout"}, "tasks.jsonl:2: unknown field 'spilt'; .*'split'"),
    ],
)
def test_a_bad_line_is_one_line_that_names_it(tmp_path: Path, line: object, said: str) -> None:
    options = lines(tmp_path, {"prompt": "first", "expected": 1}, line)
    with pytest.raises(BadInputError, match=said) as caught:
        build_suite("jsonl", options, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "file"),
        ({"file": "no.jsonl"}, r"suite\.options\.file: .*no\.jsonl: No such file"),
        ({"file": "tasks.jsonl", "seeds": 1}, "seeds"),
        ({"file": "tasks.jsonl", "holdout": 1.5}, "holdout"),
        ({"file": "tasks.jsonl", "fields": {"question": "x"}}, "no field 'question'"),
        ({"file": "tasks.jsonl", "tools": "math:pi"}, "no list of functions"),
        ({"file": "empty.jsonl"}, "holds no task"),
        ({"file": "one.jsonl"}, "two groups"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], said: str) -> None:
    lines(tmp_path, GOOD, {"prompt": "q", "expected": 2})
    (tmp_path / "empty.jsonl").write_text("\n\n")
    (tmp_path / "one.jsonl").write_text(json.dumps(GOOD))
    with pytest.raises(BadInputError, match=said):
        build_suite("jsonl", options, tmp_path)


class TestPython(SuiteConformance):
    def make(self) -> Suite:
        return build_suite("python", {"tasks": "own_cases:tasks"}, EXAMPLES)

    def solution(self, task: Task) -> list[ToolCall]:
        return [ToolCall("c", "add_to_counter", {"amount": 2})]

    async def test_the_end_state_decides(self) -> None:
        suite = self.make()
        task = next(t for t in every(suite).values() if t.prompt == "Set the counter to 8.")
        right = await run(
            suite,
            task,
            asks("add_to_counter", amount=3),
            asks("add_to_counter", amount=5),
            says(""),
        )
        wrong = await run(suite, task, asks("add_to_counter", amount="much"), says("8"))
        assert (right.success, wrong.success) == (1.0, 0.0)
        assert wrong.steps[0].tool_uses[0].is_error


def test_cases_that_cannot_be(tmp_path: Path) -> None:
    module = "from leanloop import Case\ndef none(): return []\ndef texts(): return ['a']\n"
    module += (
        "def two(): return [Case('p', expected=1, verify=bool)]\ndef no(): return [Case('p')]\n"
    )
    module += "def twice(): return [Case('p', expected=1), Case('p', expected=2)]\nitem = 3\n"
    (tmp_path / "cases_that_cannot_be.py").write_text(module)
    for name, said in {
        "texts": "leanloop.Case, not str",
        "two": "one of expected",
        "no": "one of expected",
        "twice": "comes twice",
        "item": "yields no tasks",
        "gone": "gone",
    }.items():
        with pytest.raises(BadInputError, match=said):
            build_suite("python", {"tasks": f"cases_that_cannot_be:{name}"}, tmp_path)
    with pytest.raises(BadInputError, match="no task in its search"):
        build_suite("python", {"tasks": "cases_that_cannot_be:none"}, tmp_path)


async def test_functions_as_tools() -> None:
    def look(name: str, deep: bool = False, sizes: list[int] | None = None) -> dict[str, object]:
        """Look at
        a thing.

        More that is not shown.

        Args:
            name: What it
                is called.
        """
        return {"name": name, "deep": deep, "sizes": sizes}

    async def fail() -> None:
        raise LookupError("nothing there")

    environment = FunctionTools([look, fail], lambda answer: answer == "x")
    shown = environment.tools[0]
    assert (shown.name, shown.description) == ("look", "Look at a thing.")
    assert shown.parameters["required"] == ["name"]
    assert shown.parameters["properties"]["name"]["description"] == "What it is called."
    assert shown.parameters["properties"]["deep"]["type"] == "boolean"
    said = await environment.call(ToolCall("c", "look", {"name": "a", "sizes": ["1", 2]}))
    assert json.loads(said.text) == {"name": "a", "deep": False, "sizes": [1, 2]}
    for arguments, wrong in (
        ({}, "needs the argument 'name'"),
        ({"name": "a", "x": 1}, "no argument 'x'"),
    ):
        said = await environment.call(ToolCall("c", "look", arguments))
        assert said.is_error
        assert wrong in said.text
    said = await environment.call(ToolCall("c", "look", {"name": "a", "sizes": "many"}))
    assert said.is_error
    assert said.text.startswith("sizes: ")
    said = await environment.call(ToolCall("c", "fail", {}))
    assert (said.is_error, said.text) == (True, "LookupError: nothing there")
    assert environment.verify("x") == 1.0


async def test_attributes_of_a_function_say_what_its_signature_cannot(tmp_path: Path) -> None:
    def book(name: str) -> str:
        return name

    def look(name: str) -> str:
        return name

    book.read_only = False  # type: ignore[attr-defined]
    book.result_fields = ["name"]  # type: ignore[attr-defined]
    book.contract = Contract(known=("name",))  # type: ignore[attr-defined]
    booked, looked = FunctionTools([book, look], lambda _: 0).tools
    assert (booked.read_only, booked.result_fields, booked.contract) == (
        False,
        ("name",),
        Contract(known=("name",)),
    )
    assert (looked.read_only, looked.result_fields, looked.contract) == (None, (), None)
    assert FunctionTools([look], lambda _: 0, read_only=True).tools[0].read_only
    look.read_only = "yes"  # type: ignore[attr-defined]
    with pytest.raises(BadInputError, match=r"tool look: Expected `bool \| null`.*read_only"):
        FunctionTools([look], lambda _: 0)
    options = lines(tmp_path, *({"id": i, "prompt": i, "expected": "x"} for i in "ab"))
    suite = build_suite("jsonl", {**options, "tools": "examples.shop_tools:get_article"}, tmp_path)
    assert all(t.read_only for task in every(suite).values() for t in suite.open(task).tools)


def test_functions_that_cannot_be_tools() -> None:
    def many(*names: str) -> None: ...
    def odd(thing: complex) -> None: ...

    for function in (many, odd):
        with pytest.raises(BadInputError, match=f"tool {function.__name__}"):
            FunctionTools([function], lambda _: 0)
    with pytest.raises(BadInputError, match="two of that name"):
        FunctionTools([says, says], lambda _: 0)


class TestCommand(SuiteConformance):
    def make(self) -> Suite:
        spec = read_study(EXAMPLES / "coding.toml")
        suite = Study(spec).suite
        assert isinstance(suite, object)
        return suite  # type: ignore[return-value]

    def solution(self, task: Task) -> list[ToolCall]:
        return [ToolCall("c", "write_file", {"path": "task.py", "text": "x = 1\n"})]

    async def test_a_mended_function_passes_and_a_changed_test_does_not(self) -> None:
        suite = self.make()
        task = every(suite)["largest"]
        mend = asks("write_file", path="task.py", text=MENDED["largest"])
        cheat = asks("write_file", path="test_task.py", text="")
        assert (await run(suite, task, asks("list_files"), mend, says("done"))).success == 1.0
        assert (await run(suite, task, cheat, says("done"))).success == 0.0
        assert (await run(suite, task, says("done"))).success == 0.0

    async def test_a_failed_edit_is_an_observation(self) -> None:
        suite = self.make()
        edit = asks("replace_in_file", path="task.py", old="no such text", new="")
        done = await run(suite, every(suite)["largest"], edit, says(""))
        use = done.steps[0].tool_uses[0]
        assert use.is_error
        assert "0 times, not once" in use.observation
        gone = asks("read_file", path="gone.py")
        done = await run(suite, every(suite)["largest"], gone, says(""))
        said = "ValueError: no file 'gone.py'; list_files says which there are"
        assert done.steps[0].tool_uses[0].observation == said
        out = asks("read_file", path="../../etc/passwd")
        done = await run(suite, every(suite)["largest"], out, says(""))
        assert "outside of the folder" in done.steps[0].tool_uses[0].observation


async def command_task(tmp_path: Path, options: dict[str, object]) -> tuple[Suite, Task]:
    file = lines(tmp_path, {"prompt": "a", "id": "a"}, {"prompt": "b", "id": "b"})
    suite = build_suite("command", {**file, **options}, tmp_path)
    return suite, every(suite)["a"]


async def test_programs_are_ended_in_time_with_what_they_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    check = f"sleep 60 & echo $! > {mark}; sleep 60"
    suite, task = await command_task(tmp_path, {"check": check, "timeout_s": 0.5})
    start = time.monotonic()
    done = await run(suite, task, says(""))
    assert time.monotonic() - start < 10
    assert done.success == 0.0
    pid = int(mark.read_text())
    for _ in range(50):
        if not is_running(pid):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the child goes on")


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_memory_is_bounded(tmp_path: Path) -> None:
    check = "python -c 'x = bytearray(900_000_000)'"
    small, task = await command_task(tmp_path, {"check": check, "memory_mb": 300})
    assert (await run(small, task, says(""))).success == 0.0
    large, task = await command_task(tmp_path, {"check": check, "memory_mb": 4000})
    assert (await run(large, task, says(""))).success == 1.0


async def test_a_set_up_that_fails_is_bad_input_and_no_failure_of_the_agent(tmp_path: Path) -> None:
    suite, task = await command_task(tmp_path, {"check": "true", "setup": "echo broken; exit 3"})
    with pytest.raises(BadInputError, match=r"tasks.jsonl:1: setup ended with 3: broken"):
        await run(suite, task, says(""))


async def test_programs_do_not_see_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HARMLESS", "yes")
    options = {"check": 'test -z "$OPENAI_API_KEY" && test "$HARMLESS" = yes', "env": ["HARMLESS"]}
    suite, task = await command_task(tmp_path, {**options, "shell": True})
    done = await run(suite, task, asks("run", command="echo [$OPENAI_API_KEY]; pwd"), says(""))
    assert done.success == 1.0
    said = done.steps[0].tool_uses[0].observation
    assert said.startswith("exit code 0\n[]\n")
    assert "leanloop-task-" in said
    assert not exists(said.splitlines()[2]), "the folder is removed"


def exists(name: str) -> bool:
    return Path(name).exists()


async def test_the_shell_is_there_only_where_it_is_asked_for(tmp_path: Path) -> None:
    suite, task = await command_task(tmp_path, {"check": "true"})
    done = await run(suite, task, asks("run", command="true"), says(""))
    assert done.steps[0].tool_uses[0].is_error


async def test_long_output_is_shortened_in_the_middle(tmp_path: Path) -> None:
    suite, task = await command_task(tmp_path, {"check": "true", "shell": True})
    command = "python -c \"print('a' * 50000, 'the end')\""
    done = await run(suite, task, asks("run", command=command), says(""))
    said = done.steps[0].tool_uses[0].observation
    assert len(said) < 21_000
    assert "bytes left out" in said
    assert said.rstrip().endswith("the end")


def test_examples_are_studies() -> None:
    for name in ("questions", "own_cases", "coding"):
        study = Study(read_study(EXAMPLES / f"{name}.toml"))
        assert study.space()
    assert "OPENAI" not in os.environ.get("LEANLOOP_TASK", "")


def test_worked_examples_are_read_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    lines(tmp_path, GOOD, {"prompt": "q", "expected": 2})
    step = {"tool": "add", "arguments": {"first": 1}, "result": 3}
    worked = {"prompt": "p", "steps": [step], "answer": "3"}
    (tmp_path / "worked.jsonl").write_text(json.dumps(worked))
    options = {"file": "tasks.jsonl", "examples": "worked.jsonl"}
    (example,) = build_suite("jsonl", options, tmp_path).examples
    assert (example.steps[0].tool, example.steps[0].result, example.answer) == ("add", 3, "3")
    (tmp_path / "worked.jsonl").write_text(json.dumps(worked) + '\n{"prompt": "p"}')
    with pytest.raises(BadInputError, match=r"worked.jsonl:2: .*steps"):
        build_suite("jsonl", options, tmp_path)


def test_a_case_says_how_it_is_scored() -> None:
    assert Case("p", expected=None).open().verify("null") == 1.0
    assert Case("p", check={"number": 2}).open().verify("2") == 1.0
    assert Case("p", verify=lambda a: a == "x").open().verify(None) == 0.0
