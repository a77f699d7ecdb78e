"""tools.schema_trim, tools.parallel, tools.budget_aware and what tools.shortlist leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.message import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.run import ModelCall, Step
from leanloop.core.tokens import Tokens
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import Stage
from leanloop.levers.tools import budget_aware, parallel, schema_trim, shortlist
from leanloop.levers.tools.parallel import HINT, neighbours
from leanloop.levers.tools.schema_trim import first_sentence, trim_schema
from leanloop.loop.agent import Limits
from tests.levers.conversations import TOOLS, run_context
from tests.loop.toy import Shelf, Shelves, bench, opens, paints, says

SYSTEM, TASK = SystemMessage("You help."), UserMessage("Find it.")


async def sent_by(stage: Stage, *messages: Any, **more: Any) -> Request:
    return await stage.on_request(Request("m", messages or (SYSTEM, TASK), **more))


class TestSchemaTrim:
    WORDY = ToolSpec(
        "search",
        "Searches mail. Use it only when the user asks.\n\nArgs: many.",
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Search",
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string", "description": "of the mail", "examples": ["Hi"]},
                "default": {"anyOf": [{"type": "null", "title": "No"}, {"enum": ["description"]}]},
                "tags": {"type": "array", "items": {"type": "string", "title": "Tag"}},
                "more": {
                    "type": "object",
                    "additionalProperties": {"type": "integer", "description": "count"},
                    "default": {"title": 1},
                },
            },
            "required": ["title"],
        },
        read_only=True,
        result_fields=("id",),
    )

    async def test_words_go_and_demands_stay(self) -> None:
        before = msgspec.json.encode(self.WORDY)
        (tool,) = (await sent_by(schema_trim.SchemaTrim(), tools=(self.WORDY,))).tools
        assert tool.description == "Searches mail."
        assert tool.parameters == {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string"},
                "default": {"anyOf": [{"type": "null"}, {"enum": ["description"]}]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "more": {"type": "object", "additionalProperties": {"type": "integer"}},
            },
            "required": ["title"],
        }
        assert (tool.name, tool.read_only, tool.result_fields) == ("search", True, ("id",))
        assert msgspec.json.encode(self.WORDY) == before, "the task's own spec is untouched"

    @pytest.mark.parametrize(
        ("schema", "short"),
        [
            ({"additionalProperties": True}, {}),
            ({"additionalProperties": {}}, {}),
            ({"additionalProperties": False}, {"additionalProperties": False}),
            ({"const": {"title": "x"}, "title": "y"}, {"const": {"title": "x"}}),
            ({"enum": [{"default": 1}]}, {"enum": [{"default": 1}]}),
            ({"$defs": {"title": {"title": "T", "type": "null"}}},
             {"$defs": {"title": {"type": "null"}}}),
            ({"items": [{"title": "a"}, True]}, {"items": [{}, True]}),
            ({"not": {"description": "d", "type": "null"}}, {"not": {"type": "null"}}),
            ({"properties": {}, "required": ["default"]},
             {"properties": {}, "required": ["default"]}),
            ({"properties": None}, {"properties": None}),
            (True, True),
        ],
    )  # fmt: skip
    def test_schemas(self, schema: Any, short: Any) -> None:
        assert trim_schema(schema) == short
        assert trim_schema(short) == short

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("One. Two.", "One."),
            ("One", "One"),
            ("", ""),
            ("  One!  Two", "One!"),
            ("Finds a file, e.g. A.txt. Slow.", "Finds a file, e.g. A.txt."),
            ("Rounds to 3.14 or so. Yes.", "Rounds to 3.14 or so."),
            ("Reads approx. ten rows. Fast.", "Reads approx. ten rows."),
            ("No full stop\n\nArgs:\n  x", "No full stop"),
            ("A line\nthat goes on. Two.", "A line\nthat goes on."),
            ("Was? (No.)", "Was?"),
        ],
    )
    def test_first_sentence(self, text: str, sentence: str) -> None:
        assert first_sentence(text) == sentence

    async def test_same_objects_every_step(self) -> None:
        stage = schema_trim.SchemaTrim()
        first, again = [(await sent_by(stage, tools=(self.WORDY,))).tools[0] for _ in range(2)]
        assert first is again
        other = msgspec.structs.replace(self.WORDY, description="Other. Words.")
        assert (await sent_by(stage, tools=(other,))).tools[0].description == "Other."

    async def test_nothing_to_leave_out(self) -> None:
        request = Request("m", (), TOOLS)
        assert await schema_trim.SchemaTrim().on_request(request) is request

    async def test_before_projection_whose_words_stay(self) -> None:
        b = bench([says("red")])
        await b.run({"tools.schema_trim": "on", "tools.projection": "on"})
        fields = b.sent[0].tools[0].parameters["properties"]["fields"]
        assert fields["description"] == "the fields to return"


def made(*names: str) -> list[ToolCall]:
    return [ToolCall(f"c{i}", name, {"i": i}) for i, name in enumerate(names)]


def ids(groups: Sequence[Sequence[ToolCall]]) -> list[str]:
    return ["".join(c.call_id[1:] for c in group) for group in groups]


class SlowShelf(Shelf):
    """Counts the calls that are under way at once."""

    under_way = 0
    most = 0

    async def call(self, call: ToolCall) -> ToolMessage:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        return await super().call(call)


class SlowShelves(Shelves):
    def open(self, task: Any) -> Shelf:
        self.opened.append(SlowShelf(self.check))
        return self.opened[-1]


class TestParallel:
    @pytest.mark.parametrize(
        ("names", "most", "groups"),
        [
            ("rrr", 4, ["012"]),
            ("rrrrr", 2, ["01", "23", "4"]),
            ("rwr", 4, ["0", "1", "2"]),
            ("rrwwrr", 4, ["01", "2", "3", "45"]),
            ("wrr", 4, ["0", "12"]),
            ("w", 4, ["0"]),
            ("", 4, []),
            ("rr", 1, ["0", "1"]),
        ],
    )
    def test_groups(self, names: str, most: int, groups: list[str]) -> None:
        assert ids(neighbours(made(*names), {"r"}, most)) == groups

    def test_repeat_waits_for_the_first(self) -> None:
        one, two, other = (ToolCall(f"c{i}", "r", {"a": a}) for i, a in enumerate((1, 1, 2)))
        assert ids(neighbours([one, other, two], {"r"}, 8)) == ["02", "1"]

    @given(
        names=st.lists(st.sampled_from(("get_order", "list_orders", "add", "none")), max_size=9),
        most=st.integers(2, 5),
    )
    def test_every_call_once_and_in_order(self, names: list[str], most: int) -> None:
        asked = made(*names)
        groups = parallel.LEVER.stage(most, run_context()).on_calls(asked)
        assert [c for group in groups for c in group] == asked
        assert all(1 <= len(group) <= most for group in groups)
        for group in groups:
            assert len(group) == 1 or all(c.name in ("get_order", "list_orders") for c in group)

    async def test_hint_stands_behind_the_system_text(self) -> None:
        stage = parallel.LEVER.stage(4, run_context())
        second = SystemMessage("More.")
        request = await sent_by(stage, SYSTEM, second, TASK, tools=TOOLS)
        assert request.messages == (SYSTEM, second, HINT, TASK)
        longer = (SYSTEM, second, TASK, AssistantMessage("ok"), UserMessage("go on"))
        assert (await sent_by(stage, *longer, tools=TOOLS)).messages[:4] == request.messages

    async def test_no_hint_without_a_look_up(self) -> None:
        stage = parallel.LEVER.stage(4, run_context())
        request = Request("m", (SYSTEM, TASK), TOOLS[2:])
        assert await stage.on_request(request) is request

    @pytest.mark.parametrize(("setting", "most"), [("off", 1), (2, 2), (4, 3)])
    async def test_look_ups_overlap_and_keep_their_order(self, setting: Any, most: int) -> None:
        asked = opens(3, 4, 5)
        b = bench([asked, says("red")], suite=SlowShelves())
        run = await b.run({"tools.parallel": setting})
        assert run.answer == "red"
        assert isinstance(b.shelf, SlowShelf)
        assert b.shelf.most == most
        results = [m.call_id for m in b.sent[1].messages if isinstance(m, ToolMessage)]
        assert results == [c.call_id for c in asked.tool_calls]

    async def test_write_between_reads_is_seen(self) -> None:
        asked = AssistantMessage(
            "",
            (*opens(3).tool_calls, *paints(3, "black").tool_calls, *opens(3).tool_calls),
        )
        b = bench([asked, says("black")], suite=SlowShelves())
        run = await b.run({"tools.parallel": 8})
        shown = [u.observation for u in run.steps[0].tool_uses]
        assert '"red"' in shown[0]
        assert '"black"' in shown[2]
        assert isinstance(b.shelf, SlowShelf)
        assert b.shelf.most == 1

    async def test_repeat_is_still_answered_by_the_cache(self) -> None:
        b = bench([opens(3, 4, 3), says("red")])
        await b.run({"tools.parallel": 4, "tools.result_cache": "on"})
        assert [c.arguments["box"] for c in b.shelf.calls] == [3, 4]


def used(tokens: int | None, model: str = "small") -> Step:
    known = Tokens(tokens, 0, 0, 0, 0, 0) if tokens is not None else Tokens()
    return Step((ModelCall(model, "p:m", "act", known, 0.1, 0.0),))


def cents(call: ModelCall) -> Decimal | None:
    return Decimal("0.0125") if call.model == "small" else None


class TestBudgetAware:
    def stage(self, **more: Any) -> Stage:
        return budget_aware.LEVER.stage("on", replace(run_context(), **more))

    async def said(self, stage: Stage) -> str:
        messages = (await sent_by(stage)).messages
        assert messages[:2] == (SYSTEM, TASK)
        assert len(messages) == 3
        assert isinstance(messages[2], UserMessage)
        return messages[2].text

    async def test_steps_and_tokens(self) -> None:
        stage = self.stage(max_steps=3)
        assert await self.said(stage) == "At most 3 steps are left, this one included."
        stage.after_step(used(1200))
        stage.after_step(Step((*used(30).model_calls, *used(4).model_calls)))
        assert await self.said(stage) == (
            "This is the last step: answer now. Used so far: 1234 tokens."
        )

    async def test_dollars_where_the_price_is_known(self) -> None:
        stage = self.stage(price=cents)
        stage.after_step(used(None))
        assert await self.said(stage) == "Used so far: $0.0125."
        stage.after_step(used(7))
        assert await self.said(stage) == "Used so far: $0.0250."

    async def test_one_unknown_price_makes_the_sum_unknown(self) -> None:
        stage = self.stage(price=cents)
        for model in ("small", "large", "small"):
            stage.after_step(used(5, model))
        assert await self.said(stage) == "Used so far: 15 tokens."

    async def test_nothing_known_nothing_said(self) -> None:
        stage = self.stage()
        request = Request("m", (SYSTEM, TASK))
        assert await stage.on_request(request) is request
        for tokens in (5, None, 5):
            stage.after_step(used(tokens))
        assert await stage.on_request(request) is request

    async def test_not_where_the_answer_is_asked_for(self) -> None:
        request = Request("m", (SYSTEM, TASK), tools_allowed=False)
        assert await self.stage(max_steps=3).on_request(request) is request

    async def test_in_a_run_it_is_last_and_not_kept(self) -> None:
        b = bench([opens(3), opens(4), says("red")], limits=Limits(max_steps=5))
        run = await b.run({"tools.budget_aware": "on", "planning.plan_first": "off"})
        assert run.answer == "red"
        last = [r.messages[-1].text for r in b.sent]
        assert [t.split(",")[0] for t in last] == [f"At most {n} steps are left" for n in (5, 4, 3)]
        for before, after in zip(b.sent, b.sent[1:], strict=False):
            assert after.messages[: len(before.messages) - 1] == before.messages[:-1]

    async def test_plan_keeps_its_place(self) -> None:
        b = bench([says("look, then tell"), opens(3), says("red")])
        await b.run({"tools.budget_aware": "on", "planning.plan_first": "on"})
        plans = [r.messages[2:5] for r in b.sent[1:]]
        assert plans[0] == plans[1]
        assert plans[0][1] == AssistantMessage("look, then tell")


class TestShortlistOfOwnTools:
    async def test_tool_that_is_not_the_tasks_stays(self) -> None:
        own = ToolSpec("program", "Runs.", {"type": "object"})
        stage = shortlist.LEVER.stage(1, run_context())
        shown = (await sent_by(stage, tools=(*TOOLS, own))).tools
        assert [t.name for t in shown] == ["get_order", "program"]

    async def test_nothing_to_leave_out(self) -> None:
        request = Request("m", (), TOOLS)
        assert await shortlist.LEVER.stage(4, run_context()).on_request(request) is request


def test_places_in_the_pipeline() -> None:
    names = list(BUILT_IN)
    assert names.index("tools.shortlist") < names.index("tools.schema_trim")
    assert names.index("tools.schema_trim") < names.index("tools.projection")
    assert names.index("tools.projection") < names.index("tools.program")
    assert names.index("tools.result_cache") < names.index("tools.program")
    assert names.index("planning.plan_first") < names.index("tools.budget_aware")
