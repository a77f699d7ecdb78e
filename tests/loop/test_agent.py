"""The agent loop, with a scripted model on the toy suite."""

from __future__ import annotations

import asyncio
import json
import math

import msgspec
import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.errors import ModelError, OutageError
from leanloop.core.memory import Entry, Forget, Kind, Origin, Used
from leanloop.core.message import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from leanloop.core.run import Run, Status
from leanloop.core.task import Split, Task
from leanloop.loop.agent import LAST_STEP, Limits
from leanloop.loop.run_memory import RunMemory
from leanloop.loop.working_memory import WorkingMemory
from leanloop.models.scripted import ScriptedModel
from tests.loop.toy import TASK, Shelf, Shelves, bench, calls, opens, paints, says


async def test_finished_run_says_what_it_did() -> None:
    b = bench([opens(3, 4), paints(4, "red"), says("red")])
    run = await b.run(seed=7)
    assert (run.status, run.success, run.answer, run.reason) == (Status.FINISHED, 1.0, "red", "")
    assert (run.key.task_id, run.key.seed) == ("box-3", 7)
    assert (run.split, run.family, run.cluster) == (Split.SEARCH, "lookup", "boxes")
    assert [len(s.model_calls) for s in run.steps] == [1, 1, 1]
    assert [[u.name for u in s.tool_uses] for s in run.steps] == [
        ["open_box", "open_box"],
        ["paint_box"],
        [],
    ]
    usage = run.usage
    assert (usage.model_calls, usage.tool_calls, usage.steps) == (3, 3, 3)
    assert {c.purpose for c in run.model_calls} == {"act"}
    assert {c.model_ref for c in run.model_calls} == {"scripted:small"}
    assert b.shelf.closed == 1
    assert run.steps[0].tool_uses[0].arguments_json == '{"box": 3}'
    assert run.steps[-1].text == "red"


async def test_usage_is_the_sum_of_what_the_model_reported() -> None:
    b = bench([opens(3), says("red")])
    run = await b.run()
    model = ScriptedModel([opens(3), says("red")])
    tokens = [(await model.complete(r)).tokens for r in b.sent]
    assert run.usage.tokens == tokens[0] + tokens[1]
    assert tokens[0].cache_read_tokens == 0
    first_input = tokens[0].input_tokens
    assert first_input is not None
    assert tokens[1].cache_read_tokens == first_input, "the second request starts as the first"


async def test_critical_path_is_the_chain_of_calls() -> None:
    run = await bench([opens(3), opens(4), says("red")]).run()
    tools_s = math.fsum(u.latency_s for s in run.steps for u in s.tool_uses)
    assert run.critical_path_s == pytest.approx(3 * 0.5 + tools_s, abs=0.05)
    assert run.critical_path_s >= 3 * 0.5 + tools_s
    assert 0 < run.wall_s < 1.5, "the reported latency is not slept"


async def test_conversation_that_the_model_sees() -> None:
    asked = opens(3)
    b = bench([asked, says("red")])
    await b.run(seed=5)
    first, second = b.sent
    assert first.messages == (SystemMessage(b.suite.instructions), UserMessage(TASK.prompt))
    assert first.tools == b.shelf.tools
    assert first.seed == 5
    assert second.messages[:3] == (*first.messages, asked)
    result = second.messages[3]
    assert isinstance(result, ToolMessage)
    assert json.loads(result.text)["colour"] == "red"
    assert len(second.messages) == 4


async def test_tool_that_raises_is_an_observation() -> None:
    b = bench([calls(("break_shelf", {})), says("red")])
    run = await b.run()
    use = run.steps[0].tool_uses[0]
    assert (run.status, run.success) == (Status.FINISHED, 1.0)
    assert use.is_error
    assert use.observation == "RuntimeError: the shelf fell"
    shown = b.sent[1].messages[-1]
    assert isinstance(shown, ToolMessage)
    assert (shown.is_error, shown.text) == (True, use.observation)
    assert run.usage.tool_calls == 1


async def test_verifier_that_raises_is_an_error_with_its_cost() -> None:
    def check(answer: str | None) -> float:
        raise ValueError(f"cannot read {answer}")

    b = bench([opens(3), says("red")], suite=Shelves(check))
    run = await b.run()
    assert (run.status, run.success) == (Status.ERROR, 0.0)
    assert run.reason == "ValueError: cannot read red"
    assert (run.usage.model_calls, run.usage.steps, run.answer) == (2, 2, "red")
    assert b.shelf.closed == 1


async def test_verifier_that_raises_timeout_error_did_not_run_out_of_time() -> None:
    def check(answer: str | None) -> float:
        raise TimeoutError("database")

    run = await bench([says("red")], suite=Shelves(check)).run()
    assert (run.status, run.reason) == (Status.ERROR, "TimeoutError: database")


async def test_partial_success_is_kept() -> None:
    run = await bench([says("reddish")], suite=Shelves(lambda _: 0.25)).run()
    assert (run.status, run.success) == (Status.FINISHED, 0.25)


