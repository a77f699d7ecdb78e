"""The tool that fights quadratic cost is linear itself."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.message import Request, Response
from leanloop.core.run import Run, Status
from leanloop.core.tokens import Tokens
from leanloop.levers.builtin import BUILT_IN
from leanloop.loop.agent import Agent, Limits
from tests.loop.toy import TASK, Shelves, opens, says

WITHOUT_SUMMARY: dict[str, Setting] = {
    "memory.keep_observations": 2,
    "model.choice": "only",
    "model.escalate": "other",
    "planning.examples": 2,
    "planning.plan_first": "on",
    "stopping.max_steps": 10_000,
    "stopping.repeat_guard": 2,
    "stopping.token_budget": 1_000_000_000,
    "tools.projection": "on",
    "tools.result_cache": "on",
    "tools.shortlist": 2,
}
WITH_SUMMARY = {**WITHOUT_SUMMARY, "memory.summarise": "5:2"}
OTHERS: dict[str, Setting] = {
    "memory.keep_turns": 20,
    "memory.dedupe": "on",
    "memory.fold": 600,
    "memory.truncate_observation": 900,
    "memory.notes": "on",
    "model.effort": "low",
    "model.max_output": 50,
    "planning.delegate": "on",
    "stopping.time_budget": 1e9,
    "stopping.usd_budget": 1e9,
    "tools.budget_aware": "on",
    "tools.parallel": 4,
    "tools.program": "on",
    "tools.schema_trim": "on",
}
STABLE: dict[str, Setting] = {"memory.keep_turns": 20, "memory.stable_prefix": "on"}
EVERY = pytest.mark.parametrize(
    "settings",
    [{}, WITHOUT_SUMMARY, WITH_SUMMARY, OTHERS, STABLE],
    ids=["off", "on", "with summaries", "others", "stable prefix"],
)


class Silent:
    """Never stops calling, and costs nothing itself, so that only the loop's work is seen."""

    ref = "test:silent"
    concurrency = 1

    def __init__(self) -> None:
        self.steps = 0
        self.asked: list[int] = []
        """Characters of the requests that summarise."""

    async def complete(self, request: Request) -> Response:
        said = says("so far so good")
        if not request.tools:
            self.asked.append(sum(len(m.text) for m in request.messages))
        if request.tools and request.tools_allowed:
            self.steps += 1
            said = opens(3, n=self.steps, fields=["colour", "note"])
        return Response(said, Tokens(10, 0, 0, 0, 5, 0), 0.0)

    async def close(self) -> None: ...


async def take(steps: int, settings: Mapping[str, Setting], model: Silent | None = None) -> Run:
    suite = Shelves(note="n" * 2000)
    agent = Agent(suite, {"only": model or Silent()}, "only", BUILT_IN, Limits(max_steps=steps))
    run = await agent.run(Configuration(settings), TASK)
    assert (run.status, run.reason) == (Status.STOPPED, f"step limit of {steps}")
    assert run.usage.tool_calls == steps
    return run


class Counter:
    """Characters that are written or read as JSON, by anybody."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.characters = 0
        dumps, loads = json.dumps, json.loads

        def counting_dumps(value: Any, **options: Any) -> str:
            text = dumps(value, **options)
            self.characters += len(text)
            return text

        def counting_loads(text: str, **options: Any) -> Any:
            self.characters += len(text)
            return loads(text, **options)

        monkeypatch.setattr(json, "dumps", counting_dumps)
        monkeypatch.setattr(json, "loads", counting_loads)


@EVERY
async def test_json_work_grows_with_the_steps_alone(
    settings: dict[str, Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(monkeypatch)
    work = []
    for steps in (200, 400):
        counter.characters = 0
        await take(steps, settings)
        work.append(counter.characters)
    assert work[0] >= 200 * 2000, "the tool itself writes that much"
    assert work[1] / work[0] == pytest.approx(2, rel=0.05)


@EVERY
async def test_time_does_not_explode(settings: dict[str, Setting]) -> None:
    """Linear is 2 and quadratic is 4; the bound in between leaves room for a busy machine."""
    times = {}
    for steps in (200, 400):
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            await take(steps, settings)
            best = min(best, time.process_time() - start)
        times[steps] = best
    assert times[400] < 3.2 * times[200] + 0.05


async def test_a_summary_is_made_of_what_is_new() -> None:
    """The summarising request is as short at the end as it was at the start."""
    model = Silent()
    run = await take(200, WITH_SUMMARY, model)
    summaries = [c for c in run.model_calls if c.purpose == "memory.summarise"]
    assert len(summaries) == len(model.asked) > 190
    early, late = model.asked[10], model.asked[-1]
    assert late == pytest.approx(early, rel=0.02)
    assert early > 2000, "it holds an observation"
