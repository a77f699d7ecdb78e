"""planning.plan_execute and planning.dag."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.configuration import Setting
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.run import Run, Status
from leanloop.levers.builtin import find_lever
from leanloop.levers.plan import PlannedCall, read_plan
from leanloop.levers.planning import dag, plan_execute, plan_first
from leanloop.levers.planning.plan_execute import ASK, GO_ON, MADE, PLAN_TOKENS
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import TOOLS, run_context
from tests.loop.toy import OPEN, TASK, Bench, Shelves, bench, calls, opens, says


def step(step_id: str, tool: str, **arguments: Json) -> dict[str, Json]:
    return {"id": step_id, "tool": tool, "args": arguments}


def plan(*steps: dict[str, Json]) -> AssistantMessage:
    return says(json.dumps(list(steps)))


def told(request: Request) -> list[str]:
    """The lines in which a request tells what a plan has found."""
    (text,) = [m.text for m in request.messages if m.text.startswith(MADE)]
    first, *lines, last = text.split("\n")
    assert (first, last) == (MADE, GO_ON)
    return lines


class Planning:
    """What holds for both levers."""

    NAME: str

    async def _run(self, *small: AssistantMessage, **settings: Setting) -> tuple[Run, Bench]:
        b = bench(list(small))
        return await b.run({self.NAME: "on", **settings}), b

    async def test_steps_are_made_without_asking_between(self) -> None:
        run, b = await self._run(
            plan(
                step("E1", "open_box", box=3),
                step("E2", "paint_box", box=4, colour="#E1.colour"),
                step("E3", "open_box", box="#E1.box"),
            ),
            says("red"),
        )
        assert (run.status, run.success) == (Status.FINISHED, 1.0)
        assert [c.purpose for c in run.model_calls] == [self.NAME, "act"]
        assert [(c.name, c.arguments) for c in b.shelf.calls] == [
            ("open_box", {"box": 3}),
            ("paint_box", {"box": 4, "colour": "red"}),
            ("open_box", {"box": 3}),
        ]
        assert len({c.call_id for c in b.shelf.calls}) == 3
        assert run.usage.tool_calls == 3
        assert run.usage.steps == 1
        lines = told(b.sent[1])
        assert lines[0].startswith('E1 open_box({"box": 3}) gave: {"box": 3, "colour": "red"')
        assert lines[1] == 'E2 paint_box({"box": 4, "colour": "red"}) gave: painted'

    async def test_the_question(self) -> None:
        _, b = await self._run(plan(step("E1", "open_box", box=3)), says("red"))
        question, acting = b.sent
        assert question.messages[-1] == UserMessage(ASK)
        assert question.messages[:-1] == acting.messages[:2]
        assert question.tools == acting.tools, "the prefix is that of the steps"
        assert (question.tools_allowed, acting.tools_allowed) == (False, True)
        assert question.max_output_tokens == PLAN_TOKENS

    def test_its_own_example_can_be_read(self) -> None:
        steps = read_plan(ASK, {"find_person", "get_address"}, 8)
        assert [s.tool for s in steps] == ["find_person", "get_address"]
        assert steps[1].needs == {"E1"}
        assert not read_plan(ASK, {"open_box"}, 8), "a model that copies it calls nothing"

    async def test_what_was_found_stays_behind_the_task(self) -> None:
        run, b = await self._run(
            plan(step("E1", "open_box", box=4)), opens(3), opens(4), says("red")
        )
        assert run.success == 1.0
        assert [len(r.messages) for r in b.sent[1:]] == [3, 5, 7]
        assert len({r.messages[:3] for r in b.sent[1:]}) == 1, "the prefix stays"
        assert [type(m) for m in b.sent[-1].messages[:4]] == [
            SystemMessage, UserMessage, UserMessage, AssistantMessage,
        ]  # fmt: skip

    async def test_a_reference_to_nothing_ends_the_plan_without_a_call(self) -> None:
        _, b = await self._run(
            plan(step("E1", "open_box", box=3), step("E2", "open_box", box="#E1.next")), says("red")
        )
        assert len(b.shelf.calls) == 1
        assert told(b.sent[1])[1] == (
            'E2 open_box({"box": "#E1.next"}) not made: the result of E1 has no field next'
        )

    @pytest.mark.parametrize("words", ["", "1. open box 3", '[{"id": "E1", "tool": "open'])
    async def test_no_plan_is_the_ordinary_loop(self, words: str) -> None:
        run, b = await self._run(says(words), opens(3), says("red"))
        assert run.success == 1.0
        assert [c.purpose for c in run.model_calls] == [self.NAME, "act", "act"], "asked once"
        assert [len(r.messages) for r in b.sent[1:]] == [2, 4]
        assert b.sent[1].messages == (
            SystemMessage(b.suite.instructions),
            UserMessage(TASK.prompt),
        )

    async def test_stray_calls_beside_the_plan_are_not_made(self) -> None:
        written = plan(step("E1", "open_box", box=3)).text
        stray = AssistantMessage(written, (ToolCall("stray", "open_box", {"box": 4}),))
        _, b = await self._run(stray, says("red"))
        assert [c.arguments for c in b.shelf.calls] == [{"box": 3}]

    async def test_calls_pass_the_levers(self) -> None:
        run, b = await self._run(
            plan(step("E1", "open_box", box=3, fields=["colour"]), step("E2", "open_box", box=3)),
            says("red"),
            **{"tools.projection": "on", "tools.result_cache": "on"},
        )
        assert told(b.sent[1])[0].endswith('gave: {"colour": "red"}')
        assert b.shelf.calls[0].arguments == {"box": 3}
        assert run.usage.tool_calls == 2, "with fields and without are two calls"

    async def test_not_where_no_tool_may_be_called(self) -> None:
        model = ScriptedModel([])
        for request in (
            Request("m", (UserMessage("task"),), (OPEN,), tools_allowed=False),
            Request("m", (UserMessage("task"),)),
        ):
            stage = find_lever(self.NAME, "a test").stage("on", run_context(model))
            assert await stage.on_request(request) is request
        assert model.requests == []

    async def test_unreachable_tools_are_an_error_like_any_other(self) -> None:
        model = ScriptedModel([plan(step("E1", "get_order", id="7"))])
        stage = find_lever(self.NAME, "a test").stage("on", run_context(model))
        sent = await stage.on_request(Request("m", (UserMessage("task"),), TOOLS))
        assert told(sent) == ['E1 get_order({"id": "7"}) error: tools cannot be reached here']

    async def test_met_half_way_a_round_stays_whole(self) -> None:
        """A lever before this one may shorten the history that the plan was put behind."""
        model = ScriptedModel([plan(step("E1", "get_order", id="7"))])
        stage = find_lever(self.NAME, "a test").stage("on", run_context(model))
        long = Request("m", (*[UserMessage("x")] * 2,), TOOLS)
        await stage.on_request(long)
        said = calls(("add", {}), ("add", {}))
        results = [ToolMessage(c.call_id, c.name, "1") for c in said.tool_calls]
        sent = await stage.on_request(
            Request("m", (UserMessage("x"), said, *results, UserMessage("y")), TOOLS)
        )
        assert [type(m) for m in sent.messages] == [
            UserMessage, AssistantMessage, ToolMessage, ToolMessage, UserMessage, UserMessage,
        ]  # fmt: skip
        assert sent.messages[4].text.startswith(MADE)

    async def test_a_plan_in_words_is_plan_enough(self) -> None:
        run, b = await self._run(
            says("1. open box 3"), opens(3), says("red"), **{plan_first.NAME: "on"}
        )
        assert run.success == 1.0
        assert [c.purpose for c in run.model_calls] == [plan_first.NAME, "act", "act"]
        assert not any(m.text.startswith(MADE) for m in b.sent[-1].messages)


class TestPlanExecute(Planning):
    NAME = plan_execute.NAME

    async def test_a_step_that_errs_ends_the_plan(self) -> None:
        run, b = await self._run(
            plan(
                step("E1", "open_box", box=4),
                step("E2", "open_box", box=99),
                step("E3", "open_box", box=3),
            ),
            opens(3),
            says("red"),
        )
        assert run.success == 1.0
        assert [c.arguments["box"] for c in b.shelf.calls] == [4, 99, 3]
        first, second = told(b.sent[1])
        assert '"colour": "blue"' in first
        assert second == 'E2 open_box({"box": 99}) error: no such box: 99'

    async def test_a_tool_that_raises_ends_the_plan(self) -> None:
        _, b = await self._run(
            plan(step("E1", "break_shelf"), step("E2", "open_box", box=3)), says("red")
        )
        assert told(b.sent[1]) == ["E1 break_shelf({}) error: RuntimeError: the shelf fell"]

    async def test_a_repeated_step_comes_from_the_cache(self) -> None:
        run, _ = await self._run(
            plan(step("E1", "open_box", box=3), step("E2", "open_box", box=3)),
            says("red"),
            **{"tools.result_cache": "on"},
        )
        assert run.usage.tool_calls == 1


class TestDag(Planning):
    NAME = dag.NAME

    async def test_independent_reads_are_made_at_once(self) -> None:
        groups: list[list[str]] = []

        async def make_calls(calls: Sequence[ToolCall]) -> list[ToolMessage]:
            groups.append([c.call_id.rpartition("-")[2] for c in calls])
            return [ToolMessage(c.call_id, c.name, '{"id": "1"}') for c in calls]

        script = ScriptedModel(
            [
                plan(
                    step("E1", "get_order", id="1"),
                    step("E2", "get_order", id="2"),
                    step("E3", "get_order", id="#E1.id"),
                    step("E4", "get_order", id="4"),
                    step("E5", "get_order", id="#E3.id #E2.id"),
                )
            ]
        )
        context = replace(run_context(script), make_calls=make_calls)
        stage = dag.LEVER.stage("on", context)
        sent = await stage.on_request(Request("m", (UserMessage("task"),), TOOLS))
        assert groups == [["E1", "E2", "E4"], ["E3"], ["E5"]]
        assert [line[:2] for line in told(sent)] == ["E1", "E2", "E4", "E3", "E5"]

    async def test_they_really_overlap(self) -> None:
        suite = Slow()
        b = bench([plan(step("E1", "open_box", box=3), step("E2", "open_box", box=4)), says("red")],
                  suite=suite)  # fmt: skip
        run = await b.run({self.NAME: "on"})
        assert run.success == 1.0
        assert suite.most_at_once == 2
        suite.most_at_once = 0
        b = bench([plan(step("E1", "open_box", box=3), step("E2", "open_box", box=4)), says("red")],
                  suite=suite)  # fmt: skip
        await b.run({plan_execute.NAME: "on"})
        assert suite.most_at_once == 1

    def test_what_may_write_is_made_alone_and_in_its_place(self) -> None:
        steps = [PlannedCall(f"E{i}", t, {}) for i, t in enumerate("rrwrwwr", 1)]
        groups = dag.at_once(steps, {"r"})
        assert [[s.step_id for s in g] for g in groups] == [
            ["E1", "E2"], ["E3"], ["E4"], ["E5"], ["E6"], ["E7"],
        ]  # fmt: skip

    @given(st.data())
    def test_groups_hold_every_step_once_and_behind_what_it_needs(
        self, data: st.DataObject
    ) -> None:
        steps: list[PlannedCall] = []
        for i in range(data.draw(st.integers(0, 8))):
            ids = [s.step_id for s in steps]
            needs = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
            tool = data.draw(st.sampled_from("rw"))
            steps.append(PlannedCall(f"E{i}", tool, {}, frozenset(needs)))
        groups = dag.at_once(steps, {"r"})
        place = {s.step_id: i for i, g in enumerate(groups) for s in g}
        assert sorted(place) == [s.step_id for s in steps]
        assert sum(map(len, groups)) == len(steps)
        assert all(groups)
        for i, s in enumerate(steps):
            assert all(place[n] < place[s.step_id] for n in s.needs)
            if s.tool == "w":
                assert all(place[e.step_id] < place[s.step_id] for e in steps[:i])
                assert all(place[e.step_id] > place[s.step_id] for e in steps[i + 1 :])

    async def test_the_others_of_a_group_are_made_when_one_fails(self) -> None:
        _, b = await self._run(
            plan(
                step("E1", "open_box", box=99),
                step("E2", "open_box", box=3),
                step("E3", "open_box", box="#E2.box"),
            ),
            says("red"),
        )
        first, second = told(b.sent[1])
        assert first.endswith("error: no such box: 99")
        assert '"colour": "red"' in second

    async def test_of_two_levers_that_plan_the_first_wins(self) -> None:
        run, b = await self._run(
            plan(step("E1", "open_box", box=3)), says("red"), **{plan_execute.NAME: "on"}
        )
        assert [c.purpose for c in run.model_calls] == [plan_execute.NAME, "act"]
        assert len(told(b.sent[1])) == 1

    async def test_the_second_plans_when_the_first_could_not(self) -> None:
        run, _ = await self._run(
            says("hm"),
            plan(step("E1", "open_box", box=3)),
            says("red"),
            **{plan_execute.NAME: "on"},
        )
        assert [c.purpose for c in run.model_calls] == [plan_execute.NAME, dag.NAME, "act"]


class Slow(Shelves):
    """Counts the calls that are being made at the same time."""

    most_at_once = 0

    def open(self, task):
        shelf = super().open(task)
        plain, now = shelf.call, 0

        async def slow(call: ToolCall) -> ToolMessage:
            nonlocal now
            now += 1
            self.most_at_once = max(self.most_at_once, now)
            await asyncio.sleep(0.01)
            now -= 1
            return await plain(call)

        shelf.call = slow  # type: ignore[method-assign]
        return shelf
