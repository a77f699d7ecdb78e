"""Let the model write a small program over the tools."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, Request, ToolCall, ToolMessage, ToolSpec
from leanloop.levers.plan import result_value
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

if TYPE_CHECKING:
    from leanloop.levers.sandbox import Function

NAME = "tools.program"
MAX_CALLS = 50
TOOL = ToolSpec(
    "program",
    "Run a small Python program in which the other tools are functions of the same names (with _ "
    "for other signs), called with keyword arguments and without await. They return what the "
    "tools do, JSON as Python values; a tool's error is an exception. Only what the program "
    "returns, or prints when it returns nothing, is shown to you: use it to make many calls and "
    "keep what matters.",
    {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "ends with: return <result>"}},
        "required": ["code"],
    },
)


class Program(Stage):
    """Adds the tool ``program``, and runs what its calls bring in a sandbox.

    The program reaches nothing but the tools that the model is shown, and makes 50 calls
    of them at most; they pass the hooks of every lever. Its errors and the sandbox's
    limits come back as an error that the model can mend. The tools' own results stay out
    of the conversation.

    The lever is off where there is no tool to call, or one named ``program`` already.

    Args:
        sandbox: The module ``leanloop.levers.sandbox``, which needs an extra.
        context: The run.
    """

    def __init__(self, sandbox: ModuleType, context: RunContext) -> None:
        self._sandbox = sandbox
        self._make_calls = context.make_calls
        self._seed = context.seed
        self._taken = any(t.name == TOOL.name for t in context.tools)
        self._tools: tuple[ToolSpec, ...] = ()

    async def on_request(self, request: Request) -> Request:
        """Show the tool behind the others."""
        off = self._taken or any(t.name == TOOL.name for t in request.tools)
        self._tools = () if off else request.tools
        if not self._tools:
            return request
        return msgspec.structs.replace(request, tools=(*request.tools, TOOL))

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Run the program of a call of the tool."""
        if not self._tools or call.name != TOOL.name:
            return call
        code = call.arguments.get("code")
        if not isinstance(code, str) or not code.strip():
            return _refused(call, "code is missing: write the program as one text")
        try:
            shown = await self._sandbox.run_program(code, self._functions(call), self._seed)
        except self._sandbox.ProgramError as error:
            return _refused(call, str(error))
        return ToolMessage(call.call_id, call.name, shown)

    def _functions(self, outer: ToolCall) -> Mapping[str, Function]:
        numbers = itertools.count()
        return {re.sub(r"\W", "_", t.name): self._function(t, outer, numbers) for t in self._tools}

    def _function(self, tool: ToolSpec, outer: ToolCall, numbers: Iterator[int]) -> Function:
        sandbox, names = self._sandbox, list(tool.parameters.get("properties", {}))

        async def function(positional: Sequence[Json], named: Mapping[str, Json]) -> Json:
            given = dict(zip(names, positional, strict=False))
            if len(positional) > len(names) or given.keys() & named.keys():
                raise sandbox.CallError(f"{tool.name} takes named arguments: {', '.join(names)}")
            number = next(numbers)
            if number == MAX_CALLS:
                raise sandbox.ProgramError(f"the program made more than {MAX_CALLS} tool calls")
            call = ToolCall(f"{outer.call_id}-p{number}", tool.name, {**given, **named})
            (result,) = await self._make_calls([call])
            if result.is_error:
                raise sandbox.CallError(f"{tool.name}: {result.text}")
            # A text that cannot be encoded would not reach the program.
            return result_value(result.text.encode(errors="replace").decode())

        return function


def _refused(call: ToolCall, why: str) -> ToolMessage:
    return ToolMessage(call.call_id, call.name, why, is_error=True)


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    try:
        from leanloop.levers import sandbox  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError:
        problem = "needs Monty: install leanloop with the extra 'program'"
        raise BadInputError(NAME, problem) from None
    return Program(sandbox, context)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="A tool runs small programs over the other tools and shows what they return.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("request", "tool call"),
        source="CodeAct, arXiv 2402.01030: up to 20% more success; Anthropic, Programmatic tool "
        "calling, 2025-11: -37% tokens (neither reproduced here).",
        needs=("tools",),
    ),
    _make,
)
