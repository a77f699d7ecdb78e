"""The example package, installed for real: leanloop lists, checks and searches its lever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import Example, Split, Task

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "own_lever"
NAME = "memory.squeeze_whitespace"
PAGE = "the   word  is\n\n\n   {word}" + "  \t \n" * 400
STUDY = f"""
name = "pages"
seed = 2

[suite]
name = "{__name__}:pages"

[models.scripted]
provider = "scripted"
name = "{__name__}:script"
price = {{ input = 1.0, output = 4.0 }}

[levers]
{NAME} = ["on"]

[objectives]
success = "max"
tokens = "min"

[plan]
block = 4
proposals = 2
finalists = 1
"""
CONFORMS = f"""
import pytest
from leanloop.levers.builtin import BUILT_IN, find_lever
from tests.levers.conformance import LeverConformance

class TestItConforms(LeverConformance):
    @pytest.fixture
    def lever(self):
        assert "{NAME}" not in BUILT_IN
        return find_lever("{NAME}", "test")
"""
OBSERVES = """
import json, sys
from leanloop.core.message import ToolCall, ToolMessage
from squeeze_whitespace import LEVER

stage = LEVER.stage("on", None)
shown = []
for text in json.load(sys.stdin):
    given = ToolMessage("c", "read", text, True)
    result = stage.on_tool_result(ToolCall("c", "read", {}), given)
    assert (result.call_id, result.name, result.is_error) == ("c", "read", True)
    shown.append([result.text, result is given])
json.dump(shown, sys.stdout)
"""


class Page:
    """One page of mostly nothing."""

    tools = (ToolSpec("read", "Read the page.", {"type": "object", "properties": {}}, True),)

    def __init__(self, word: str) -> None:
        self._word = word

    async def call(self, call: ToolCall) -> ToolMessage:
        return ToolMessage(call.call_id, call.name, PAGE.format(word=self._word))

    def verify(self, answer: str | None) -> float:
        return float(answer == self._word)

    def close(self) -> None:
        """Nothing is held."""


class Pages:
    """Eight pages a split."""

    name = "pages"
    instructions = "Read the page."
    examples: tuple[Example, ...] = ()

    def tasks(self, split: Split) -> Sequence[Task]:
        return [Task(f"{split}-{i}", f"Which word is on {split} {i}?", split) for i in range(8)]

    def open(self, task: Task) -> Page:
        return Page(task.task_id)


def pages() -> Pages:
    return Pages()


def script(request: Request) -> AssistantMessage:
    """Reads, then says the last word that it read."""
    last = request.messages[-1]
    if isinstance(last, ToolMessage):
        return AssistantMessage(last.text.split()[-1])
    return AssistantMessage(tool_calls=(ToolCall("c", "read", {}),))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example package in it and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, *offline, "--target", str(target), str(PACKAGE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def run(
    *command: str, path: Path | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """A Python of its own in the project's folder, with one more folder of packages or none."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def study(tmp_path: Path) -> str:
    (tmp_path / "study.toml").write_text(STUDY)
    return str(tmp_path / "study.toml")


def test_the_package_holds_one_module(installed):
    assert [p.name for p in installed.glob("*.py")] == ["squeeze_whitespace.py"]


def test_leanloop_lists_the_lever_last(installed):
    said = run("-m", "leanloop", "levers", "--json", path=installed)
    assert said.returncode == 0, said.stderr
    own = json.loads(said.stdout)[-1]
    assert (own["name"], own["search"], own["acts_on"]) == (NAME, ["on"], ["tool result"])
    without = run("-m", "leanloop", "levers", "--json")
    assert NAME not in without.stdout
    assert len(json.loads(without.stdout)) == len(json.loads(said.stdout)) - 1


def test_the_lever_conforms(installed, tmp_path):
    test = tmp_path / "test_conforms.py"
    test.write_text(CONFORMS)
    command = ["-m", "pytest", "-p", "no:cacheprovider", "-c", "pyproject.toml", "-rA", str(test)]
    said = run(*command, path=installed)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("PASSED") >= 8
    assert "test_off_never_reaches_the_stage" in said.stdout


def test_the_lever_collapses_whitespace_and_nothing_else(installed):
    cases = {
        "a  b": "a b",
        "a \n\n  b\t\tc": "a\nb c",
        "  ": " ",
        "a b\nc": "a b\nc",
        "": "",
        '{"a": "grö  ße"}': '{"a": "grö ße"}',
    }
    said = run("-c", OBSERVES, path=installed, given=json.dumps(list(cases)))
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == [[after, after == before] for before, after in cases.items()]


def test_a_study_searches_the_lever(installed, study, tmp_path):
    command = ["-m", "leanloop", "optimize", study, "--json"]
    said = run(*command, "--store", str(tmp_path / "store.sqlite"), path=installed)
    assert said.returncode == 0, said.stderr
    result = json.loads(said.stdout)
    best = next(found for found in result["frontier"] if found["settings"] == {NAME: "on"})
    assert result["baseline"]["settings"] == {}
    measured = [best["holdout"], result["baseline"]["holdout"]]
    assert [m["success"]["mean"] for m in measured] == [1, 1]
    squeezed, plain = (m["tokens"]["mean"] for m in measured)
    assert squeezed < plain / 5


def test_without_the_package_a_study_says_that_there_is_no_such_lever(study, tmp_path):
    command = ["-m", "leanloop", "optimize", study]
    said = run(*command, "--store", str(tmp_path / "store.sqlite"))
    assert said.returncode == 2
    assert f"levers.{NAME}" in said.stderr
    assert "no such lever" in said.stderr
