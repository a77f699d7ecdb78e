import asyncio
import json
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from leanloop.core.configuration import Configuration
from leanloop.core.errors import ModelError, OutageError
from leanloop.core.message import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.run import Status
from leanloop.core.tokens import Tokens
from leanloop.loop.agent import Agent
from leanloop.models.anthropic_messages import AnthropicMessages
from leanloop.models.endpoint import Endpoint
from leanloop.models.message_blocks import read_usage
from tests.models.conformance import LOOK_UP, QUESTION, SYSTEM, ModelConformance
from tests.models.tiny_suite import TASK, TinySuite
from tests.models.wire_server import (
    CUT,
    DROPPED,
    Reply,
    Sent,
    WireServer,
    clear_environment,
    messages_reply,
    soon,
    text_block,
    use_block,
)

KEY = "sk-ant-test-0123456789abcdef"
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
THOUGHT = {"type": "thinking", "thinking": "A-17 … “hm”\n", "signature": "c2lnbmVk+/=="}
REDACTED = {"type": "redacted_thinking", "data": "b3BhcXVl"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WireServer]:
    clear_environment(monkeypatch)
    with WireServer() as server:
        yield server


def connect(
    server: WireServer, name: str = "claude-test", *, cache: bool = True, **options: Any
) -> AnthropicMessages:
    endpoint = Endpoint(KEY, server.url, **{"timeout_s": 5.0, "max_retries": 2, **options})
    return AnthropicMessages(name, endpoint, cache=cache)


@pytest.fixture
async def model(server: WireServer) -> AsyncIterator[AnthropicMessages]:
    model = connect(server)
    yield model
    await model.close()


def forbidding(request: Request) -> Request:
    return Request("m", request.messages, request.tools, tools_allowed=False)


class TestConformance(ModelConformance):
    pass


