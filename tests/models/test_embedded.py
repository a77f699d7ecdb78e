"""The embedded model for real: llama.cpp in this process on the 0.5B's weights."""

from __future__ import annotations

import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, ModelError
from leanloop.core.message import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
    with_messages,
)
from leanloop.core.run import Status
from leanloop.core.task import Split
from leanloop.levers.builtin import all_levers
from leanloop.loop.agent import Agent
from leanloop.models.embedded import EmbeddedModel, EmbeddedOptions
from leanloop.models.endpoint import Endpoint
from leanloop.models.openai_compatible import OpenAICompatible
from leanloop.models.weights import obtain
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from tests.models.conformance import ModelConformance

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
}
WEATHER = ToolSpec("get_weather", "The weather in a city.", PARAMETERS)
ASK = (SystemMessage("Use the tools."), UserMessage("What is the weather in Oslo in kelvin?"))


@pytest.fixture(scope="module")
def model():
    found = EmbeddedModel(
        "qwen2.5-coder-0.5b", obtain("qwen2.5-coder-0.5b"), EmbeddedOptions(context_tokens=3072)
    )
    yield found
    found._server = None


class TestEmbeddedModel(ModelConformance):
    pass


async def test_a_call_is_forced_into_the_tools_schema(model):
    response = await model.complete(Request("m", ASK, (WEATHER,), max_output_tokens=60))
    (call,) = response.message.tool_calls
    assert call.name == "get_weather"
    assert set(call.arguments) == {"city", "unit"}
    assert call.arguments["unit"] in ("celsius", "kelvin")
    assert response.latency_s > 0
    assert response.tokens.total_tokens is not None
    assert response.model_ref == "embedded:qwen2.5-coder-0.5b"


async def test_the_same_request_gives_the_same_reply_from_the_cache(model):
    request = Request("m", ASK, (WEATHER,), max_output_tokens=60)
    first = await model.complete(request)
    again = await model.complete(request)
    assert again.message.verbatim == first.message.verbatim
    assert again.tokens.input_tokens == first.tokens.input_tokens
    assert again.tokens.cache_read_tokens is not None
    assert again.tokens.input_tokens is not None
    assert again.tokens.cache_read_tokens > 0.9 * again.tokens.input_tokens


async def test_a_conversation_that_grows_computes_what_is_new(model):
    first = Request("m", ASK, (WEATHER,), max_output_tokens=60)
    response = await model.complete(first)
    (call,) = response.message.tool_calls
    result = ToolMessage(call.call_id, call.name, '{"kelvin": 271}')
    grown = with_messages(first, (*ASK, response.message, result))
    tokens = (await model.complete(grown)).tokens
    before = response.tokens.input_tokens
    assert before is not None
    assert tokens.cache_read_tokens is not None
    assert tokens.uncached_input_tokens is not None
    assert tokens.cache_read_tokens >= 0.9 * before
    assert 0 < tokens.uncached_input_tokens < 60


async def test_forbidden_calls_are_not_made_and_keep_the_prefix(model):
    await model.complete(Request("m", ASK, (WEATHER,), max_output_tokens=60))
    request = Request("m", ASK, (WEATHER,), tools_allowed=False, max_output_tokens=40)
    response = await model.complete(request)
    assert response.message.tool_calls == ()
    assert response.message.text
    assert response.tokens.cache_read_tokens is not None
    assert response.tokens.cache_read_tokens > 50


async def test_text_without_tools(model):
    request = Request("m", (UserMessage("Name one colour."),), max_output_tokens=12)
    response = await model.complete(request)
    assert response.message.text
    assert response.message.tool_calls == ()


async def test_a_conversation_with_calls_is_summed_up_without_tools(model):
    call = ToolCall("c", "get_weather", {"city": "Oslo", "unit": "kelvin"})
    past = (AssistantMessage(tool_calls=(call,)), ToolMessage("c", "get_weather", "271"))
    asked = (*ASK, *past, UserMessage("Sum up what is known so far."))
    response = await model.complete(Request("m", asked, max_output_tokens=12))
    assert response.message.text
    assert response.message.tool_calls == ()
    assert response.tokens.output_tokens is not None
    assert 0 < response.tokens.output_tokens <= 12


async def test_too_long_a_conversation_is_the_configurations_own_fault(model):
    request = Request("m", (UserMessage("word " * 4000),), max_output_tokens=4)
    with pytest.raises(ModelError, match="context"):
        await model.complete(request)


async def test_files_that_are_no_model(tmp_path):
    with pytest.raises(BadInputError, match=r"none\.gguf: no such file"):
        EmbeddedModel("none", tmp_path / "none.gguf")
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"GGUF, or so it says" * 100)
    with pytest.raises(BadInputError, match=r"junk\.gguf: llama\.cpp cannot load it"):
        await EmbeddedModel("junk", junk).load()


async def test_its_own_server_is_a_real_openai_endpoint_on_loopback(model):
    address, key = model.endpoint()
    assert address.startswith("http://127.0.0.1:")
    client = OpenAICompatible("any", Endpoint(key, address, max_retries=0))
    try:
        request = Request("m", (UserMessage("Name one colour."),), max_output_tokens=12)
        response = await client.complete(request)
    finally:
        await client.close()
    assert response.message.text
    assert response.tokens.total_tokens is not None
    assert response.tokens.total_tokens > 10
    stranger = OpenAICompatible("any", Endpoint("wrong", address, max_retries=0))
    with pytest.raises(ModelError):
        await stranger.complete(request)
    await stranger.close()


async def test_an_agent_solves_a_task(model):
    suite = BackofficeSuite(BackofficeOptions(families=("lookup",), distractors=0))
    agent = Agent(suite, {"small": model}, "small", all_levers())
    settings = Configuration({"planning.examples": "nearest:2", "tools.projection": "on"})
    run = await agent.run(settings, suite.tasks(Split.SEARCH)[0])
    assert run.status is Status.FINISHED
    assert run.success == 1.0
    assert run.usage.model_calls >= 1
    assert run.usage.tool_calls >= 1
    assert all(call.latency_s > 0 for call in run.model_calls)
    assert run.usage.tokens.cache_read_tokens
    assert 0 < run.critical_path_s <= run.wall_s
