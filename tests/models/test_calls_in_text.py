import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage
from leanloop.models.builtin import ModelSpec, build_model
from leanloop.models.calls_in_text import CallsInText, read_calls
from leanloop.models.scripted import ScriptedModel
from tests.models.conformance import GET_ORDER, LOOK_UP, ModelConformance

CALL = {"name": "get_order", "arguments": {"order_id": "A-17"}}


def in_text(request: Request) -> AssistantMessage:
    """As a server answers that does not know how its model writes calls."""
    if not request.tools or isinstance(request.messages[-1], ToolMessage):
        return AssistantMessage(text="It was shipped.")
    return AssistantMessage(text=f"```json\n{json.dumps(CALL)}\n```")


class TestCallsInText(ModelConformance):
    @pytest.fixture
    def model(self) -> CallsInText:
        return CallsInText(ScriptedModel(in_text, name="in-text"))


def read(text: str) -> tuple[ToolCall, ...]:
    return read_calls(AssistantMessage(text=text), (GET_ORDER,), 3).tool_calls


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CALL),
        f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>",
        json.dumps([CALL]),
        f"{{{json.dumps(CALL)}}}",
        json.dumps({"name": "get_order", "parameters": {"order_id": "A-17"}}),
        f"```\n{json.dumps(CALL, indent=2)}\n```",
        f'{json.dumps(CALL)} {{"status": "made up"}}',
        f"{json.dumps(CALL)}\nThe order was shipped.",
    ],
)
def test_a_call_is_read_however_it_is_dressed(text: str) -> None:
    assert read(text) == (ToolCall("text-3-0", "get_order", {"order_id": "A-17"}),)


def test_several_calls_have_ids_of_their_own() -> None:
    both = read(f"<tool_call>{json.dumps(CALL)}</tool_call>\n<tool_call>{json.dumps(CALL)}")
    assert [c.call_id for c in both] == ["text-3-0", "text-3-1"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The order was shipped.",
        f"I call {json.dumps(CALL)}",
        json.dumps({"name": "drop_table", "arguments": {}}),
        json.dumps({**CALL, "why": "to see"}),
        json.dumps({"name": ["get_order"], "arguments": {}}),
        json.dumps({"name": "get_order", "arguments": "A-17"}),
        "17",
        "[]",
        "null",
    ],
)
def test_what_does_not_begin_with_a_call_stays_an_answer(text: str) -> None:
    message = AssistantMessage(text=text, verbatim={"role": "assistant", "content": text})
    assert read_calls(message, (GET_ORDER,), 3) is message


@given(st.text())
def test_no_answer_is_lost(text: str) -> None:
    said = read_calls(AssistantMessage(text=text), (GET_ORDER,), 1)
    assert said.text == text or said.tool_calls


async def test_where_calls_are_forbidden_none_is_read() -> None:

    model = CallsInText(ScriptedModel(in_text, name="in-text"))
    response = await model.complete(replace(LOOK_UP, tools_allowed=False))
    assert response.message.tool_calls == ()


def test_a_study_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    spec = ModelSpec("openai", "m", base_url="http://127.0.0.1:1/v1", calls_in_text=True)
    assert isinstance(build_model("small", spec), CallsInText)
    with pytest.raises(BadInputError, match=r"models\.small\.calls_in_text"):
        build_model("small", ModelSpec("scripted", "m:f", calls_in_text=True))