class TestRequest:
    async def test_the_body_has_what_the_endpoint_needs(self, server: WireServer) -> None:
        model = connect(server, cache=False)
        await model.complete(LOOK_UP)
        await model.close()
        (sent,) = server.requests
        assert sent.path == "/v1/messages"
        assert KEY in (sent.headers.get("x-api-key", "") + sent.headers.get("authorization", ""))
        assert sent.body == {
            "model": "claude-test",
            "max_tokens": 256,
            "system": [text_block(SYSTEM.text)],
            "messages": [
                {"role": "user", "content": [text_block("What is the status of order A-17?")]}
            ],
            "tools": [
                {
                    "name": "get_order",
                    "description": "An order's record, with its status.",
                    "input_schema": LOOK_UP.tools[0].parameters,
                }
            ],
        }

    async def test_tools_stay_in_the_body_when_calls_are_forbidden(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        await model.complete(LOOK_UP)
        await model.complete(forbidding(LOOK_UP))
        free, bound = [sent.body for sent in server.requests]
        assert bound.pop("tool_choice") == {"type": "none"}
        assert free == bound

    async def test_no_tools_no_tool_keys(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        await model.complete(forbidding(QUESTION))
        assert not {"tools", "tool_choice"} & set(server.requests[0].body)

    async def test_an_effort_is_sent_when_asked_for(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        await model.complete(replace(QUESTION, effort="low"))
        await model.complete(QUESTION)
        low, plain = [sent.body for sent in server.requests]
        assert low.pop("output_config") == {"effort": "low"}
        assert low == plain
        assert "temperature" not in plain

    async def test_every_system_text_goes_to_the_system(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        more = (*QUESTION.messages, SystemMessage("Be short."), SystemMessage(" "))
        await model.complete(with_messages(QUESTION, more))
        body = server.requests[0].body
        assert [b["text"] for b in body["system"]] == [SYSTEM.text, "Be short."]
        assert [m["role"] for m in body["messages"]] == ["user"]


class TestCacheBreakpoints:
    async def test_the_system_text_and_the_last_block_are_marked(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        more = (SYSTEM, SystemMessage("Be short."), *LOOK_UP.messages[1:], UserMessage("Please."))
        await model.complete(with_messages(LOOK_UP, more))
        body = server.requests[0].body
        assert body["system"][1] == {**text_block("Be short."), **EPHEMERAL}
        assert body["messages"][0]["content"][1] == {**text_block("Please."), **EPHEMERAL}
        assert server.requests[0].raw.count("cache_control") == 2

    async def test_without_a_system_text_the_last_tool_is_marked(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        await model.complete(with_messages(LOOK_UP, LOOK_UP.messages[1:]))
        body = server.requests[0].body
        assert "system" not in body
        assert body["tools"][0]["cache_control"] == {"type": "ephemeral"}
        assert server.requests[0].raw.count("cache_control") == 2

    async def test_what_the_model_sent_is_never_marked(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        said = AssistantMessage("So", (), {"ref": model.ref, "blocks": [text_block("So")]})
        more = (*QUESTION.messages, said, AssistantMessage("what?"))
        await model.complete(with_messages(QUESTION, more))
        content = server.requests[0].body["messages"][-1]["content"]
        assert content == [text_block("So"), text_block("what?")]
        assert said.verbatim["blocks"] == [text_block("So")]

    async def test_no_marks_when_caching_is_off(self, server: WireServer) -> None:
        model = connect(server, cache=False)
        await model.complete(LOOK_UP)
        await model.close()
        assert "cache_control" not in server.requests[0].raw


class TestHistory:
    async def test_thinking_goes_back_byte_by_byte(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        blocks = [
            {"signature": "first key", **THOUGHT},
            REDACTED,
            {**text_block("Let me look."), "citations": None},
            {**use_block("t1", "get_order", {"order_id": "A-17"}), "caller": {"type": "direct"}},
        ]
        server.say(messages_reply(blocks, stop="tool_use"))
        message = (await model.complete(LOOK_UP)).message
        assert message.text == "Let me look."
        assert message.tool_calls == (ToolCall("t1", "get_order", {"order_id": "A-17"}),)
        result = ToolMessage("t1", "get_order", "shipped")
        await model.complete(with_messages(LOOK_UP, (*LOOK_UP.messages, message, result)))
        exact = json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))
        assert f'"content":{exact}' in server.requests[1].raw

    async def test_another_models_thinking_stays_behind(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        other = connect(server, "claude-other")
        server.say(messages_reply([THOUGHT, text_block("Hello")]))
        message = (await other.complete(QUESTION)).message
        await other.close()
        more = (*QUESTION.messages, message, UserMessage("Again."))
        await model.complete(with_messages(QUESTION, more))
        assert server.requests[1].body["messages"][1] == {
            "role": "assistant",
            "content": [text_block("Hello")],
        }

    async def test_neighbours_of_one_role_are_one_turn(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        calls = tuple(ToolCall(f"t{i}", "get_order", {"order_id": f"A-{i}"}) for i in range(2))
        more = (
            *LOOK_UP.messages,
            AssistantMessage("First"),
            AssistantMessage("", calls, verbatim="text of the embedded model"),
            ToolMessage("t0", "get_order", "shipped"),
            ToolMessage("t1", "get_order", "no such order", is_error=True),
            UserMessage("Give your answer now."),
        )
        await model.complete(with_messages(LOOK_UP, more))
        _, said, results = server.requests[0].body["messages"]
        assert said["role"] == "assistant"
        assert said["content"] == [
            text_block("First"),
            use_block("t0", "get_order", {"order_id": "A-0"}),
            use_block("t1", "get_order", {"order_id": "A-1"}),
        ]
        assert results["role"] == "user"
        assert results["content"] == [
            {"type": "tool_result", "tool_use_id": "t0", "content": "shipped"},
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": "no such order",
                "is_error": True,
                # What a lever shows behind it is other text the next time.
                **EPHEMERAL,
            },
            {**text_block("Give your answer now."), **EPHEMERAL},
        ]

    async def test_empty_messages_are_left_out(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        more = (*QUESTION.messages, AssistantMessage(""), UserMessage("Well?"))
        await model.complete(with_messages(QUESTION, more))
        (turn,) = server.requests[0].body["messages"]
        assert [b["text"] for b in turn["content"]] == ["Say hello.", "Well?"]


class TestStaleThinking:
    REFUSAL = Reply(
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "messages.1.content.0: Invalid `signature` in `thinking` block. The "
                "block is bound to a different conversation. Remove the block, or set "
                '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block".',
            },
        },
        400,
    )
    BETA = "thinking-binding-controls-2026-08-01"

    async def test_it_is_dropped_once_the_endpoint_refuses_it(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        server.say(self.REFUSAL)
        assert (await model.complete(QUESTION)).message.text
        await model.complete(QUESTION)
        refused, again, later = server.requests
        assert "thinking" not in refused.body
        assert "anthropic-beta" not in refused.headers
        for sent in (again, later):
            assert sent.headers["anthropic-beta"] == self.BETA
            assert sent.body["thinking"] == {
                "type": "adaptive",
                "block_binding": {"prefix_mismatch_behavior": "drop_block"},
            }

    async def test_requests_under_way_at_the_time_are_sent_again_too(
        self, server: WireServer, model: AnthropicMessages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both = threading.Barrier(2, timeout=5)
        obey = server.reply_to

        def refuse_both(sent: Sent) -> Reply:
            if "drop_block" in sent.raw:
                return obey(sent)
            both.wait()
            return self.REFUSAL

        monkeypatch.setattr(server, "reply_to", refuse_both)
        responses = await asyncio.gather(model.complete(QUESTION), model.complete(QUESTION))
        assert all(r.message.text for r in responses)

    async def test_a_second_refusal_is_final(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        server.say(self.REFUSAL, self.REFUSAL)
        with pytest.raises(ModelError, match="bound to a different conversation"):
            await model.complete(QUESTION)
        assert len(server.requests) == 2


class TestToolCalls:
    async def test_parallel_calls_keep_their_order_and_ids(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        uses = [use_block(f"t{i}", "get_order", {"order_id": f"A-{i}"}) for i in range(3)]
        server.say(messages_reply(uses, stop="tool_use"))
        found = (await model.complete(LOOK_UP)).message.tool_calls
        assert [c.call_id for c in found] == ["t0", "t1", "t2"]
        assert [c.arguments["order_id"] for c in found] == ["A-0", "A-1", "A-2"]

    async def test_malformed_arguments_are_shown(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        block: dict[str, Any] = {**use_block("t1", "get_order", {}), "input": '{"order_id'}
        server.say(messages_reply([block], stop="tool_use"))
        (call,) = (await model.complete(LOOK_UP)).message.tool_calls
        assert call.arguments == {"_malformed": '{"order_id'}

    async def test_calls_that_were_forbidden_are_dropped(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        server.say(messages_reply([text_block("Shipped."), use_block("t1", "get_order", {})]))
        message = (await model.complete(forbidding(LOOK_UP))).message
        assert message == AssistantMessage("Shipped.")


class TestUsage:
    @pytest.mark.parametrize(
        ("usage", "tokens"),
        [
            (None, Tokens()),
            ({}, Tokens()),
            ({"input_tokens": 0, "output_tokens": 0}, Tokens()),
            ({"input_tokens": 9, "output_tokens": 4}, Tokens(9, 0, 0, 0, 4, 0)),
            (
                {
                    "input_tokens": 5,
                    "cache_read_input_tokens": 1000,
                    "cache_creation_input_tokens": 300,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 100,
                        "ephemeral_1h_input_tokens": 200,
                    },
                    "output_tokens": 50,
                    "output_tokens_details": {"thinking_tokens": 30},
                },
                Tokens(5, 1000, 100, 200, 20, 30),
            ),
            (
                {
                    "input_tokens": 5,
                    "cache_read_input_tokens": None,
                    "cache_creation_input_tokens": 300,
                    "cache_creation": None,
                    "output_tokens": 50,
                },
                Tokens(5, 0, 300, 0, 50, 0),
            ),
            (
                {"input_tokens": 0, "cache_read_input_tokens": 80, "output_tokens": 1},
                Tokens(0, 80, 0, 0, 1, 0),
            ),
        ],
    )
    def test_classes_are_disjoint(self, usage: Any, tokens: Tokens) -> None:
        assert read_usage(usage) == tokens

    async def test_usage_arrives_in_the_response(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        usage = {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 2}
        hello = [text_block("Hello")]
        server.say(messages_reply(hello, usage), messages_reply(hello))
        response = await model.complete(QUESTION)
        assert response.tokens == Tokens(6, 4, 0, 0, 2, 0)
        assert response.model_ref == "anthropic:claude-test-20261101"
        assert (await model.complete(QUESTION)).tokens == Tokens()

    @pytest.mark.parametrize(
        ("stop", "truncated"),
        [("max_tokens", True), ("model_context_window_exceeded", True), ("end_turn", False)],
    )
    async def test_a_cut_answer_is_truncated(
        self, server: WireServer, model: AnthropicMessages, stop: str, truncated: bool
    ) -> None:
        server.say(messages_reply([text_block("Hel")], stop=stop))
        assert (await model.complete(QUESTION)).truncated is truncated


class TestFailures:
    @pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
    async def test_a_passing_error_is_retried(
        self, server: WireServer, model: AnthropicMessages, status: int
    ) -> None:
        server.say(soon(status), soon(status))
        assert (await model.complete(QUESTION)).message.text
        assert len(server.requests) == 3

    @pytest.mark.parametrize("broken", [DROPPED, CUT])
    async def test_a_broken_connection_is_retried(
        self, server: WireServer, model: AnthropicMessages, broken: Reply
    ) -> None:
        server.say(broken)
        assert (await model.complete(QUESTION)).message.text
        assert len(server.requests) == 2

    async def test_a_late_answer_is_asked_for_again(self, server: WireServer) -> None:
        model = connect(server, timeout_s=0.15)
        server.say(Reply({}, delay_s=1.0))
        response = await model.complete(QUESTION)
        await model.close()
        assert response.message.text
        assert response.latency_s > 0.15

    @pytest.mark.parametrize("status", [429, 529])
    async def test_an_error_that_stays_is_an_outage(
        self, server: WireServer, model: AnthropicMessages, status: int
    ) -> None:
        server.say(*[soon(status, "Overloaded")] * 3)
        with pytest.raises(OutageError, match=f"anthropic:claude-test: HTTP {status}: Overloaded"):
            await model.complete(QUESTION)
        assert len(server.requests) == 3

    @pytest.mark.parametrize("broken", [DROPPED, Reply({}, delay_s=1.0)])
    async def test_silence_is_an_outage(self, server: WireServer, broken: Reply) -> None:
        model = connect(server, timeout_s=0.15, max_retries=0)
        server.say(broken)
        with pytest.raises(OutageError, match="no answer, tried 1 times"):
            await model.complete(QUESTION)
        await model.close()

    async def test_an_outage_names_the_model_and_the_address_without_secrets(self) -> None:
        address = f"http://me:word@127.0.0.1:1/{KEY}/v1?key={KEY}#x"
        endpoint = Endpoint(KEY, address, max_retries=0, alias="small")
        model = AnthropicMessages("claude-test", endpoint)
        with pytest.raises(OutageError) as caught:
            await model.complete(QUESTION)
        await model.close()
        said = str(caught.value)
        called = "[models.small] anthropic:claude-test at http://127.0.0.1:1/[key]/v1"
        assert said.startswith(f"{called}: no answer")
        assert not any(secret in said for secret in (KEY, "me:", "word", "?"))

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
    async def test_a_refusal_is_the_configurations(
        self, server: WireServer, model: AnthropicMessages, status: int
    ) -> None:
        error = {"type": "invalid_request_error", "message": "prompt is\ntoo long " + "x" * 999}
        server.say(Reply({"type": "error", "error": error}, status))
        with pytest.raises(ModelError) as caught:
            await model.complete(QUESTION)
        text = str(caught.value)
        assert text.startswith(f"anthropic:claude-test: HTTP {status}: prompt is too long xxx")
        assert len(text) < 420
        assert len(server.requests) == 1

    async def test_an_empty_account_is_an_outage(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        message = "Your credit balance is too low to access the Anthropic API."
        server.say(Reply({"type": "error", "error": {"message": message}}, 400))
        with pytest.raises(OutageError, match="top it up"):
            await model.complete(QUESTION)

    @pytest.mark.parametrize("body", ["<html>Log in</html>", {"content": None}, [], {}])
    async def test_an_answer_without_a_message_is_an_outage(
        self, server: WireServer, model: AnthropicMessages, body: Any
    ) -> None:
        server.say(Reply(body))
        with pytest.raises(OutageError, match="check base_url"):
            await model.complete(QUESTION)


class TestSecrets:
    @pytest.mark.parametrize("status", [200, 401, 500])
    @pytest.mark.parametrize("padding", [0, 290])
    async def test_no_error_shows_the_key(
        self, server: WireServer, status: int, padding: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        model = connect(server, max_retries=0)
        said = "x" * padding + f"invalid key: {KEY}, {KEY}"
        server.say(Reply({"error": {"message": said}}, status))
        with pytest.raises((ModelError, OutageError)) as caught:
            await model.complete(QUESTION)
        await model.close()
        assert KEY[:6] not in str(caught.value)
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None
        assert KEY not in caplog.text

    def test_no_representation_shows_the_key(self) -> None:
        model = AnthropicMessages("claude-test", Endpoint(KEY))
        assert repr(model) == str(model) == "AnthropicMessages('anthropic:claude-test')"

    def test_an_address_in_the_environment_gets_no_key(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clear_environment(monkeypatch)
        client = AnthropicMessages("claude-test", Endpoint(KEY))._client
        assert str(client.base_url) == "https://api.anthropic.com"
        assert client.api_key == KEY


class TestAgent:
    async def test_an_agent_finishes_a_task(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        look_up = use_block("t1", "get_order", {"order_id": "A-17"})
        usage = {"input_tokens": 20, "cache_creation_input_tokens": 80, "output_tokens": 9}
        server.say(messages_reply([THOUGHT, look_up], usage, "tool_use"))
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        assert (run.status, run.success) == (Status.FINISHED, 1.0)
        assert [c.model_ref for c in run.model_calls] == ["anthropic:claude-test-20261101"] * 2
        assert run.usage.tool_calls == 1
        assert run.usage.tokens.cache_write_5m_tokens == 80
        question, said, results = server.requests[1].body["messages"]
        assert [m["role"] for m in (question, said, results)] == ["user", "assistant", "user"]
        assert said["content"] == [THOUGHT, look_up]
        assert results["content"][0]["content"] == "shipped"

    async def test_every_parallel_call_is_answered_in_one_turn(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        uses = [use_block(f"t{i}", "get_order", {"order_id": "A-17"}) for i in range(3)]
        server.say(messages_reply(uses, stop="tool_use"))
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        assert run.success == 1.0
        results = server.requests[1].body["messages"][-1]["content"]
        assert [b["tool_use_id"] for b in results] == ["t0", "t1", "t2"]

    async def test_an_outage_is_missing_data(
        self, server: WireServer, model: AnthropicMessages
    ) -> None:
        server.say(*[soon(529)] * 3)
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        assert (run.status, run.success) == (Status.OUTAGE, None)
