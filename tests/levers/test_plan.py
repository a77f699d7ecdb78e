"""Plans of tool calls, as a model writes them and as they are filled in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.message import (
    AssistantMessage,
    Json,
)
from leanloop.levers.plan import PlannedCall, fill, read_plan, result_value
from tests.loop.toy import says

TOOL_NAMES = frozenset({"open_box", "paint_box"})


def step(step_id: str, tool: str, **arguments: Json) -> dict[str, Json]:
    return {"id": step_id, "tool": tool, "args": arguments}


def plan(*steps: dict[str, Json]) -> AssistantMessage:
    return says(json.dumps(list(steps)))


def read(text: str, max_steps: int = 8) -> list[str]:
    return [s.step_id for s in read_plan(text, TOOL_NAMES, max_steps)]


class TestReadPlan:
    def test_a_plan_is_read_with_what_it_needs(self) -> None:
        text = plan(
            step("E1", "open_box", box=3),
            step("E2", "paint_box", box="#E1.box", colour=["#E1.colour", {"x": "as #E1"}]),
        ).text
        first, second = read_plan(text, TOOL_NAMES, 8)
        assert first == PlannedCall("E1", "open_box", {"box": 3})
        assert second.tool == "paint_box"
        assert second.needs == {"E1"}

    @pytest.mark.parametrize(
        "text",
        [
            "[{'id': 'E1', 'tool': 'open_box', 'args': {'box': 3}}]",
            'Here [as asked]:\n```json\n[ {"id": "E1", "tool": "open_box"} ]\n``` Good luck!',
            '{"steps": [{"id": "E1", "tool": "open_box", "args": {}}]}',
            "[{'id': 'E1', 'tool': 'open_box', 'args': {'box': '\\d'}}]",
        ],
        ids=["single quotes", "words around", "in an object", "wrong escape"],
    )
    def test_however_a_model_writes_it(self, text: str) -> None:
        assert read(text) == ["E1"]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "1. open box 3; 2. tell its colour",
            "[1, 2]",
            "[]",
            '[{"id": "E1", "tool": "open_box", "args": {"box": 3}}, {"id": "E2", "to',
            "[{" * 5000 + "]",
            "[{'id': " + "(" * 5000 + "]",
            "[{'id': {1j}, 'tool': 'open_box'}]",
            "[{'id': 1" + "0" * 6000 + "}]",
            "[{'id': '\\ud800', 'tool': 'open_box'}]",
        ],
    )
    def test_what_is_no_plan(self, text: str) -> None:
        assert read(text) == []

    @pytest.mark.parametrize(
        "bad",
        [
            step("E1", "open_box"),
            step("2", "open_box"),
            step("E2", "answer", text="red"),
            step("E2", "open_box", box="#E2.box"),
            step("E2", "open_box", box=["#E3"]),
            {"id": "E2", "tool": "open_box", "args": "box 3"},
            {"id": "E2", "tool": ["open_box"], "args": {}},
            {"tool": "open_box", "args": {}},
            "then tell the colour",
        ],
    )
    def test_it_ends_before_a_step_that_cannot_be_used(self, bad: Json) -> None:
        text = json.dumps([step("E1", "open_box", box=3), bad, step("E3", "open_box", box=4)])
        assert read(text) == ["E1"]

    def test_no_more_steps_than_asked_for(self) -> None:
        text = plan(*(step(f"E{i}", "open_box", box=i) for i in range(1, 10))).text
        assert read(text, 8) == [f"E{i}" for i in range(1, 9)]

    @given(st.text(max_size=80) | st.text("[]{}'\":,E1#idtoolargs ", max_size=80))
    def test_no_text_is_too_odd(self, text: str) -> None:
        assert isinstance(read_plan(text, TOOL_NAMES, 8), tuple)
        assert isinstance(read_plan(f"[{{{text}]", TOOL_NAMES, 8), tuple)


class TestFill:
    RESULTS: dict[str, Json] = {
        "E1": {"box": 3, "größe": None, "owner": {"name": "Ann"}},
        "E2": [{"box": 4}],
        "E3": [{"box": 5}, {"box": 6}],
        "E4": "painted",
        "E11": 11,
    }

    @pytest.mark.parametrize(
        ("value", "filled"),
        [
            ("#E1.box", 3),
            ("#E1.größe", None),
            ("#E1.owner.name", "Ann"),
            ("#E1.owner", {"name": "Ann"}),
            ("box #E1.box of #E1.owner.name.", "box 3 of Ann."),
            ("of #E1.owner", 'of {"name":"Ann"}'),
            ("#E2.box", 4),
            ("#E3[1].box", 6),
            ("#E3.0.box", 5),
            ("#E4", "painted"),
            ("#E11", 11),
            (["#E4", {"deep": "#E11"}, 7], ["painted", {"deep": 11}, 7]),
            ("order #7, #Eve and #E1x", "order #7, #Eve and #E1x"),
        ],
    )
    def test_references(self, value: Json, filled: Json) -> None:
        assert fill(value, self.RESULTS) == filled

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ("#E9", "E9 has no result"),
            ("#E1.colour", "the result of E1 has no field colour"),
            ("a #E4.colour one", "the result of E4 has no field colour"),
            ("#E3.box", "the result of E3 has no field box"),
            ("#E3[2]", "the result of E3 has no number 2"),
        ],
    )
    def test_what_is_not_there(self, value: Json, why: str) -> None:
        with pytest.raises(LookupError, match=why):
            fill(value, self.RESULTS)

    def test_a_result_is_json_or_text(self) -> None:
        assert result_value('{"a": [1]}') == {"a": [1]}
        assert result_value("12") == 12
        assert result_value("painted {red") == "painted {red"
        assert result_value("[" * 9000) == "[" * 9000


def test_a_result_that_no_json_reader_takes_is_text():
    assert result_value("\ud800") == "\ud800"
    assert result_value('{"a": 1}') == {"a": 1}
    assert result_value("{") == "{"
