import json
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, ModelError, OutageError
from leanloop.core.message import (
    AssistantMessage,
    ToolCall,
    ToolMessage,
    with_messages,
)
from leanloop.core.run import Status
from leanloop.core.tokens import Tokens
from leanloop.loop.agent import Agent
from leanloop.models.chat_completions import read_usage
from leanloop.models.endpoint import Endpoint
from leanloop.models.openai_compatible import OpenAICompatible, is_official, limit_field
from tests.models.conformance import LOOK_UP, QUESTION, ModelConformance
from tests.models.tiny_suite import TASK, TinySuite
from tests.models.wire_server import (
    CUT,
    DROPPED,
    Reply,
    WireServer,
    chat_call,
    chat_calls,
    chat_reply,
    chat_text,
    clear_environment,
    soon,
)

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WireServer]:
    clear_environment(monkeypatch)
    with WireServer() as server:
        yield server


def connect(server: WireServer, provider: str = "openai", **options: Any) -> OpenAICompatible:
    endpoint = Endpoint(KEY, f"{server.url}/v1", **{"timeout_s": 5.0, "max_retries": 2, **options})
    return OpenAICompatible("gpt-test", endpoint, provider)


@pytest.fixture
async def model(server: WireServer) -> AsyncIterator[OpenAICompatible]:
    model = connect(server)
    yield model
    await model.close()


class TestConformance(ModelConformance):
    pass


