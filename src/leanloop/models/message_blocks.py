"""The Messages wire format: content blocks, turns, tools and usage."""

from __future__ import annotations

from collections.abc import Iterable

from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
)
from leanloop.core.tokens import Tokens
from leanloop.models.tool_arguments import read_arguments

BREAKPOINT: Json = {"type": "ephemeral"}
"""A cache breakpoint of five minutes, the default (Anthropic, Prompt caching, 2026-11)."""


def system_blocks(messages: Iterable[Message]) -> list[dict[str, Json]]:
    """Every system text, in order, as the API wants them: apart from the turns."""
    return [b for m in messages if isinstance(m, SystemMessage) for b in text_blocks(m.text)]


def tool_schemas(tools: Iterable[ToolSpec]) -> list[dict[str, Json]]:
    """Tools in the wire format."""
    return [
        {"name": t.name, "description": t.description, "input_schema": t.parameters} for t in tools
    ]


def message_turns(messages: Iterable[Message], ref: str) -> list[dict[str, Json]]:
    """All but the system texts as alternating turns.

    All results of a round of calls must be in the one user turn behind it, so
    neighbours of the same role are joined; their blocks stay what they were.

    Args:
        messages: The conversation.
        ref: The model that it goes to; what that very model sent goes back as it was.
    """
    turns: list[dict[str, Json]] = []
    for message in messages:
        blocks = content_blocks(message, ref)
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        if blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": role, "content": list(blocks)})
    return turns


def read_message(blocks: list[dict[str, Json]], ref: str, tools_allowed: bool) -> AssistantMessage:
    """The model's message.

    Calls are dropped where none was allowed, in case an endpoint does not heed
    ``tool_choice``.

    Args:
        blocks: The content as it came.
        ref: The model, kept beside the blocks so that no other gets its thinking.
        tools_allowed: Whether calls were allowed.
    """
    text = "".join(b["text"] for b in blocks if b["type"] == "text")
    calls = tuple(
        ToolCall(b["id"], b["name"], read_arguments(b["input"]))
        for b in blocks
        if b["type"] == "tool_use"
    )
    if calls and not tools_allowed:
        return AssistantMessage(text=text)
    return AssistantMessage(text, calls, {"ref": ref, "blocks": blocks})


def read_usage(usage: Json) -> Tokens:
    """Tokens by class from a usage object; all unknown when there is none.

    ``input_tokens`` leaves out what was read from or written to the cache. Writes
    are told apart by lifetime in ``cache_creation``; where that is missing they are
    five-minute ones. ``output_tokens`` includes thinking, which newer endpoints
    report in ``output_tokens_details`` (anthropic SDK 2.12, 2026-11); where they do
    not, reasoning is 0 and sits in the output, which costs the same.
    """
    if not isinstance(usage, dict):
        return Tokens()
    lifetimes = usage.get("cache_creation") or {}
    hour = lifetimes.get("ephemeral_1h_input_tokens") or 0
    minutes = lifetimes.get("ephemeral_5m_input_tokens")
    if minutes is None:
        minutes = max((usage.get("cache_creation_input_tokens") or 0) - hour, 0)
    read = usage.get("cache_read_input_tokens") or 0
    fresh = usage.get("input_tokens") or 0
    if not fresh + read + minutes + hour:
        return Tokens()
    output = usage.get("output_tokens") or 0
    thinking = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    thinking = min(thinking, output)
    return Tokens(fresh, read, minutes, hour, output - thinking, thinking)


def content_blocks(message: Message, ref: str) -> list[dict[str, Json]]:
    """A message as the blocks of a turn; none for system text, which has no turn.

    Args:
        message: The message.
        ref: The model that it goes to; what that very model sent goes back as it was.
    """
    match message:
        case SystemMessage():
            return []
        case ToolMessage():
            return [_result(message)]
        case AssistantMessage(verbatim={"ref": maker, "blocks": list(sent)}) if maker == ref:
            return sent
        case AssistantMessage():
            return [*text_blocks(message.text), *(_use(c) for c in message.tool_calls)]
        case _:
            return text_blocks(message.text)


def text_blocks(text: str) -> list[dict[str, Json]]:
    """A text as a block; none when it is blank."""
    # The API refuses empty text blocks.
    return [{"type": "text", "text": text}] if text.strip() else []


def _use(call: ToolCall) -> dict[str, Json]:
    return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": call.arguments}


def _result(message: ToolMessage) -> dict[str, Json]:
    block = {"type": "tool_result", "tool_use_id": message.call_id, "content": message.text}
    return {**block, "is_error": True} if message.is_error else block
