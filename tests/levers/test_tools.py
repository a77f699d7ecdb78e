"""tools.projection, tools.result_cache and tools.shortlist."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from leanloop.core.message import (
    AssistantMessage,
    Request,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.run import Run
from leanloop.core.task import Split, Task
from leanloop.levers.planning.examples import example_step
from leanloop.levers.protocol import Stage
from leanloop.levers.tools import projection, result_cache, shortlist
from leanloop.levers.tools.projection import project
from leanloop.levers.tools.result_cache import call_key
from leanloop.levers.tools.shortlist import rank_tools
from tests.levers.conversations import EXAMPLES, TOOLS, run_context
from tests.loop.toy import bench, calls, opens, paints, says

RECORD = '{"id": "7", "name": "Zoë", "status": "new"}'


def order(**arguments: Any) -> ToolCall:
    return ToolCall("c1", "get_order", {"id": "7", **arguments})


class TestProjection:
    @pytest.fixture
    def stage(self) -> Stage:
        return projection.LEVER.stage("on", run_context())

    async def test_argument_is_added_and_required(self, stage: Stage) -> None:
        sent = await stage.on_request(Request("m", (), TOOLS))
        by_name = {t.name: t for t in sent.tools}
        schema = by_name["get_order"].parameters
        assert schema["required"] == ["id", "fields"]
        assert list(schema["properties"]) == ["id", "fields"]
        assert schema["properties"]["fields"]["items"] == {"enum": list(TOOLS[0].result_fields)}
        assert by_name["list_orders"].parameters["required"] == ["fields"]
        assert by_name["add"] is TOOLS[3], "a tool that returns no record is shown as it is"
        assert "fields" not in TOOLS[0].parameters["properties"], "the task's own spec is untouched"

    async def test_spec_is_the_same_object_every_step(self, stage: Stage) -> None:
        sent = [await stage.on_request(Request("m", (), TOOLS)) for _ in range(2)]
        assert all(a is b for a, b in zip(sent[0].tools, sent[1].tools, strict=True))

    def test_tool_never_sees_the_argument(self, stage: Stage) -> None:
        call = order(fields=["status"])
        made = asyncio.run(stage.on_tool_call(call))
        assert isinstance(made, ToolCall)
        assert made.arguments == {"id": "7"}
        assert call.arguments == {"id": "7", "fields": ["status"]}

    def test_argument_of_another_tool_is_left_alone(self, stage: Stage) -> None:
        call = ToolCall("c1", "add", {"fields": ["a"]})
        assert asyncio.run(stage.on_tool_call(call)) is call
        result = ToolMessage("c1", "add", RECORD)
        assert stage.on_tool_result(call, result) is result

    @pytest.mark.parametrize(
        ("fields", "text", "shown"),
        [
            (["status"], RECORD, '{"status": "new"}'),
            (["status", "id"], RECORD, '{"status": "new", "id": "7"}'),
            (["name"], RECORD, '{"name": "Zoë"}'),
            (["status", "none"], RECORD, '{"status": "new"}'),
            (["none"], RECORD, RECORD),
            ([], RECORD, RECORD),
            (["id"], f"[{RECORD}, {RECORD}]", '[{"id": "7"}, {"id": "7"}]'),
            (["id"], f'[{RECORD}, {{"x": 1}}]', f'[{RECORD}, {{"x": 1}}]'),
            (["id"], "[]", "[]"),
            (["id"], "[1, 2]", "[1, 2]"),
            (["id"], "no record", "no record"),
            (["id"], '"id"', '"id"'),
        ],
    )
    def test_result_is_projected(
        self, stage: Stage, fields: list[str], text: str, shown: str
    ) -> None:
        call = order(fields=fields)
        result = stage.on_tool_result(call, ToolMessage("c1", "get_order", text))
        assert result == ToolMessage("c1", "get_order", shown)
        assert project(text, fields) == shown

    @pytest.mark.parametrize(
        ("junk", "shown"),
        [
            ("status", '{"status": "new"}'),
            (["status", 3, {"a": 1}, None], '{"status": "new"}'),
            (3, RECORD),
            (None, RECORD),
            ({"status": True}, RECORD),
            ([[]], RECORD),
        ],
    )
    def test_argument_that_is_not_a_list_of_names(
        self, stage: Stage, junk: object, shown: str
    ) -> None:
        result = stage.on_tool_result(order(fields=junk), ToolMessage("c1", "get_order", RECORD))
        assert result.text == shown

    def test_error_passes_whole(self, stage: Stage) -> None:
        error = ToolMessage("c1", "get_order", RECORD, is_error=True)
        assert stage.on_tool_result(order(fields=["id"]), error) is error

    async def test_tool_with_such_an_argument_of_its_own(self) -> None:
        own = ToolSpec(
            "search", "", {"properties": {"fields": {"type": "string"}}}, True, ("id", "x")
        )
        stage = projection.LEVER.stage("on", replace(run_context(), tools=(own,), examples=()))
        assert (await stage.on_request(Request("m", (), (own,)))).tools == (own,)
        call = ToolCall("c1", "search", {"fields": "x"})
        assert await stage.on_tool_call(call) is call
        result = ToolMessage("c1", "search", RECORD)
        assert stage.on_tool_result(call, result) is result

    async def test_examples_are_shown_projected(self) -> None:
        b = bench([says("red")])
        await b.run({"tools.projection": "on", "planning.examples": 1})
        _, question, call, result, answer, task = b.sent[0].messages
        assert question == UserMessage("What colour is box 9?")
        assert isinstance(call, AssistantMessage)
        assert call.tool_calls[0].arguments == {"box": 9, "fields": ["colour"]}
        assert isinstance(result, ToolMessage)
        assert result.text == '{"colour": "green"}'
        assert answer.text == "green"
        assert task.text == "What colour is box 3?"

    async def test_in_a_run(self) -> None:
        b = bench([opens(3, fields=["colour"]), says("red")])
        run = await b.run({"tools.projection": "on"})
        assert b.shelf.calls[0].arguments == {"box": 3}
        assert run.steps[0].tool_uses[0].observation == '{"colour": "red"}'
        assert run.steps[0].tool_uses[0].arguments_json == '{"box": 3, "fields": ["colour"]}'
        assert b.sent[1].messages[-1].text == '{"colour": "red"}'


@pytest.mark.parametrize(
    "call_id",
    ["example", "example-", "example-0", "example-x-0", "example-0-9", "example-9-0", "call_1",
     "example--1-0", "example-0--1", "example-0-0-0", "examples-0-0"],
)  # fmt: skip
def test_call_of_the_run_is_no_step_of_an_example(call_id: str) -> None:
    assert example_step(EXAMPLES, call_id) is None
    assert example_step(EXAMPLES, "example-0-1") is EXAMPLES[0].steps[1]


class TestResultCache:
    async def _run(self, *said: AssistantMessage, **more: str) -> tuple[list[str], Run]:
        b = bench([*said, says("red")])
        run = await b.run({"tools.result_cache": "on", **more})
        assert run.answer == "red", run.reason
        return [c.name for c in b.shelf.calls], run

    async def test_repeat_is_answered_and_not_counted(self) -> None:
        made, run = await self._run(opens(3), opens(3), opens(4))
        assert made == ["open_box", "open_box"]
        uses = [u for s in run.steps for u in s.tool_uses]
        assert [u.answered_by for u in uses] == ["tool", "tools.result_cache", "tool"]
        assert uses[0].observation == uses[1].observation != uses[2].observation
        assert run.usage.tool_calls == 2

    async def test_repeat_in_one_round(self) -> None:
        made, _ = await self._run(opens(3, 3))
        assert made == ["open_box"]

    async def test_order_of_arguments_does_not_matter(self) -> None:
        one = ToolCall("a", "open_box", {"box": 3, "x": 1})
        two = ToolCall("b", "open_box", {"x": 1, "box": 3})
        assert call_key(one) == call_key(two)
        made, _ = await self._run(AssistantMessage("", (one,)), AssistantMessage("", (two,)))
        assert made == ["open_box"]

    def test_values_of_another_type_are_another_call(self) -> None:
        keys = {call_key(ToolCall("a", "t", {"x": v})) for v in (1, 1.0, True, "1", None)}
        assert len(keys) == 5

    async def test_answer_carries_the_new_call_id(self) -> None:
        b = bench([opens(3), opens(3), says("red")])
        await b.run({"tools.result_cache": "on"})
        *_, repeat, answer = b.sent[-1].messages
        assert isinstance(repeat, AssistantMessage)
        assert isinstance(answer, ToolMessage)
        assert answer.call_id == repeat.tool_calls[0].call_id

    async def test_write_invalidates(self) -> None:
        made, run = await self._run(opens(3), paints(3, "black"), opens(3))
        assert made == ["open_box", "paint_box", "open_box"]
        assert '"black"' in run.steps[2].tool_uses[0].observation

    async def test_write_is_never_answered(self) -> None:
        made, _ = await self._run(paints(3, "black"), paints(3, "black"))
        assert made == ["paint_box", "paint_box"]

    async def test_unmarked_tool_counts_as_a_write(self) -> None:
        made, _ = await self._run(opens(3), calls(("no_such_tool", {})), opens(3))
        assert made == ["open_box", "no_such_tool", "open_box"]
        stage = result_cache.LEVER.stage("on", run_context())
        unmarked = ToolCall("a", "add", {"a": 1})
        assert await stage.on_tool_call(unmarked) is unmarked
        stage.on_tool_result(unmarked, ToolMessage("a", "add", "1"))
        assert await stage.on_tool_call(unmarked) is unmarked

    async def test_errors_are_not_kept(self) -> None:
        made, run = await self._run(opens(8), opens(8))
        assert made == ["open_box", "open_box"]
        assert run.usage.tool_calls == 2

    async def test_with_projection_other_fields_are_another_call(self) -> None:
        more = {"tools.projection": "on"}
        asked = [opens(3, fields=f) for f in (["colour"], ["colour"], ["box"])]
        made, run = await self._run(*asked, **more)
        assert len(made) == 2
        shown = [u.observation for s in run.steps for u in s.tool_uses]
        assert shown == ['{"colour": "red"}', '{"colour": "red"}', '{"box": 3}']


class TestShortlist:
    MANY = (
        ToolSpec("send_mail", "Send an e-mail to a person.", {}),
        ToolSpec("find_flight", "Search flights between two airports.", {}),
        ToolSpec("get_weather", "Weather forecast of a city.", {}),
        ToolSpec("x1", "Books a seat.", {"properties": {"airport_code": {}}}),
        ToolSpec("x2", "", {}, result_fields=("humidity",)),
    )

    def test_relevant_tool_ranks_top(self) -> None:
        for text, name in [
            ("Is there a flight from Oslo to Rome?", "find_flight"),
            ("what will the weather be in the city", "get_weather"),
            ("the code of the airport", "x1"),
            ("HUMIDITY today", "x2"),
        ]:
            assert rank_tools(self.MANY, text, 1) == {name}

    def test_ties_go_to_the_first(self) -> None:
        assert rank_tools(self.MANY, "zebra", 2) == {"send_mail", "find_flight"}
        assert rank_tools(self.MANY, "", 1) == {"send_mail"}

    def test_all_when_there_are_no_more(self) -> None:
        for k in (5, 6):
            assert rank_tools(self.MANY, "weather", k) == {t.name for t in self.MANY}

    async def test_order_is_kept(self) -> None:
        context = run_context()
        task = Task("t", "weather forecast, then send an e-mail", Split.SEARCH)
        stage = shortlist.LEVER.stage(2, replace(context, task=task, tools=self.MANY))
        sent = await stage.on_request(Request("m", (), self.MANY))
        assert sent.tools == (self.MANY[0], self.MANY[2])

    async def test_in_a_run(self) -> None:
        b = bench([opens(3), says("red")])
        run = await b.run({"tools.shortlist": 1})
        assert [[t.name for t in r.tools] for r in b.sent] == [["open_box"], ["open_box"]]
        assert run.success == 1.0
        assert json.loads(run.steps[0].tool_uses[0].arguments_json) == {"box": 3}
