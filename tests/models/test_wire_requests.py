"""Request bodies of both wire formats, read for levers and written back."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    ToolMessage,
    ToolSpec,
    UserMessage,
    with_messages,
)
from leanloop.levers.memory.keep_observations import MASK, KeepObservations
from leanloop.models import chat_request, messages_request
from leanloop.models.originals import NO_LIMIT, patched
from tests.models.wire_server import (
    WireServer,
    chat_call,
    chat_calls,
    chat_reply,
    clear_environment,
    messages_reply,
    text_block,
    use_block,
)

LONG = "an observation that is longer than the mask that stands for it"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln+/=="}
NOTE = ToolSpec("note", "Write a note.", {"type": "object"})


def dropping(request: Request, *indices: int) -> Request:
    return with_messages(request, [m for i, m in enumerate(request.messages) if i not in indices])


def adding(request: Request, at: int, *messages: Message) -> Request:
    return with_messages(request, (*request.messages[:at], *messages, *request.messages[at:]))


def chat_body() -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"id": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": n, "parameters": parameters, "strict": True}}
        for n in ("get", "put")
    ]
    return {
        "stream": True,
        "model": "m",
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "house"},
            {"role": "user", "content": [{"type": "text", "text": "Which?"}, IMAGE], "x": 1},
            {
                **chat_calls(chat_call("a", "get", '{"id": 1}'), chat_call("b", "put", "{oops")),
                "reasoning_content": "hm",
                "refusal": None,
            },
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": LONG}]},
            {"role": "tool", "tool_call_id": "b", "content": LONG, "x": "ü"},
        ],
        "tools": tools,
        "max_completion_tokens": 99,
        "seed": None,
        "temperature": 0.5,
        "reasoning_effort": "low",
        "logit_bias": {"1": 2},
    }


class TestChat:
    def test_what_levers_see(self) -> None:
        request = chat_request.read_request(chat_body(), "p:m").request
        system, user, said, first, second = request.messages
        assert (system, user) == (SystemMessage("Be brief."), UserMessage("Which?"))
        assert isinstance(said, AssistantMessage)
        assert [(c.call_id, c.name) for c in said.tool_calls] == [("a", "get"), ("b", "put")]
        assert said.tool_calls[0].arguments == {"id": 1}
        assert first == ToolMessage("a", "get", LONG)
        assert second == ToolMessage("b", "put", LONG)
        assert [(t.name, t.description) for t in request.tools] == [("get", ""), ("put", "")]
        assert (request.model, request.tools_allowed, request.max_output_tokens) == ("m", True, 99)
        assert (request.seed, request.temperature, request.effort) == (0, 0.5, "low")

    def test_a_body_without_settings(self) -> None:
        body = {"model": "m", "messages": [], "tool_choice": "none"}
        request = chat_request.read_request(body).request
        assert request == Request("m", (), (), tools_allowed=False, max_output_tokens=NO_LIMIT)

    async def test_only_the_masked_observation_is_written_anew(self) -> None:
        body = chat_body()
        before = copy.deepcopy(body)
        wire = chat_request.read_request(body, "p:m")
        sent = wire.write(await KeepObservations(1).on_request(wire.request))
        expected = copy.deepcopy(before)
        expected["messages"][3]["content"] = MASK
        assert json.dumps(sent) == json.dumps(expected), "fields keep their order too"
        assert [a is b for a, b in zip(sent["messages"], body["messages"], strict=True)] == [
            True, True, True, False, True,
        ]  # fmt: skip
        assert sent["tools"] is body["tools"]
        assert body == before

    def test_messages_of_levers_are_built(self) -> None:
        wire = chat_request.read_request(chat_body())
        changed = adding(wire.request, 2, AssistantMessage("plan"), UserMessage("go"))
        sent = wire.write(adding(changed, 1, SystemMessage("Be kind.")))
        assert sent["messages"][1] == {"role": "developer", "content": "Be kind."}
        assert sent["messages"][3:5] == [
            {"role": "assistant", "content": "plan"},
            {"role": "user", "content": "go"},
        ]

    def test_what_a_lever_kept_of_an_earlier_reading_is_known_again(self) -> None:
        earlier = chat_request.read_request(chat_body()).request
        body = chat_body()
        wire = chat_request.read_request(body)
        sent = wire.write(with_messages(wire.request, earlier.messages[:2]))
        assert sent["messages"][0] is body["messages"][0]
        assert sent["messages"][1] is body["messages"][1]
        repeated = adding(wire.request, 2, UserMessage("Which?"))
        sent = wire.write(repeated)
        assert sent["messages"][2] == {"role": "user", "content": "Which?"}, "a lever's own"

    def test_an_assistant_message_is_edited_only_without_verbatim(self) -> None:
        body = chat_body()
        wire = chat_request.read_request(body, "p:m")
        said = wire.request.messages[2]
        assert isinstance(said, AssistantMessage)
        signed = msgspec.structs.replace(said, text="other")
        edited = msgspec.structs.replace(signed, verbatim=None)
        for message, changed in ((signed, False), (edited, True)):
            messages = (*wire.request.messages[:2], message, *wire.request.messages[3:])
            sent = wire.write(with_messages(wire.request, messages))
            if changed:
                assert sent["messages"][2] == {**body["messages"][2], "content": "other"}
            else:
                assert sent is body

    def test_settings_are_written_where_they_stood(self) -> None:
        wire = chat_request.read_request(chat_body())
        changed = msgspec.structs.replace(
            wire.request, model="l", max_output_tokens=7, seed=3, temperature=None, effort="high"
        )
        sent = wire.write(msgspec.structs.replace(changed, tools_allowed=False))
        assert "temperature" not in sent
        assert (sent["model"], sent["seed"], sent["reasoning_effort"]) == ("l", 3, "high")
        assert (sent["max_completion_tokens"], sent["tool_choice"]) == (7, "none")
        assert "max_tokens" not in sent
        assert list(sent)[:2] == ["stream", "model"]
        bare = chat_request.read_request({"messages": []}, limit_field="max_tokens")
        few = msgspec.structs.replace(bare.request, max_output_tokens=7)
        assert bare.write(few) == {"messages": [], "max_tokens": 7}

    def test_tools_changed_added_and_left_out(self) -> None:
        body = chat_body()
        body["tools"][1] |= MARK
        wire = chat_request.read_request(body)
        get, put = wire.request.tools
        asked = msgspec.structs.replace(get, description="Get it.")
        sent = wire.write(msgspec.structs.replace(wire.request, tools=(asked, put, NOTE)))
        function = {**body["tools"][0]["function"], "description": "Get it."}
        assert sent["tools"][0] == {"type": "function", "function": function}
        assert sent["tools"][1] is body["tools"][1]
        assert sent["tools"][2]["function"]["name"] == "note"
        assert "cache_control" not in sent["tools"][2]
        sent = wire.write(msgspec.structs.replace(wire.request, tools=(get, NOTE)))
        assert [t["function"]["name"] for t in sent["tools"]] == ["get", "note"]
        assert sent["tools"][0] == {**body["tools"][0], **MARK}, "the breakpoint is taken over"
        sent = wire.write(msgspec.structs.replace(wire.request, tools=()))
        assert "tools" not in sent

    def test_a_chosen_tool_and_a_custom_one_stay(self) -> None:
        body = chat_body()
        body["tools"].append({"type": "custom", "custom": {"name": "shell"}})
        body["tool_choice"] = {"type": "function", "function": {"name": "put"}}
        wire = chat_request.read_request(body)
        assert [t.name for t in wire.request.tools] == ["get", "put"]
        sent = wire.write(msgspec.structs.replace(wire.request, tools=wire.request.tools[:1]))
        assert sent is body

    def test_older_and_custom_calls(self) -> None:
        call = {"name": "get", "arguments": "{}"}
        custom = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
        body = {
            "messages": [
                {"role": "assistant", "content": None, "function_call": call},
                {"role": "function", "name": "get", "content": LONG},
                {"role": "assistant", "content": "", "tool_calls": [custom]},
                {"role": "tool", "tool_call_id": "c", "content": LONG},
            ]
        }
        wire = chat_request.read_request(body)
        calls = [c for m in wire.request.messages if isinstance(m, AssistantMessage)
                 for c in m.tool_calls]  # fmt: skip
        results = [m for m in wire.request.messages if isinstance(m, ToolMessage)]
        assert [(c.call_id, c.name) for c in calls] == [(r.call_id, r.name) for r in results]
        assert [c.name for c in calls] == ["get", "shell"]
        assert calls[1].arguments == {"input": "ls"}
        masked = ToolMessage(results[0].call_id, "get", MASK)
        sent = wire.write(adding(dropping(wire.request, 1), 1, masked))
        assert sent["messages"][1] == {"role": "function", "name": "get", "content": MASK}

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ({}, "messages"),
            ({"messages": "hi"}, "messages"),
            ({"messages": [{"role": "user", "content": "a"}, "b"]}, r"messages\[1\]"),
            ({"messages": [{"role": "wizard", "content": "a"}]}, r"messages\[0\]"),
            ({"messages": [{"role": "tool", "content": "a"}]}, r"messages\[0\]"),
            ({"messages": [], "tools": [{"function": {}}]}, "tools"),
        ],
    )
    def test_what_no_api_would_take_is_refused(self, body: dict[str, Any], where: str) -> None:
        with pytest.raises(BadInputError, match=f"^{where}: .*send the body on as it is"):
            chat_request.read_request(body)


def messages_body() -> dict[str, Any]:
    result = {"type": "tool_result", "is_error": False}
    return {
        "model": "m",
        "system": [text_block("Be brief."), {**text_block("Be kind."), **MARK}],
        "messages": [
            {"role": "user", "content": [text_block("Which?"), PICTURE]},
            {
                "role": "assistant",
                "content": [THOUGHT, text_block("I look."), use_block("a", "get", {"id": 1}),
                            use_block("b", "get", {"id": 2})],
            },
            {
                "role": "user",
                "content": [
                    {**result, "tool_use_id": "a", "content": [text_block(LONG), PICTURE], **MARK},
                    {**result, "tool_use_id": "b", "content": LONG},
                    text_block("Hurry."),
                ],
                "x": "ü",
            },
            {"role": "system", "content": "Answer in French."},
            {"role": "assistant", "content": [use_block("c", "get", {"id": 3})]},
            {"role": "user", "content": [{**result, "tool_use_id": "c", "content": LONG}]},
        ],
        "tools": [
            {"name": "get", "input_schema": {"type": "object"}, "strict": True},
            {"type": "web_search_20250305", "name": "web_search", **MARK},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "max_tokens": 2000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": None},
    }  # fmt: skip


class TestMessages:
    def test_what_levers_see(self) -> None:
        request = messages_request.read_request(messages_body(), "p:m").request
        assert [type(m).__name__.removesuffix("Message") for m in request.messages] == [
            "System", "System", "User", "Assistant", "Tool", "Tool", "User", "System",
            "Assistant", "Tool",
        ]  # fmt: skip
        assert request.messages[4:7] == (
            ToolMessage("a", "get", LONG),
            ToolMessage("b", "get", LONG),
            UserMessage("Hurry."),
        )
        said = request.messages[3]
        assert isinstance(said, AssistantMessage)
        assert said.verbatim["blocks"][0] is not None
        assert [t.name for t in request.tools] == ["get"]
        assert (request.max_output_tokens, request.effort) == (2000, "low")

    async def test_only_the_masked_block_is_written_anew(self) -> None:
        body = messages_body()
        before = copy.deepcopy(body)
        wire = messages_request.read_request(body, "p:m")
        sent = wire.write(await KeepObservations(2).on_request(wire.request))
        expected = copy.deepcopy(before)
        expected["messages"][2]["content"][0]["content"] = MASK
        assert json.dumps(sent) == json.dumps(expected)
        same = [a is b for a, b in zip(sent["messages"], body["messages"], strict=True)]
        assert same == [True, True, False, True, True, True]
        blocks = sent["messages"][2]["content"], body["messages"][2]["content"]
        assert [a is b for a, b in zip(*blocks, strict=True)] == [False, True, True]
        assert body == before

    def test_an_error_flag_is_written(self) -> None:
        wire = messages_request.read_request(messages_body())
        failed = ToolMessage("c", "get", LONG, is_error=True)
        sent = wire.write(adding(dropping(wire.request, 9), 9, failed))
        assert sent["messages"][5]["content"][0] == {
            "type": "tool_result", "is_error": True, "tool_use_id": "c", "content": LONG,
        }  # fmt: skip

    def test_messages_of_levers_join_the_turns(self) -> None:
        body = messages_body()
        wire = messages_request.read_request(body)
        note = UserMessage("a note")
        sent = wire.write(adding(wire.request, 10, note))
        assert sent["messages"][:5] == body["messages"][:5]
        last = body["messages"][5]["content"]
        assert sent["messages"][5]["content"] == [*last, text_block("a note")]
        plan = (UserMessage("plan?"), AssistantMessage("look"), UserMessage("go"))
        sent = wire.write(adding(wire.request, 3, *plan))
        assert [m["role"] for m in sent["messages"][:4]] == [
            "user", "assistant", "user", "assistant",
        ]  # fmt: skip
        assert sent["messages"][0]["content"][1] is PICTURE
        assert sent["messages"][3] is body["messages"][1]

    def test_a_blank_message_of_a_lever_is_no_block(self) -> None:
        wire = messages_request.read_request(messages_body())
        assert wire.write(adding(wire.request, 10, UserMessage(" "))) is wire.body

    def test_a_summary_in_place_of_a_round_keeps_its_user_and_system_text(self) -> None:
        body = messages_body()
        wire = messages_request.read_request(body)
        dropped = dropping(wire.request, 3, 4, 5)
        sent = wire.write(adding(dropped, 5, UserMessage("summary")))
        first, system, *rest = sent["messages"]
        assert first["content"] == [
            text_block("Which?"), PICTURE, text_block("Hurry."), text_block("summary"),
        ]  # fmt: skip
        assert system is body["messages"][3], "behind the user turn, where the API takes it"
        assert rest == body["messages"][4:]
        assert "signature" not in json.dumps(sent)

    def test_a_turn_of_which_a_part_is_gone_is_not_sent_whole(self) -> None:
        body = messages_body()
        wire = messages_request.read_request(body)
        sent = wire.write(dropping(wire.request, 6))
        assert sent["messages"][2] == {
            **body["messages"][2],
            "content": body["messages"][2]["content"][:2],
        }
        assert sent["messages"][3:] == body["messages"][3:]

    def test_results_come_first(self) -> None:
        body = messages_body()
        content = body["messages"][2]["content"]
        content.insert(0, content.pop())
        wire = messages_request.read_request(body)
        assert wire.write(with_messages(wire.request, list(wire.request.messages))) is body
        masked = ToolMessage("a", "get", MASK)
        sent = wire.write(adding(dropping(wire.request, 4), 4, masked))
        types = [b["type"] for b in sent["messages"][2]["content"]]
        assert types == ["tool_result", "tool_result", "text"]

    def test_a_turn_with_thinking_is_never_edited(self) -> None:
        body = messages_body()
        wire = messages_request.read_request(body, "p:m")
        said = wire.request.messages[3]
        assert isinstance(said, AssistantMessage)
        bare = msgspec.structs.replace(said, text="", verbatim=None)
        assert wire.write(adding(dropping(wire.request, 3), 3, bare)) is body

    def test_a_turn_without_thinking_keeps_what_was_not_edited(self) -> None:
        body = messages_body()
        body["messages"][4]["content"][0] |= MARK
        wire = messages_request.read_request(body, "p:m")
        said = wire.request.messages[8]
        assert isinstance(said, AssistantMessage)
        edited = msgspec.structs.replace(said, text="why", verbatim=None)
        sent = wire.write(adding(dropping(wire.request, 8), 8, edited))
        assert sent["messages"][4]["content"] == [
            text_block("why"), body["messages"][4]["content"][0],
        ]  # fmt: skip

    def test_system_text_of_levers_goes_behind_the_bodys(self) -> None:
        body = messages_body()
        wire = messages_request.read_request(body)
        sent = wire.write(adding(wire.request, 10, SystemMessage("Be nice.")))
        assert sent["system"] == [*body["system"], text_block("Be nice.")]
        assert sent["messages"] is body["messages"]
        plain = messages_request.read_request({**body, "system": "Be."})
        assert (
            plain.write(with_messages(plain.request, list(plain.request.messages)))["system"]
            == "Be."
        )
        sent = plain.write(adding(plain.request, 0, SystemMessage("Then")))
        assert sent["system"] == [text_block("Then"), text_block("Be.")]

    def test_neighbours_of_one_role_are_left_as_they_came(self) -> None:
        body = messages_body()
        turns = body["messages"]
        split = [{"role": "assistant", "content": [b]} for b in turns[1]["content"]]
        shown = [{"role": "user", "content": [b]} for b in turns[2]["content"]]
        body["messages"] = [turns[0], *split, *shown, *turns[3:]]
        wire = messages_request.read_request(body)
        assert len(wire.request.messages) == 10, "one message for the joined assistant turns"
        sent = wire.write(adding(wire.request, 10, UserMessage("x")))
        assert all(a is b for a, b in zip(sent["messages"][:-1], body["messages"], strict=False))
        sent = wire.write(adding(dropping(wire.request, 4), 4, ToolMessage("a", "get", MASK)))
        assert [m["role"] for m in sent["messages"][4:7]] == ["assistant", "user", "system"]

    def test_settings_are_written_where_they_stood(self) -> None:
        wire = messages_request.read_request(messages_body())
        changed = msgspec.structs.replace(
            wire.request, max_output_tokens=1500, seed=3, temperature=1.0, effort=""
        )
        sent = wire.write(msgspec.structs.replace(changed, tools_allowed=False))
        assert (sent["max_tokens"], sent["temperature"]) == (1500, 1.0)
        assert sent["output_config"] == {"format": None}
        assert sent["tool_choice"] == {"type": "none"}
        assert "seed" not in sent
        few = wire.write(msgspec.structs.replace(wire.request, max_output_tokens=100))
        assert few["max_tokens"] == 1124, "what thinking may take comes on top"

    def test_tools_changed_added_and_left_out(self) -> None:
        body = messages_body()
        wire = messages_request.read_request(body)
        (get,) = wire.request.tools
        more = msgspec.structs.replace(get, parameters={"type": "object", "properties": {}})
        sent = wire.write(msgspec.structs.replace(wire.request, tools=(more, NOTE)))
        assert sent["tools"][0] == {**body["tools"][0], "input_schema": more.parameters}
        assert sent["tools"][1] is body["tools"][1], "a server's tool and its breakpoint stay"
        assert sent["tools"][2] == {
            "name": "note", "description": "Write a note.", "input_schema": {"type": "object"},
        }  # fmt: skip
        sent = wire.write(msgspec.structs.replace(wire.request, tools=()))
        assert sent["tools"] == body["tools"][1:]
        forced = messages_request.read_request(
            {**body, "tool_choice": {"type": "tool", "name": "get"}}
        )
        assert forced.write(msgspec.structs.replace(forced.request, tools=())) is forced.body

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ({}, "messages"),
            ({"messages": [{"role": "tool", "content": "a"}]}, r"messages\[0\]"),
            ({"messages": [{"role": "user", "content": "a"}, 7]}, r"messages\[1\]"),
            ({"messages": [{"role": "user", "content": [{}]}]}, r"messages\[0\]"),
            ({"messages": [], "system": [7]}, "system"),
            ({"messages": [], "tools": [{"input_schema": {}}]}, "tools"),
        ],
    )
    def test_what_no_api_would_take_is_refused(self, body: dict[str, Any], where: str) -> None:
        with pytest.raises(BadInputError, match=f"^{where}: .*send the body on as it is"):
            messages_request.read_request(body)


@pytest.mark.parametrize(
    ("original", "old", "new", "expected"),
    [
        ({"a": 1, "z": 2}, {"a": 1}, {"a": 3}, {"a": 3, "z": 2}),
        ({"a": 1, "z": 2}, {"a": 1}, {}, {"z": 2}),
        ({"z": 2}, {"a": ""}, {"a": "", "b": 1}, {"z": 2, "b": 1}),
        ([{"x": 1}, {"y": 2}], [{}, {"k": 0}], [{}, {"k": 1}], [{"x": 1}, {"y": 2, "k": 1}]),
        ([1, 2], [1], [3], [3]),
    ],
)
def test_patched(original: Any, old: Any, new: Any, expected: Any) -> None:
    assert patched(original, old, new) == expected


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WireServer]:
    clear_environment(monkeypatch)
    with WireServer() as server:
        yield server


def compact(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


class TestOfficialClients:
    """Bodies that the SDKs build come back byte for byte."""

    def test_openai(self, server: WireServer) -> None:
        client = openai.OpenAI(api_key="k", base_url=f"{server.url}/v1")
        calls = chat_calls(chat_call("a", "get", "{}"), chat_call("b", "get", '{"größe": 1}'))
        server.say(chat_reply({**calls, "reasoning_content": "hm"}))
        body = chat_body()
        history: list[Any] = body["messages"][:2]
        tools: Any = body["tools"]
        send = client.chat.completions.create
        reply = send(model="m", messages=history, tools=tools, tool_choice="required", n=1)
        history.append(reply.choices[0].message)
        history += [{"role": "tool", "tool_call_id": i, "content": LONG} for i in "ab"]
        send(model="m", messages=history, tools=tools, extra_body={"top_k": 3}, user="ü")
        client.close()
        assert len(server.requests) == 2
        for sent in server.requests:
            body = json.loads(sent.raw)
            wire = chat_request.read_request(body)
            assert compact(wire.write(wire.request)) == sent.raw
            again = wire.write(with_messages(wire.request, list(wire.request.messages)))
            assert compact(again) == sent.raw
        assert len(wire.request.messages) == 5

    def test_anthropic(self, server: WireServer) -> None:
        client = anthropic.Anthropic(api_key="k", base_url=server.url)
        uses = [use_block("a", "get", {"größe": 1}), use_block("b", "get", {})]
        server.say(messages_reply([THOUGHT, *uses], stop="tool_use"))
        body = messages_body()
        history: list[Any] = body["messages"][:1]
        fixed: dict[str, Any] = {k: v for k, v in body.items() if k != "messages"}
        reply = client.messages.create(messages=history, **fixed)
        results = [{"type": "tool_result", "tool_use_id": i, "content": LONG} for i in "ab"]
        history += [
            {"role": "assistant", "content": reply.content},
            {"role": "user", "content": [*results, text_block("Hurry.")]},
        ]
        client.messages.create(messages=history, extra_body={"x": [1]}, **fixed)
        client.close()
        assert len(server.requests) == 2
        for sent in server.requests:
            body = json.loads(sent.raw)
            wire = messages_request.read_request(body)
            assert compact(wire.write(wire.request)) == sent.raw
            again = wire.write(with_messages(wire.request, list(wire.request.messages)))
            assert compact(again) == sent.raw
        assert [type(m) for m in wire.request.messages[3:]] == [
            AssistantMessage, ToolMessage, ToolMessage, UserMessage,
        ]  # fmt: skip
