"""The Chat Completions wire format: messages, tools and usage."""

from __future__ import annotations

import json
import secrets
from typing import assert_never

from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.tokens import Tokens
from leanloop.models.tool_arguments import MALFORMED, read_arguments


def chat_message(message: Message, ref: str) -> dict[str, Json]:
    """A message in the wire format.

    Args:
        message: The message.
        ref: The model that it goes to; what that very model sent goes back as it was.
    """
    match message:
        case SystemMessage():
            return {"role": "system", "content": message.text}
        case UserMessage():
            return {"role": "user", "content": message.text}
        case ToolMessage():
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
        case AssistantMessage(verbatim={"ref": maker, "message": dict(sent)}) if maker == ref:
            return sent
        case AssistantMessage():
            return _built(message)
        case _:
            assert_never(message)


def chat_tool(tool: ToolSpec) -> dict[str, Json]:
    """A tool in the wire format."""
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {"type": "function", "function": function}


def read_message(sent: dict[str, Json], ref: str, tools_allowed: bool) -> AssistantMessage:
    """The model's message.

    A call whose arguments are no JSON object, or that has no id, is mended in what
    is sent back too: vLLM and llama.cpp refuse a whole conversation for one such
    call (vLLM issue 43995, 2026-07). Calls are dropped where none was allowed, since
    some endpoints do not heed ``tool_choice``.

    Args:
        sent: The message as it came.
        ref: The model, kept beside the message so that no other gets its fields.
        tools_allowed: Whether calls were allowed.
    """
    calls = [_mended(c) for c in sent.get("tool_calls") or ()]
    text = content_text(sent)
    if calls and not tools_allowed:
        return AssistantMessage(text=text)
    kept = {**sent, "tool_calls": calls} if calls else sent
    return AssistantMessage(
        text=text,
        tool_calls=tuple(_tool_call(c) for c in calls),
        verbatim={"ref": ref, "message": kept},
    )


def content_text(sent: dict[str, Json]) -> str:
    """The text of a message on the wire: of its text parts, or else its refusal."""
    content = sent.get("content")
    if isinstance(content, list):
        content = "".join(p.get("text") or "" for p in content if p.get("type") == "text")
    return content or sent.get("refusal") or ""


def read_usage(usage: Json) -> Tokens:
    """Tokens by class from a usage object; all unknown when there is none.

    Cached tokens and cache writes are part of ``prompt_tokens``, reasoning is part
    of ``completion_tokens`` (openai SDK 3.54, 2026-11). DeepSeek also reports
    ``prompt_cache_hit_tokens`` (its API reference, 2026-11). An endpoint that
    reports usage and no cached tokens says that it gave no discount: 0, not
    unknown. Cache writes, which OpenAI keeps for half an hour, are counted in the
    five-minute class, since they are priced alike. xAI and Gemini leave reasoning
    out of ``completion_tokens`` and count it in ``total_tokens`` (xAI's
    consumption page, openai-python issue 2544, 2026-11): what the total has beyond
    both is reasoning.
    """
    if not isinstance(usage, dict) or not usage.get("prompt_tokens"):
        return Tokens()
    prompt, completion = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    details = usage.get("prompt_tokens_details") or {}
    read = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    written = details.get("cache_write_tokens") or 0
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    beyond = (usage.get("total_tokens") or 0) - prompt - completion
    if beyond > 0:
        reasoning = beyond
    else:
        reasoning = min(reasoning, completion)
        completion -= reasoning
    return Tokens(
        uncached_input_tokens=max(prompt - read - written, 0),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=0,
        output_tokens=completion,
        reasoning_tokens=reasoning,
    )


def _built(message: AssistantMessage) -> dict[str, Json]:
    if not message.tool_calls:
        return {"role": "assistant", "content": message.text}
    calls = [_mended({"id": c.call_id, "function": _function(c)}) for c in message.tool_calls]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


def _function(call: ToolCall) -> dict[str, Json]:
    return {"name": call.name, "arguments": call.arguments}


def _mended(call: dict[str, Json]) -> dict[str, Json]:
    function = call["function"]
    written = function.get("arguments")
    arguments = read_arguments(written)
    if not isinstance(written, str) or list(arguments) == [MALFORMED]:
        written = json.dumps(arguments, ensure_ascii=False)
    return {
        **call,
        "id": call.get("id") or f"call_{secrets.token_hex(8)}",
        "type": "function",
        "function": {**function, "arguments": written or "{}"},
    }


def _tool_call(call: dict[str, Json]) -> ToolCall:
    function = call["function"]
    return ToolCall(call["id"], function["name"], read_arguments(function["arguments"]))
