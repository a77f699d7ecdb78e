"""Every kind of suite with the real model: its example's first task, for a step or two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.run import Status
from leanloop.core.task import Split
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.embedded import EmbeddedModel, EmbeddedOptions
from leanloop.models.weights import obtain
from leanloop.search.spec import read_study
from leanloop.search.study import Study

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = {
    "questions": "jsonl",
    "own_cases": "python",
    "coding": "command",
    "library_desk": "tau",
    "bfcl": "bfcl",
    "textworld": "textworld",
    "inspect": "inspect",
}
NEEDS = {"bfcl": ("bfcl_eval", "mpmath"), "textworld": ("textworld",), "inspect": ("inspect_ai",)}
NAME = "qwen2.5-coder-0.5b"


@pytest.fixture(scope="module")
def model() -> Iterator[EmbeddedModel]:
    found = EmbeddedModel(NAME, obtain(NAME), EmbeddedOptions(8192))
    yield found
    found._server = None


@pytest.mark.parametrize(("example", "kind"), KINDS.items())
async def test_the_example_runs_with_the_embedded_model(
    model: EmbeddedModel, example: str, kind: str
) -> None:
    if not all(map(find_spec, NEEDS.get(kind, ()))):
        gone = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        gone(f"the suite {kind} needs {' and '.join(NEEDS[kind])}")
    spec = read_study(EXAMPLES / f"{example}.toml")
    assert (spec.suite.name, spec.models["small"].name) == (kind, NAME)
    study = Study(spec, models=dict.fromkeys(spec.models, model))
    task = study.suite.tasks(Split.SEARCH)[0]
    limits = Limits(max_steps=2, timeout_s=200, max_output_tokens=40)
    suite = study.suite
    agent = Agent(suite, {"small": model}, "small", all_levers(), limits)  # type: ignore[arg-type]
    run = await agent.run(Configuration(), task)
    assert run.status in (Status.FINISHED, Status.STOPPED), run.reason
    assert run.success is not None
    assert 1 <= len(run.steps) <= 2
    used = run.usage.tokens
    assert used.input_tokens is not None
    assert used.input_tokens > len(task.prompt) / 8
    assert used.output_tokens
