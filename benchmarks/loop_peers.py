"""The same work by leanloop's agent and by other agent frameworks, each by its own model hook.

The model answers at once, in process: so many calls of one tool, one a step, then an answer. Every
framework is given the way that costs it least: asynchronous tools where synchronous ones would go
to a thread, the usage in the answer where it would be estimated from the history, no tracing, no
printing. Each is imported by its own case alone.
"""

# The frameworks are not installed where this file is checked, so their types are not known here.
# mypy: disable-error-code="import-not-found", allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: ANN401, PLC0415

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from leanloop.core.message import Request, Response, ToolCall, ToolMessage, ToolSpec
    from leanloop.core.task import Example, Split, Task

INSTRUCTIONS = "You look records up and then give an answer."
PROMPT = "Look up every record, one at a time."
ANSWER = "All records are looked up."
TOOL, TOOL_SUMMARY = "lookup", "Return the record of that number."
INPUT_TOKENS, OUTPUT_TOKENS = 1000, 20
FOUR = {
    "memory.keep_observations": 10,
    "tools.projection": "on",
    "tools.result_cache": "on",
    "stopping.repeat_guard": 100,
}
"""Levers of the second case: two of them look through the whole request each step."""


@dataclass
class Work:
    """What one run has to do, and what it has done.

    Args:
        steps: Calls of the tool before the answer.
        size_bytes: Length of an observation.
    """

    steps: int
    size_bytes: int
    asked: int = 0
    called: int = 0
    seen: int = 0
    filler: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.filler = ("lorem ipsum dolor " * (self.size_bytes // 18 + 1))[: self.size_bytes]

    def ask(self, messages: int) -> int | None:
        """The number to look up next, or None when it is time for the answer.

        Args:
            messages: How many messages the model was sent.
        """
        self.seen = messages
        if self.asked == self.steps:
            return None
        self.asked += 1
        return self.asked

    def observe(self, number: int) -> str:
        """A record as JSON, other than every other."""
        self.called += 1
        head = f'{{"number": {number}, "note": "'
        return head + self.filler[: self.size_bytes - len(head) - 2] + '"}'

    def check(self, answer: str | None) -> None:
        """Raise when the framework did other work than it was given."""
        whole = self.asked == self.called == self.steps and self.seen >= 2 * self.steps
        if not whole or answer is None or ANSWER not in answer:
            raise AssertionError(f"not the work that was asked for: {answer!r} after {self}")


Go: TypeAlias = Callable[[], Awaitable[str | None]]
"""Does the work once and returns the answer."""


def leanloop(work: Work) -> Go:
    """leanloop with every lever off."""
    return _leanloop(work, {})


def leanloop_four(work: Work) -> Go:
    """leanloop with four levers on."""
    return _leanloop(work, FOUR)


def _leanloop(work: Work, settings: dict[str, Any]) -> Go:
    from leanloop.core.configuration import Configuration
    from leanloop.core.message import ToolSpec
    from leanloop.core.task import Split, Task
    from leanloop.levers.builtin import all_levers
    from leanloop.loop.agent import Agent, Limits

    number = {"type": "object", "properties": {"number": {"type": "integer"}}}
    tool = ToolSpec(TOOL, TOOL_SUMMARY, number, True, ("number", "note"))
    agent = Agent(
        suite=_Records(work, tool),
        models={"instant": _Instant(work)},
        default_model="instant",
        levers=all_levers(),
        limits=Limits(max_steps=work.steps + 2, timeout_s=3600.0),
    )
    task, configuration = Task("one", PROMPT, Split.SEARCH), Configuration(settings)

    async def go() -> str | None:
        return (await agent.run(configuration, task)).answer

    return go


@dataclass(frozen=True)
class _Records:
    """leanloop's suite and its environment."""

    work: Work
    tool: ToolSpec
    name: str = "records"
    instructions: str = INSTRUCTIONS
    examples: tuple[Example, ...] = ()

    def tasks(self, split: Split) -> tuple[Task, ...]:
        del split
        return ()

    def open(self, task: Task) -> _Records:
        del task
        return self

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return (self.tool,)

    async def call(self, call: ToolCall) -> ToolMessage:
        from leanloop.core.message import ToolMessage

        return ToolMessage(call.call_id, call.name, self.work.observe(call.arguments["number"]))

    def verify(self, answer: str | None) -> float:
        return float(answer == ANSWER)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class _Instant:
    """leanloop's model."""

    work: Work
    ref: str = "scripted:instant"
    concurrency: int = 1

    async def complete(self, request: Request) -> Response:
        from leanloop.core.message import AssistantMessage, Response, ToolCall
        from leanloop.core.tokens import Tokens

        number = self.work.ask(len(request.messages))
        if number is None:
            message = AssistantMessage(ANSWER)
        else:
            message = AssistantMessage("", (ToolCall(f"c{number}", TOOL, {"number": number}),))
        return Response(message, Tokens(INPUT_TOKENS, 0, 0, 0, OUTPUT_TOKENS, 0), 0.0)

    async def close(self) -> None:
        pass


def pydantic_ai(work: Work) -> Go:
    """Pydantic AI with a FunctionModel."""
    from pydantic_ai import Agent, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.usage import RequestUsage, UsageLimits

    async def answer(messages: list[Any], info: Any) -> Any:
        del info
        number = work.ask(len(messages))
        usage = RequestUsage(input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS)
        if number is None:
            return ModelResponse(parts=[TextPart(ANSWER)], usage=usage)
        call = ToolCallPart(TOOL, {"number": number}, tool_call_id=f"c{number}")
        return ModelResponse(parts=[call], usage=usage)

    agent = Agent(FunctionModel(answer), system_prompt=INSTRUCTIONS)

    @agent.tool_plain(name=TOOL, description=TOOL_SUMMARY)
    async def lookup(number: int) -> str:
        return work.observe(number)

    async def go() -> str | None:
        done = await agent.run(PROMPT, usage_limits=UsageLimits(request_limit=None))
        return str(done.output)

    return go


def openai_agents(work: Work) -> Go:
    """OpenAI's Agents SDK with a model class of its own."""
    from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )

    class Instant(Model):
        async def get_response(self, *_: Any, **given: Any) -> Any:
            number = work.ask(len(given["input"]))
            usage = Usage(requests=1, input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS)
            said: Any
            if number is None:
                text = ResponseOutputText(text=ANSWER, type="output_text", annotations=[])
                said = ResponseOutputMessage(
                    id="m", content=[text], role="assistant", status="completed", type="message"
                )
            else:
                said = ResponseFunctionToolCall(
                    arguments=json.dumps({"number": number}),
                    call_id=f"c{number}",
                    name=TOOL,
                    type="function_call",
                )
            return ModelResponse(output=[said], usage=usage, response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    @function_tool(name_override=TOOL, description_override=TOOL_SUMMARY)
    async def lookup(number: int) -> str:
        return work.observe(number)

    agent = Agent(name="records", instructions=INSTRUCTIONS, tools=[lookup], model=Instant())
    quiet = RunConfig(tracing_disabled=True)

    async def go() -> str | None:
        done = await Runner.run(agent, PROMPT, max_turns=work.steps + 2, run_config=quiet)
        return str(done.final_output)

    return go


def langgraph(work: Work) -> Go:
    """LangGraph by LangChain's create_agent, with a chat model class of its own."""
    from langchain.agents import create_agent
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.tools import tool

    class Instant(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "instant"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            del tools
            return self

        def _generate(self, messages: Any, *_: Any, **__: Any) -> Any:
            number = work.ask(len(messages))
            used = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
            used["total_tokens"] = INPUT_TOKENS + OUTPUT_TOKENS
            if number is None:
                said = AIMessage(content=ANSWER, usage_metadata=used)
            else:
                call = {"name": TOOL, "args": {"number": number}, "id": f"c{number}"}
                said = AIMessage(content="", tool_calls=[call], usage_metadata=used)
            return ChatResult(generations=[ChatGeneration(message=said)])

        async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> Any:
            return self._generate(messages)

    @tool(TOOL, description=TOOL_SUMMARY)
    async def lookup(number: int) -> str:
        return work.observe(number)

    graph = create_agent(Instant(), [lookup], system_prompt=INSTRUCTIONS)
    given: Any = {"messages": [{"role": "user", "content": PROMPT}]}
    config: Any = {"recursion_limit": 2 * work.steps + 10}

    async def go() -> str | None:
        done = await graph.ainvoke(given, config)
        return str(done["messages"][-1].content)

    return go


def smolagents(work: Work) -> Go:
    """smolagents' ToolCallingAgent with a model class of its own; the answer is a tool's."""
    from smolagents import ChatMessage, LogLevel, MessageRole, Model, Tool, ToolCallingAgent
    from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction
    from smolagents.monitoring import TokenUsage

    class Instant(Model):
        def generate(self, messages: Any, *_: Any, **__: Any) -> Any:
            number = work.ask(len(messages))
            name = TOOL
            arguments: dict[str, Any] = {"number": number}
            if number is None:
                name, arguments = "final_answer", {"answer": ANSWER}
            call = ChatMessageToolCall(
                ChatMessageToolCallFunction(arguments, name), id=f"c{number}", type="function"
            )
            used = TokenUsage(INPUT_TOKENS, OUTPUT_TOKENS)
            return ChatMessage(MessageRole.ASSISTANT, "", [call], token_usage=used)

    class Lookup(Tool):
        name, description, output_type = TOOL, TOOL_SUMMARY, "string"
        inputs = {"number": {"type": "integer", "description": "Which record."}}

        def forward(self, number: int) -> str:
            return work.observe(number)

    agent = ToolCallingAgent(
        [Lookup()],
        Instant(),
        instructions=INSTRUCTIONS,
        max_steps=work.steps + 2,
        verbosity_level=LogLevel.OFF,
    )

    async def go() -> str | None:
        return str(agent.run(PROMPT))

    return go


def mini_swe_agent(work: Work) -> Go:
    """mini-swe-agent's DefaultAgent with its test model, and no shell behind its tool."""
    os.environ["MSWEA_SILENT_STARTUP"] = "1"
    from minisweagent.agents.default import DefaultAgent
    from minisweagent.environments.local import LocalEnvironment
    from minisweagent.exceptions import Submitted
    from minisweagent.models.test_models import DeterministicToolcallModel, make_toolcall_output

    class Instant(DeterministicToolcallModel):
        def query(self, messages: Any, **_: Any) -> Any:
            number = work.ask(len(messages))
            act = {"command": "" if number is None else str(number), "tool_call_id": f"c{number}"}
            command = {"name": "bash", "arguments": json.dumps({"command": act["command"]})}
            call = {"id": act["tool_call_id"], "type": "function", "function": command}
            said = make_toolcall_output("", [call], [act])
            said["extra"]["cost"] = 0.0
            return said

    class Records(LocalEnvironment):
        def execute(self, action: Any, cwd: str = "", **_: Any) -> Any:
            del cwd
            if action["command"]:
                text = work.observe(int(action["command"]))
                return {"output": text, "returncode": 0, "exception_info": ""}
            told = {"exit_status": "Submitted", "submission": ANSWER}
            raise Submitted({"role": "exit", "content": ANSWER, "extra": told})

    logging.getLogger("minisweagent").setLevel(logging.ERROR)

    async def go() -> str | None:
        agent = DefaultAgent(
            Instant(outputs=[]),  # type: ignore[no-untyped-call]
            Records(),
            system_template=INSTRUCTIONS,
            instance_template="{{task}}",
            cost_limit=0.0,
        )
        return str(agent.run(PROMPT)["submission"])

    return go


CASES: dict[str, Callable[[Work], Go]] = {
    "leanloop": leanloop,
    "leanloop, four levers on": leanloop_four,
    "mini-swe-agent": mini_swe_agent,
    "pydantic-ai": pydantic_ai,
    "openai-agents": openai_agents,
    "langgraph": langgraph,
    "smolagents": smolagents,
}
"""Name to what gets ready for some work."""
