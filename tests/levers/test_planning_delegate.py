"""planning.delegate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from leanloop.core.configuration import Setting
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.run import Run, Status
from leanloop.levers.planning import delegate, plan_execute
from leanloop.loop.agent import LAST_STEP
from tests.levers.conversations import TOOLS, run_context
from tests.loop.toy import OPEN, Bench, bench, calls, opens, says


def step(step_id: str, tool: str, **arguments: Json) -> dict[str, Json]:
    return {"id": step_id, "tool": tool, "args": arguments}


def plan(*steps: dict[str, Json]) -> AssistantMessage:
    return says(json.dumps(list(steps)))


def delegates(task: object) -> AssistantMessage:
    return calls(("delegate", {"task": task}))


def last_result(request: Request) -> ToolMessage:
    """The result that a request ends with."""
    last = request.messages[-1]
    assert isinstance(last, ToolMessage)
    return last


class TestDelegate:
    NAME = delegate.NAME

    async def _run(self, *small: AssistantMessage, **settings: Setting) -> tuple[Run, Bench]:
        b = bench(list(small))
        return await b.run({self.NAME: "on", **settings}), b

    async def test_only_the_answer_comes_back(self) -> None:
        run, b = await self._run(delegates("Open box 3."), opens(3), says("it is red"), says("red"))
        assert (run.status, run.success) == (Status.FINISHED, 1.0)
        assert [c.purpose for c in run.model_calls] == ["act", self.NAME, self.NAME, "act"]
        first, helper, helper_again, last = b.sent
        assert first.tools == (*b.shelf.tools, delegate.TOOL)
        assert helper.messages == (SystemMessage(b.suite.instructions), UserMessage("Open box 3."))
        assert helper.tools == b.shelf.tools
        assert [type(m) for m in helper_again.messages[2:]] == [AssistantMessage, ToolMessage]
        assert [type(m) for m in last.messages[2:]] == [AssistantMessage, ToolMessage]
        assert (last_result(last).text, last_result(last).is_error) == ("it is red", False)
        assert [(u.name, u.answered_by) for s in run.steps for u in s.tool_uses] == [
            ("open_box", "tool"),
            ("delegate", self.NAME),
        ]

    async def test_the_acting_model_helps(self) -> None:
        b = bench([], large=[delegates("look"), says("red"), says("red")])
        run = await b.run({self.NAME: "on", "model.choice": "large"})
        assert {c.model for c in run.model_calls} == {"large"}

    async def test_it_ends_in_six_steps_with_an_answer(self) -> None:
        run, b = await self._run(
            delegates("look"), *(opens(3, n=i) for i in range(5)), says("red"), says("red")
        )
        assert run.success == 1.0
        helping = b.sent[1:-1]
        assert len(helping) == delegate.MAX_STEPS == 6
        assert [r.tools_allowed for r in helping] == [True] * 5 + [False]
        assert all(r.tools == helping[0].tools for r in helping), "the prefix stays"
        assert helping[-1].messages[-1] == UserMessage(delegate.LAST_STEP)

    async def test_calls_in_the_last_step_are_not_made(self) -> None:
        run, b = await self._run(delegates("look"), *(opens(3, n=i) for i in range(6)), says("red"))
        assert len(b.shelf.calls) == 5
        result = last_result(b.sent[-1])
        assert (result.text, result.is_error) == ("the helper found no answer", True)
        assert run.success == 1.0

    async def test_a_helper_cannot_delegate(self) -> None:
        run, b = await self._run(
            delegates("look"),
            calls(("delegate", {"task": "you look"}), ("open_box", {"box": 3})),
            says("red"),
            says("red"),
        )
        assert run.success == 1.0
        refused, opened = b.sent[2].messages[-2:]
        assert isinstance(refused, ToolMessage)
        assert (refused.text, refused.is_error) == ("a helper cannot delegate", True)
        assert "red" in opened.text
        assert [u.name for s in run.steps for u in s.tool_uses] == ["open_box", "delegate"]

    @pytest.mark.parametrize("task", [None, "", "  ", 7, ["look"]])
    async def test_a_task_that_is_none(self, task: object) -> None:
        run, b = await self._run(delegates(task), says("red"))
        assert [c.purpose for c in run.model_calls] == ["act", "act"]
        assert last_result(b.sent[1]).is_error
        assert "task is missing" in last_result(b.sent[1]).text

    async def test_no_answer_is_an_error(self) -> None:
        _, b = await self._run(delegates("look"), says(" "), says("red"))
        assert last_result(b.sent[-1]).is_error

    async def test_calls_pass_the_levers(self) -> None:
        run, b = await self._run(
            delegates("look"),
            opens(3, fields=["colour"]),
            opens(3, fields=["colour"]),
            says("red"),
            says("red"),
            **{"tools.projection": "on", "tools.result_cache": "on"},
        )
        assert last_result(b.sent[2]).text == '{"colour": "red"}'
        assert "fields" in b.sent[1].tools[0].parameters["properties"]
        assert run.usage.tool_calls == 1

    async def test_off_where_the_task_has_a_tool_of_that_name(self) -> None:
        own = ToolSpec("delegate", "The task's own.", {"type": "object"})
        for tools in ((OPEN, own), (OPEN,)):  # the second: a shortlist has dropped it
            context = replace(run_context(), tools=(OPEN, own))
            stage = delegate.LEVER.stage("on", context)
            request = Request("m", (UserMessage("task"),), tools)
            assert await stage.on_request(request) is request
            call = ToolCall("c", "delegate", {"task": "look"})
            assert await stage.on_tool_call(call) is call

    async def test_off_where_another_lever_has_added_such_a_tool(self) -> None:
        stage = delegate.LEVER.stage("on", run_context())
        request = Request("m", (UserMessage("task"),), (*TOOLS, delegate.TOOL))
        assert await stage.on_request(request) is request

    async def test_off_without_tools(self) -> None:
        stage = delegate.LEVER.stage("on", run_context())
        request = Request("m", (UserMessage("task"),))
        assert await stage.on_request(request) is request

    async def test_still_shown_in_a_last_step(self) -> None:
        _, b = await self._run(opens(3), opens(3), says("red"), **{"stopping.repeat_guard": 2})
        assert b.sent[2].messages[-1] == UserMessage(LAST_STEP)
        assert b.sent[0].tools == b.sent[2].tools, "the prefix stays"

    async def test_a_shortlist_does_not_drop_it(self) -> None:
        _, b = await self._run(says("red"), **{"tools.shortlist": 1})
        assert [t.name for t in b.sent[0].tools] == ["open_box", "delegate"]

    async def test_a_plan_may_delegate(self) -> None:
        run, b = await self._run(
            plan(step("E1", "delegate", task="look"), step("E2", "paint_box", box=4, colour="#E1")),
            opens(3),
            says("red"),
            says("red"),
            **{plan_execute.NAME: "on"},
        )
        assert run.success == 1.0
        assert b.shelf.colours[4] == "red"