class TestRequest:
    async def test_the_body_has_what_the_endpoint_needs(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        await model.complete(LOOK_UP)
        (sent,) = server.requests
        assert sent.path == "/v1/chat/completions"
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert sent.body == {
            "model": "gpt-test",
            "messages": [
                {
                    "role": "system",
                    "content": "You answer questions about orders. Look everything up.",
                },
                {"role": "user", "content": "What is the status of order A-17?"},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "get_order",
                        "description": "An order's record, with its status.",
                        "parameters": LOOK_UP.tools[0].parameters,
                    },
                }
            ],
            "max_tokens": 256,
            "seed": 0,
        }

    async def test_tools_stay_in_the_body_when_calls_are_forbidden(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        await model.complete(LOOK_UP)
        forbidden = type(LOOK_UP)("m", LOOK_UP.messages, LOOK_UP.tools, tools_allowed=False)
        await model.complete(forbidden)
        free, bound = [sent.body for sent in server.requests]
        assert bound.pop("tool_choice") == "none"
        assert free == bound

    async def test_no_tools_no_tool_keys(self, server: WireServer, model: OpenAICompatible) -> None:
        await model.complete(QUESTION)
        assert not {"tools", "tool_choice", "temperature"} & set(server.requests[0].body)

    async def test_a_temperature_is_sent_when_given(self, server: WireServer) -> None:
        endpoint = Endpoint(KEY, f"{server.url}/v1")
        model = OpenAICompatible("gpt-test", endpoint, temperature=0.5)
        await model.complete(QUESTION)
        await model.close()
        assert server.requests[0].body["temperature"] == 0.5

    async def test_a_request_may_ask_for_a_temperature_of_its_own(self, server: WireServer) -> None:
        endpoint = Endpoint(KEY, f"{server.url}/v1")
        model = OpenAICompatible("gpt-test", endpoint, temperature=0.5)
        for temperature in (0.7, 0.0, None):
            await model.complete(replace(QUESTION, temperature=temperature))
        await model.close()
        assert [sent.body["temperature"] for sent in server.requests] == [0.7, 0.0, 0.5]

    async def test_an_effort_is_sent_when_asked_for(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        await model.complete(replace(QUESTION, effort="low"))
        await model.complete(QUESTION)
        low, plain = [sent.body for sent in server.requests]
        assert low.pop("reasoning_effort") == "low"
        assert low == plain

    @pytest.mark.parametrize(
        ("base_url", "official"),
        [
            (None, True),
            ("https://api.openai.com/v1", True),
            ("https://eu.api.openai.com/v1", True),
            ("https://api.openai.com.example.org/v1", False),
            ("https://api.deepseek.com", False),
            ("http://127.0.0.1:8080/v1", False),
        ],
    )
    def test_the_official_endpoint_is_known(self, base_url: str | None, official: bool) -> None:
        assert is_official(base_url) is official

    def test_the_official_limit_has_a_name_of_its_own(self) -> None:
        assert limit_field(official=True) == "max_completion_tokens"
        assert limit_field(official=False) == "max_tokens"

    async def test_the_official_endpoint_gets_no_seed(
        self, server: WireServer, model: OpenAICompatible, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("leanloop.models.openai_compatible.OFFICIAL_HOST", "127.0.0.1")
        await model.complete(QUESTION)
        body = server.requests[0].body
        assert body["max_completion_tokens"] == 256
        assert not {"seed", "max_tokens"} & set(body)


class TestHistory:
    async def test_what_the_model_sent_goes_back_unchanged(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        sent = {
            "content": None,
            "reasoning_content": "A-17 … let me “look”\n",
            "role": "assistant",
            "tool_calls": [chat_call("c1", "get_order", '{ "order_id":"A-17" }')],
            "unheard_of": {"b": 1, "a": [None]},
        }
        server.say(chat_reply(sent))
        message = (await model.complete(LOOK_UP)).message
        result = ToolMessage("c1", "get_order", "shipped")
        await model.complete(with_messages(LOOK_UP, (*LOOK_UP.messages, message, result)))
        exact = json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
        assert exact in server.requests[1].raw

    async def test_another_models_message_is_built_anew(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        server.say(chat_reply({**chat_text("Hello"), "reasoning_content": "Hm"}))
        other = connect(server, "deepseek")
        message = (await other.complete(QUESTION)).message
        await other.close()
        await model.complete(with_messages(QUESTION, (*QUESTION.messages, message)))
        assert server.requests[1].body["messages"][-1] == chat_text("Hello")

    async def test_a_message_of_no_provider_is_built(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        call = ToolCall("c1", "get_order", {"order_id": "Ä-1"})
        said = AssistantMessage("", (call,), verbatim='{"tool": "get_order"}')
        result = ToolMessage("c1", "get_order", "no such order", is_error=True)
        await model.complete(with_messages(LOOK_UP, (*LOOK_UP.messages, said, result)))
        assert server.requests[0].body["messages"][2:] == [
            chat_calls(chat_call("c1", "get_order", '{"order_id": "Ä-1"}')),
            {"role": "tool", "tool_call_id": "c1", "content": "no such order"},
        ]


class TestToolCalls:
    async def test_parallel_calls_keep_their_order_and_ids(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        calls = [chat_call(f"c{i}", "get_order", f'{{"order_id": "A-{i}"}}') for i in range(3)]
        server.say(chat_reply(chat_calls(*calls), finish="tool_calls"))
        found = (await model.complete(LOOK_UP)).message.tool_calls
        assert [c.call_id for c in found] == ["c0", "c1", "c2"]
        assert [c.arguments["order_id"] for c in found] == ["A-0", "A-1", "A-2"]

    @pytest.mark.parametrize("written", ['{"order_id": "A-', "[1]", '"A-17"', "null", "{'a': 1}"])
    async def test_malformed_arguments_are_shown_and_mended(
        self, server: WireServer, model: OpenAICompatible, written: str
    ) -> None:
        server.say(chat_reply(chat_calls(chat_call("c1", "get_order", written)), finish="length"))
        response = await model.complete(LOOK_UP)
        (call,) = response.message.tool_calls
        assert call.arguments == {"_malformed": written}
        assert response.truncated
        result = ToolMessage("c1", "get_order", "argument order_id is missing", is_error=True)
        again = with_messages(LOOK_UP, (*LOOK_UP.messages, response.message, result))
        await model.complete(again)
        (back,) = server.requests[1].body["messages"][2]["tool_calls"]
        assert json.loads(back["function"]["arguments"]) == {"_malformed": written}

    async def test_no_arguments_are_none(self, server: WireServer, model: OpenAICompatible) -> None:
        server.say(chat_reply(chat_calls(chat_call("c1", "list_orders", ""))))
        message = (await model.complete(LOOK_UP)).message
        assert message.tool_calls == (ToolCall("c1", "list_orders", {}),)

    async def test_a_missing_id_is_made_up_on_both_sides(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        calls = [chat_call("", "get_order", '{"order_id": "A-1"}') for _ in range(2)]
        server.say(chat_reply(chat_calls(*calls)))
        message = (await model.complete(LOOK_UP)).message
        ids = [c.call_id for c in message.tool_calls]
        assert len(set(ids)) == 2
        await model.complete(with_messages(LOOK_UP, (*LOOK_UP.messages, message)))
        back = server.requests[1].body["messages"][-1]["tool_calls"]
        assert [c["id"] for c in back] == ids

    async def test_calls_that_were_forbidden_are_dropped(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        sent = {**chat_calls(chat_call("c1", "get_order", "{}")), "content": "It is shipped."}
        server.say(chat_reply(sent))
        forbidden = type(LOOK_UP)("m", LOOK_UP.messages, LOOK_UP.tools, tools_allowed=False)
        assert (await model.complete(forbidden)).message == AssistantMessage("It is shipped.")

    @pytest.mark.parametrize(
        ("sent", "text"),
        [
            ({"role": "assistant", "content": None, "refusal": "I will not."}, "I will not."),
            ({"role": "assistant", "content": [{"type": "text", "text": "Yes"}]}, "Yes"),
            ({"role": "assistant", "content": None, "tool_calls": None}, ""),
        ],
    )
    async def test_text_is_found(
        self, server: WireServer, model: OpenAICompatible, sent: dict[str, Any], text: str
    ) -> None:
        server.say(chat_reply(sent))
        assert (await model.complete(QUESTION)).message.text == text


class TestUsage:
    @pytest.mark.parametrize(
        ("usage", "tokens"),
        [
            (None, Tokens()),
            ({}, Tokens()),
            ({"prompt_tokens": 0, "completion_tokens": 0}, Tokens()),
            ({"prompt_tokens": 9, "completion_tokens": 4}, Tokens(9, 0, 0, 0, 4, 0)),
            (
                {
                    "prompt_tokens": 2000,
                    "completion_tokens": 300,
                    "total_tokens": 2300,
                    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512},
                    "completion_tokens_details": {"reasoning_tokens": 256},
                },
                Tokens(464, 1024, 512, 0, 44, 256),
            ),
            (
                {
                    "prompt_tokens": 100,
                    "completion_tokens": 5,
                    "prompt_tokens_details": None,
                    "completion_tokens_details": None,
                },
                Tokens(100, 0, 0, 0, 5, 0),
            ),
            (
                {
                    "prompt_tokens": 100,
                    "completion_tokens": 5,
                    "prompt_cache_hit_tokens": 64,
                    "prompt_cache_miss_tokens": 36,
                },
                Tokens(36, 64, 0, 0, 5, 0),
            ),
            (  # xAI: reasoning beside the completion
                {
                    "prompt_tokens": 32,
                    "completion_tokens": 9,
                    "total_tokens": 135,
                    "completion_tokens_details": {"reasoning_tokens": 94},
                },
                Tokens(32, 0, 0, 0, 9, 94),
            ),
            (  # Gemini: reasoning in the total alone
                {"prompt_tokens": 2181, "completion_tokens": 57, "total_tokens": 2518},
                Tokens(2181, 0, 0, 0, 57, 280),
            ),
        ],
    )
    def test_classes_are_disjoint(self, usage: Any, tokens: Tokens) -> None:
        assert read_usage(usage) == tokens

    async def test_usage_arrives_in_the_response(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 4},
        }
        server.say(chat_reply(chat_text("Hello"), usage), chat_reply(chat_text("Hello")))
        response = await model.complete(QUESTION)
        assert response.tokens == Tokens(6, 4, 0, 0, 2, 0)
        assert response.model_ref == "openai:gpt-test-2026-11-01"
        unknown = (await model.complete(QUESTION)).tokens
        assert unknown == Tokens()
        assert unknown.total_tokens is None

    async def test_a_cut_answer_is_truncated(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        server.say(chat_reply(chat_text("Hel"), finish="length"))
        assert (await model.complete(QUESTION)).truncated


class TestFailures:
    @pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
    async def test_a_passing_error_is_retried(
        self, server: WireServer, model: OpenAICompatible, status: int
    ) -> None:
        server.say(soon(status), soon(status))
        assert (await model.complete(QUESTION)).message.text
        assert len(server.requests) == 3

    @pytest.mark.parametrize("broken", [DROPPED, CUT])
    async def test_a_broken_connection_is_retried(
        self, server: WireServer, model: OpenAICompatible, broken: Reply
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

    @pytest.mark.parametrize("status", [429, 500])
    async def test_an_error_that_stays_is_an_outage(
        self, server: WireServer, model: OpenAICompatible, status: int
    ) -> None:
        server.say(*[soon(status, "too many\nrequests")] * 3)
        with pytest.raises(OutageError, match=f"openai:gpt-test: HTTP {status}: too many requests"):
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
        model = OpenAICompatible("gpt-test", endpoint)
        with pytest.raises(OutageError) as caught:
            await model.complete(QUESTION)
        await model.close()
        said = str(caught.value)
        called = "[models.small] openai:gpt-test at http://127.0.0.1:1/[key]/v1"
        assert said.startswith(f"{called}: no answer")
        assert not any(secret in said for secret in (KEY, "me:", "word", "?"))

    async def test_an_endpoint_that_is_not_there_is_an_outage(self) -> None:
        endpoint = Endpoint(KEY, "http://127.0.0.1:1/v1", max_retries=0)
        model = OpenAICompatible("gpt-test", endpoint)
        with pytest.raises(OutageError):
            await model.complete(QUESTION)
        await model.close()

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (400, ""),
            (401, "the variable that the study names"),
            (403, "may use this model"),
            (404, "the model's name and base_url"),
            (413, "a lever that shortens it"),
            (422, ""),
        ],
    )
    async def test_a_refusal_is_the_configurations(
        self, server: WireServer, model: OpenAICompatible, status: int, remedy: str
    ) -> None:
        server.say(Reply({"error": {"message": "no\nway " + "x" * 999}}, status))
        with pytest.raises(ModelError) as caught:
            await model.complete(QUESTION)
        text = str(caught.value)
        assert text.startswith(f"openai:gpt-test: HTTP {status}: no way xxx")
        assert remedy in text
        assert "\n" not in text
        assert len(text) < 420
        assert len(server.requests) == 1

    @pytest.mark.parametrize("body", [{"detail": "no such model"}, {"message": "no such model"}])
    async def test_reasons_are_found_wherever_they_are(
        self, server: WireServer, model: OpenAICompatible, body: Any
    ) -> None:
        server.say(Reply(body, 404))
        with pytest.raises(ModelError, match="HTTP 404: no such model"):
            await model.complete(QUESTION)

    async def test_an_empty_account_is_an_outage(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        server.say(Reply({"error": {"message": "Insufficient Balance"}}, 402))
        with pytest.raises(OutageError, match="top it up"):
            await model.complete(QUESTION)

    @pytest.mark.parametrize(
        "body", ["<html>Log in</html>", {"choices": []}, [], {"choices": [{"message": None}]}]
    )
    async def test_an_answer_without_a_message_is_an_outage(
        self, server: WireServer, model: OpenAICompatible, body: Any
    ) -> None:
        server.say(Reply(body))
        with pytest.raises(OutageError, match="check base_url"):
            await model.complete(QUESTION)

    @pytest.mark.parametrize(("code", "kind"), [(400, ModelError), (502, OutageError)])
    async def test_an_error_inside_a_success_counts_by_its_code(
        self, server: WireServer, model: OpenAICompatible, code: int, kind: type[Exception]
    ) -> None:
        server.say(Reply({"error": {"code": code, "message": "upstream"}}))
        with pytest.raises(kind, match=f"HTTP {code}: upstream"):
            await model.complete(QUESTION)


class TestSecrets:
    @pytest.mark.parametrize("status", [200, 401, 500])
    @pytest.mark.parametrize("padding", [0, 290])
    async def test_no_error_shows_the_key(
        self, server: WireServer, status: int, padding: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        model = connect(server, max_retries=0)
        said = " " * 3 + "x" * padding + f"Incorrect API key provided: {KEY}, {KEY}"
        server.say(Reply({"error": {"message": said}}, status))
        with pytest.raises((ModelError, OutageError)) as caught:
            await model.complete(QUESTION)
        await model.close()
        # The start of a key at the place where the text is cut is a leak too.
        assert KEY[:6] not in str(caught.value)
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None
        assert KEY not in caplog.text
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_no_representation_shows_the_key(self, server: WireServer) -> None:
        endpoint = Endpoint(KEY)
        model = OpenAICompatible("gpt-test", endpoint)
        assert KEY not in repr(endpoint) + str(endpoint) + repr(model) + str(model)
        assert repr(model) == "OpenAICompatible('openai:gpt-test')"

    @pytest.mark.parametrize("key", ["", "sk-with-newline\n", "two words", "sk-…"])
    def test_what_cannot_be_a_key_is_refused(self, key: str) -> None:
        with pytest.raises(BadInputError, match="the variable that the study names") as caught:
            Endpoint(key)
        assert not key or key not in str(caught.value)

    async def test_a_stand_in_for_a_key_leaves_messages_alone(self, server: WireServer) -> None:
        model = OpenAICompatible("gpt-test", Endpoint("none", f"{server.url}/v1"))
        server.say(Reply({"error": {"message": "none of it"}}, 400))
        with pytest.raises(ModelError, match="none of it"):
            await model.complete(QUESTION)
        await model.close()

    def test_an_address_in_the_environment_gets_no_key(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clear_environment(monkeypatch)
        client = OpenAICompatible("gpt-test", Endpoint(KEY))._client
        assert str(client.base_url) == "https://api.openai.com/v1/"
        assert client.api_key == KEY


class TestAgent:
    async def test_an_agent_finishes_a_task(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        agent = Agent(TinySuite(), {"m": model}, "m", {})
        run = await agent.run(Configuration(), TASK)
        assert (run.status, run.success) == (Status.FINISHED, 1.0)
        assert [c.model_ref for c in run.model_calls] == ["openai:gpt-test-2026-11-01"] * 2
        assert run.usage.tool_calls == 1
        assert run.usage.tokens.total_tokens
        first, second = [s.body["messages"] for s in server.requests]
        assert second[: len(first)] == first
        assert [m["role"] for m in second] == ["system", "user", "assistant", "tool"]

    async def test_malformed_arguments_become_an_observation(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        broken = chat_calls(chat_call("c1", "get_order", '{"order_id": "A-'))
        server.say(chat_reply(broken), chat_reply(chat_text("It is shipped.")))
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        (use,) = run.steps[0].tool_uses
        assert use.is_error
        assert use.observation == "argument order_id is missing"
        assert run.success == 1.0

    async def test_every_parallel_call_is_answered(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        calls = [chat_call(f"c{i}", "get_order", '{"order_id": "A-17"}') for i in range(2)]
        server.say(chat_reply(chat_calls(*calls)))
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        assert run.success == 1.0
        results = server.requests[1].body["messages"][-2:]
        assert [m["tool_call_id"] for m in results] == ["c0", "c1"]

    async def test_an_outage_is_missing_data(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        server.say(*[soon(503)] * 3)
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        assert (run.status, run.success) == (Status.OUTAGE, None)

    async def test_a_refusal_is_a_failure(
        self, server: WireServer, model: OpenAICompatible
    ) -> None:
        server.say(Reply({"error": {"message": "context too long"}}, 400))
        run = await Agent(TinySuite(), {"m": model}, "m", {}).run(Configuration(), TASK)
        assert (run.status, run.success) == (Status.ERROR, 0.0)
        assert "context too long" in run.reason