async def test_outage_is_missing_data() -> None:
    def script(request: Request) -> AssistantMessage:
        if len(request.messages) > 2:
            raise OutageError("503 after 5 tries")
        return opens(3)

    b = bench(script)
    run = await b.run()
    assert (run.status, run.success) == (Status.OUTAGE, None)
    assert run.reason == "503 after 5 tries"
    assert (run.usage.model_calls, run.usage.tool_calls) == (1, 1), "what was spent is still told"
    assert b.shelf.closed == 1


async def test_model_error_is_a_failure_with_its_cost() -> None:
    def script(request: Request) -> AssistantMessage:
        if len(request.messages) > 2:
            raise ModelError("context too long")
        return opens(3)

    run = await bench(script).run()
    assert (run.status, run.success) == (Status.ERROR, 0.0)
    assert run.reason == "ModelError: context too long"
    assert run.usage.model_calls == 1


async def test_timeout_is_a_failure_with_its_cost() -> None:
    b = bench(lambda _: opens(3), limits=Limits(max_steps=1000, timeout_s=0.12), delay_s=0.05)
    run = await b.run()
    assert (run.status, run.success) == (Status.TIMEOUT, 0.0)
    assert run.reason == "over 0.12 s"
    assert run.usage.model_calls >= 1
    assert b.shelf.closed == 1
    assert run.wall_s < 2


@pytest.mark.parametrize("broken", [False, True], ids=["out of time", "an error"])
async def test_levers_are_told_of_a_run_that_broke_off(broken: bool) -> None:
    def script(request: Request) -> AssistantMessage:
        painted = any(isinstance(m, ToolMessage) for m in request.messages)
        if painted and broken:
            raise ModelError("context too long")
        return opens(4) if painted else paints(3, "green")

    limits = Limits(max_steps=1000, timeout_s=0.3)
    b = bench(script, limits=limits, delay_s=0.01)
    body = {"tool": "open_box", "arguments": {"box": 3}, "fields": {"colour": "red"}}
    known = Entry(Kind.FACT, "box 3", "box 3", "colour of box 3", body)
    memory = RunMemory(WorkingMemory([known]), TASK, Origin())
    run = await b.agent.run(Configuration({"memory.facts": 1}), TASK, 0, memory)
    assert run.status is (Status.ERROR if broken else Status.TIMEOUT)
    assert [type(c) for c in run.memory] == [Used, Forget], "box 3 is not red any more"


async def test_cancelling_is_not_swallowed() -> None:
    b = bench(lambda _: opens(3), limits=Limits(max_steps=1000), delay_s=0.05)
    task = asyncio.create_task(b.run())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b.shelf.closed == 1


async def test_step_limit() -> None:
    b = bench(lambda _: opens(3), limits=Limits(max_steps=3))
    run = await b.run()
    assert (run.status, run.success, run.answer) == (Status.STOPPED, 0.0, None)
    assert run.reason == "step limit of 3"
    assert (run.usage.steps, run.usage.tool_calls) == (3, 3)


async def test_end_state_counts_even_without_an_answer() -> None:
    seen: list[str | None] = []

    def check(answer: str | None) -> float:
        seen.append(answer)
        return 1.0

    b = bench([paints(3, "red")], limits=Limits(max_steps=1), suite=Shelves(check))
    run = await b.run()
    assert (run.status, run.success) == (Status.STOPPED, 1.0)
    assert seen == [None]


async def test_unknown_model_is_an_error_that_names_it() -> None:
    run = await bench([says("red")]).run({"model.choice": "huge"})
    assert (run.status, run.success) == (Status.ERROR, 0.0)
    assert "'huge'" in run.reason


async def test_answering_step_cannot_call_tools() -> None:
    stubborn = opens(4)
    b = bench([opens(3), stubborn])
    run = await b.run({"stopping.max_steps": 2})
    last = b.sent[-1]
    assert last.tools_allowed is False
    assert last.tools == b.shelf.tools, "the tools are still shown, for the prompt's prefix"
    assert last.messages[-1] == UserMessage(LAST_STEP)
    assert (run.status, run.answer) == (Status.FINISHED, "")
    assert run.usage.tool_calls == 1


async def test_cut_off_answer_says_so() -> None:
    b = bench([says("red " * 400)], limits=Limits(max_output_tokens=10))
    run = await b.run()
    assert (run.status, run.reason) == (Status.FINISHED, "cut off")
    assert b.sent[0].max_output_tokens == 10


async def test_suite_that_cannot_open_is_an_error() -> None:
    class Closed(Shelves):
        def open(self, task: Task) -> Shelf:
            raise OSError("no shelf")

    run = await bench([], suite=Closed()).run()
    assert (run.status, run.success, run.reason) == (Status.ERROR, 0.0, "OSError: no shelf")
    assert run.steps == ()


async def test_runs_do_not_share_anything() -> None:
    b = bench(
        lambda r: says("red") if len(r.messages) > 4 else opens(3),
        limits=Limits(max_steps=5),
    )
    one, two = [
        await b.run({"tools.result_cache": "on", "stopping.max_steps": 4}) for _ in range(2)
    ]
    assert one.usage.tool_calls == two.usage.tool_calls == 1
    assert len(b.suite.opened) == 2


async def test_run_survives_json() -> None:
    run = await bench([opens(3), says("röd ✓")]).run()
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run
