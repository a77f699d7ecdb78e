"""Tool calls that a server passes on as plain text."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import msgspec

from leanloop.core.message import AssistantMessage, Json, Request, Response, ToolCall, ToolSpec
from leanloop.models.wrapped import WrappedModel

_AROUND = re.compile(r"</?tool_call>|^\s*```\w*|```\s*$")
"""What models write around a call: tags of their template, a fence."""
_ARGUMENTS = ("arguments", "parameters")


class CallsInText(WrappedModel):
    """A model whose server does not read the calls that it writes.

    Some servers know a model's template and not how it writes its calls, and pass them on
    as text: llama.cpp's server does so for Qwen2.5-Coder (2026-11). An answer that begins with
    calls of tools that it was shown is read as those calls; any other answer stays as it is. What
    stands behind the calls is dropped: it is mostly a result that the model made up.

    Args:
        model: The model.
    """

    async def complete(self, request: Request) -> Response:
        """Answer one request; see the model for errors."""
        response = await self.model.complete(request)
        if response.message.tool_calls or not request.tools_allowed:
            return response
        message = read_calls(response.message, request.tools, len(request.messages))
        return msgspec.structs.replace(response, message=message)


def read_calls(
    message: AssistantMessage, tools: tuple[ToolSpec, ...], turn: int
) -> AssistantMessage:
    """The message with what it writes as tool calls.

    A call is a JSON object with the ``name`` of a tool and its ``arguments`` (or ``parameters``);
    several stand one behind the other, or in a list.

    Args:
        message: What the model said.
        tools: The tools that it was shown.
        turn: Where in the conversation it stands, which makes the calls' ids unique.
    """
    names = {t.name for t in tools}
    found = [_call(o, names) for o in _objects(_AROUND.sub("", message.text))]
    calls = list(itertools.takewhile(bool, found))
    made = (ToolCall(f"text-{turn}-{i}", n, a) for i, (n, a) in enumerate(filter(None, calls)))
    return AssistantMessage(tool_calls=tuple(made)) if calls else message


def _objects(text: str) -> Iterator[Json]:
    # The standard library's decoder alone says where a value ends.
    decoder, at = json.JSONDecoder(), 0
    while rest := text[at:].lstrip():
        at = len(text) - len(rest)
        # Templates that show a call with its braces doubled are copied by their models.
        at += rest.startswith("{{")
        try:
            found, at = decoder.raw_decode(text, at)
        except ValueError:
            return
        yield from found if isinstance(found, list) else (found,)


def _call(found: Json, names: set[str]) -> tuple[str, dict[str, Json]] | None:
    """The tool's name and the arguments, or None where it is no call of a tool."""
    if not isinstance(found, dict) or not set(found) <= {"name", *_ARGUMENTS}:
        return None
    name = found.get("name")
    arguments: Json = next((found[a] for a in _ARGUMENTS if a in found), {})
    if not (isinstance(name, str) and name in names and isinstance(arguments, dict)):
        return None
    return name, arguments
