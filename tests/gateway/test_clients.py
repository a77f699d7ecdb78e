"""Real clients, each once direct and once through the gateway: answers and usage are equal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.gateway.conftest import Running
from tests.gateway.upstream import calls, text

Start = Callable[..., Any]
Ask = Callable[[str], Awaitable[Any]]
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
RESPONSES_TOOL: Any = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}
MESSAGES_TOOL: Any = {"name": "look", "input_schema": SCHEMA}
CLIENTS: dict[str, Ask] = {}


def client(function: Ask) -> Ask:
    CLIENTS[function.__name__.removeprefix("ask_").replace("_", "-")] = function
    return function


def _openai(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-test", max_retries=0)


def _anthropic(url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=url, api_key="sk-test", max_retries=0)


@client
async def ask_openai_chat_with_tools(url: str) -> Any:
    messages: list[Any] = [{"role": "user", "content": "find"}]
    seen = []
    async with _openai(url) as made:
        for _ in range(2):
            answer = await made.chat.completions.create(
                model="m", messages=messages, tools=[CHAT_TOOL]
            )
            message = answer.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            called = message.tool_calls or []
            messages += [
                {"role": "tool", "tool_call_id": c.id, "content": "it is here"} for c in called
            ]
            seen.append((message.content, [c.to_dict() for c in called], answer.usage))
    return seen


@client
async def ask_openai_chat_streamed(url: str) -> Any:
    async with _openai(url) as made:
        stream = await made.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "find"}],
            tools=[CHAT_TOOL],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [c async for c in stream]
    called = [c.choices[0].delta.tool_calls for c in chunks if c.choices]
    return [str(x) for x in called if x], [c.usage for c in chunks if c.usage]


@client
async def ask_openai_sync(url: str) -> Any:
    def ask() -> Any:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-test") as made:
            answer = made.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "find"}]
            )
            parts = made.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "find"}], stream=True
            )
            text = [c.choices[0].delta.content for c in parts if c.choices]
        return str(answer.choices[0].message), answer.usage, text

    return await asyncio.to_thread(ask)


@client
async def ask_openai_responses_with_tools(url: str) -> Any:
    items: list[Any] = [{"role": "user", "content": "find"}]
    seen = []
    async with _openai(url) as made:
        for _ in range(2):
            answer = await made.responses.create(
                model="m", input=items, tools=[RESPONSES_TOOL], instructions="be good"
            )
            items += [i.model_dump(exclude_none=True) for i in answer.output]
            called = [i for i in answer.output if i.type == "function_call"]
            items += [
                {"type": "function_call_output", "call_id": c.call_id, "output": "here"}
                for c in called
            ]
            seen.append((answer.output_text, [c.arguments for c in called], answer.usage))
    return seen


@client
async def ask_openai_responses_streamed(url: str) -> Any:
    async with _openai(url) as made, made.responses.stream(model="m", input="find") as stream:
        kinds = [event.type async for event in stream]
        last = await stream.get_final_response()
    return kinds, last.output_text, last.usage


@client
async def ask_anthropic_with_tools(url: str) -> Any:
    messages: list[Any] = [{"role": "user", "content": "find"}]
    seen = []
    async with _anthropic(url) as made:
        for _ in range(2):
            answer = await made.messages.create(
                model="m",
                max_tokens=2048,
                messages=messages,
                tools=[MESSAGES_TOOL],
                thinking={"type": "enabled", "budget_tokens": 1024},
            )
            messages.append({"role": "assistant", "content": answer.content})
            called = [b for b in answer.content if b.type == "tool_use"]
            results = [
                {"type": "tool_result", "tool_use_id": b.id, "content": "here"} for b in called
            ]
            messages.append({"role": "user", "content": results or "thanks"})
            seen.append(([b.to_dict() for b in answer.content], answer.usage))
    return seen


@client
async def ask_anthropic_streamed(url: str) -> Any:
    async with (
        _anthropic(url) as made,
        made.messages.stream(
            model="m",
            max_tokens=99,
            messages=[{"role": "user", "content": "find"}],
            tools=[MESSAGES_TOOL],
        ) as stream,
    ):
        kinds = [event.type async for event in stream]
        last = await stream.get_final_message()
    return kinds, [b.to_dict() for b in last.content], last.usage


@client
async def ask_anthropic_sync(url: str) -> Any:
    def ask() -> Any:
        with anthropic.Anthropic(base_url=url, api_key="sk-test") as made:
            said = made.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "find"}]
            )
            count = made.messages.count_tokens(
                model="m", messages=[{"role": "user", "content": "find"}]
            )
        return [b.to_dict() for b in said.content], said.usage, count.input_tokens

    return await asyncio.to_thread(ask)


def look(id: int) -> str:  # noqa: A002 - the argument's name in the schema
    """Look something up."""
    return f"{id} is here"


@client
async def ask_pydantic_ai(url: str) -> Any:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with _openai(url) as made:
        model = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=made))
        answer = await Agent(model, tools=[look]).run("find")
    usage = answer.usage() if callable(answer.usage) else answer.usage
    return answer.output, usage.input_tokens, usage.output_tokens, usage.requests


@client
async def ask_openai_agents(url: str) -> Any:
    import agents

    agents.set_tracing_disabled(True)
    async with _openai(url) as made:
        model = agents.OpenAIResponsesModel(model="m", openai_client=made)
        agent = agents.Agent(name="a", model=model, tools=[agents.function_tool(look)])
        answer = await agents.Runner.run(agent, "find")
    usage = answer.context_wrapper.usage
    return answer.final_output, usage.input_tokens, usage.output_tokens, usage.requests


@client
async def ask_langchain(url: str) -> Any:
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="m", base_url=f"{url}/v1", api_key="sk-test")  # type: ignore[arg-type]
    agent = create_agent(model, tools=[look])
    found = await agent.ainvoke({"messages": [{"role": "user", "content": "find"}]})
    last = found["messages"]
    return [m.text for m in last], [getattr(m, "usage_metadata", None) for m in last]


@client
async def ask_langchain_anthropic(url: str) -> Any:
    from langchain_anthropic import ChatAnthropic

    model = ChatAnthropic(
        model_name="claude-m",
        base_url=url,
        api_key="sk-test",  # type: ignore[arg-type]
        timeout=None,
        stop=None,
    )
    said = await model.ainvoke("find")
    return said.content, said.usage_metadata


@client
async def ask_litellm(url: str) -> Any:
    import litellm

    answer = await litellm.acompletion(
        model="openai/m",
        api_base=f"{url}/v1",
        api_key="sk-test",
        messages=[{"role": "user", "content": "find"}],
        tools=[CHAT_TOOL],
    )
    said = answer.choices[0].message
    return said.content, str(said.tool_calls), answer.usage.total_tokens


@client
async def ask_mini_swe_agent(url: str) -> Any:
    return await asyncio.to_thread(_mini_swe_agent, url)


def _mini_swe_agent(url: str) -> Any:
    from minisweagent.agents.default import DefaultAgent
    from minisweagent.environments.local import LocalEnvironment
    from minisweagent.models.litellm_model import LitellmModel

    model = LitellmModel(
        model_name="openai/m",
        model_kwargs={"api_base": f"{url}/v1", "api_key": "sk-test"},
        cost_tracking="ignore_errors",
    )
    agent = DefaultAgent(
        model,
        LocalEnvironment(),
        system_template="You use bash.",
        instance_template="{{task}}",
        step_limit=4,
        cost_limit=0,
    )
    ended = agent.run("say hello")
    return ended, len(agent.messages)


SCRIPTS: dict[str, list[Any]] = {
    "mini-swe-agent": [
        calls(("c1", "bash", {"command": "echo hello"})),
        calls(("c2", "bash", {"command": "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"})),
    ]
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MSWEA_SILENT_STARTUP", "1")
    monkeypatch.setenv("MSWEA_GLOBAL_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


# The clients' own warnings are theirs.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_sees_no_difference(start: Start, name: str) -> None:
    running: Running = await start()
    script = SCRIPTS.get(name, [calls(("c1", "look", {"id": 3})), text("It is here.")])
    seen, sent = [], []
    for url in (running.upstream.url, running.url):
        running.upstream.script.clear()
        running.upstream.requests.clear()
        running.upstream.say(*script)
        seen.append(await CLIENTS[name](url))
        sent.append([(s.path, s.raw) for s in running.upstream.requests])
    assert sent[0]
    assert _still(sent[0]) == _still(sent[1])
    assert _still(seen[0]) == _still(seen[1])
    records = await running.records()
    metered = [s for s in sent[1] if "count_tokens" not in s[0]]
    assert len(records) == len(metered)


def _still(seen: Any) -> str:
    """What a client saw, without the ids that the upstream draws anew each time."""
    drawn = r"(chatcmpl-|msg_|resp_|fc_|run-|lc_run-+)[0-9a-f-]+|0x[0-9a-f]+|'timestamp': [0-9.]+"
    return re.sub(drawn, "drawn", repr(seen))
