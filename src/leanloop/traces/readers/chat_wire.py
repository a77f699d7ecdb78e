"""Messages of OpenAI's Chat Completions, as traces of many programs hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leanloop.core.message import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.tokens import Tokens
from leanloop.models.tool_arguments import read_arguments
from leanloop.traces.readers.json_types import count, mapping, objects, text
from leanloop.traces.trace import Counts, exclusive, inclusive

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
FAILED = ("Error", "error:", "ERROR")
"""How a result begins that is taken for a failure: the wire does not say which are."""


class ChatWire:
    """Reads the messages of one conversation, in order: a result is named after its call."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._waiting: list[tuple[str, str]] = []

    def message(self, sent: dict[str, Any]) -> tuple[Message, int] | None:
        """The message and how many of its parts are no text; None when it is none."""
        role = sent.get("role")
        if not isinstance(role, str) or role not in ROLES:
            return None
        content, others = content_of(sent.get("content"))
        if role in {"system", "developer"}:
            return SystemMessage(content), others
        if role == "user":
            return UserMessage(content), others
        if role == "assistant":
            return AssistantMessage(content, tuple(self._calls(sent))), others
        call_id = self._answered(text(sent.get("tool_call_id")), text(sent.get("name")))
        name = self._names.get(call_id) or text(sent.get("name"))
        return ToolMessage(call_id, name, content, content.startswith(FAILED)), others

    def _calls(self, sent: dict[str, Any]) -> Iterable[ToolCall]:
        made = list(objects(sent.get("tool_calls")))
        if not made and isinstance(sent.get("function_call"), dict):
            made = [{"function": sent["function_call"]}]
        self._waiting.clear()
        for call in made:
            function = mapping(call.get("function")) or call
            name, theirs = text(function.get("name")), text(call.get("id"))
            call_id = self._unique(theirs)
            self._names[call_id] = name
            self._waiting.append((theirs, call_id))
            written = function.get("arguments", function.get("input"))
            yield ToolCall(call_id, name, read_arguments(written))

    def _unique(self, theirs: str) -> str:
        """An id that the conversation has once: some servers count from 0 in each answer."""
        ours = theirs or f"call-{len(self._names)}"
        return f"{ours}~{len(self._names)}" if ours in self._names else ours

    def _answered(self, theirs: str, name: str) -> str:
        """The call that a result answers: by its id, or else the first of its name that waits."""
        for waits in self._waiting:
            by_name = not theirs and name in {"", self._names[waits[1]]}
            if by_name or (theirs and theirs == waits[0]):
                self._waiting.remove(waits)
                return waits[1]
        return theirs


def content_of(content: Any) -> tuple[str, int]:  # noqa: ANN401
    """The text of a message's content, and how many of its parts are no text."""
    if not isinstance(content, list):
        return text(content), 0
    parts = [p.get("text") if isinstance(p, dict) else p for p in content]
    words = [text(p) for p in parts if isinstance(p, str)]
    return "".join(words), len(parts) - len(words)


def counts_of(usage: Any) -> Counts:  # noqa: ANN401
    """Tokens of a usage object; cached input is part of the input, reasoning of the output.

    What is cached is read as OpenAI, DeepSeek and LiteLLM write it. Where an object says
    nothing of what was cached, that is unknown. One without ``prompt_tokens`` that counts
    cached input as Anthropic does has it beside its input.
    """
    used = mapping(usage)
    read, written, hour = cached = _cached(used)
    out = mapping(used.get("completion_tokens_details") or used.get("output_tokens_details"))
    output = count(used.get("completion_tokens", used.get("output_tokens")))
    reasoning = count(out.get("reasoning_tokens"))
    if reasoning is not None and (output is None or reasoning > output):
        reasoning = None
    sent = count(used.get("prompt_tokens", used.get("input_tokens")))
    if "prompt_tokens" not in used and "cache_read_input_tokens" in used:
        plain = None if output is None or reasoning is None else output - reasoning
        return exclusive(Tokens(sent, read, written, hour, plain, reasoning), output)
    return inclusive(sent, output, cached=cached, reasoning=reasoning)


def _cached(used: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Input read from a cache, written to one for five minutes, and for an hour."""
    details = mapping(used.get("prompt_tokens_details") or used.get("input_tokens_details"))
    read = _first(
        details.get("cached_tokens"),
        used.get("prompt_cache_hit_tokens"),
        used.get("cache_read_input_tokens"),
    )
    if read is None:
        return None, None, None
    written = _first(
        details.get("cache_write_tokens"),
        details.get("cache_creation_tokens"),
        used.get("cache_creation_input_tokens"),
        0,
    )
    split = mapping(details.get("cache_creation_token_details") or used.get("cache_creation"))
    hour = count(split.get("ephemeral_1h_input_tokens")) or 0
    return read, max((written or 0) - hour, 0), hour


def _first(*values: Any) -> int | None:  # noqa: ANN401
    """The first that is a number of things."""
    return next((c for c in map(count, values) if c is not None), None)


def tools_of(sent: Any) -> tuple[ToolSpec, ...] | None:  # noqa: ANN401
    """The tools of a request; None where it has no list of them."""
    if not isinstance(sent, list):
        return None
    functions = (mapping(t.get("function")) or t for t in objects(sent))
    return tuple(
        ToolSpec(
            text(f.get("name")),
            text(f.get("description")),
            mapping(f.get("parameters", f.get("input_schema"))),
        )
        for f in functions
        if text(f.get("name"))
    )
