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
from leanloop.models.tool_arguments import read_arguments
from leanloop.traces.readers.json_types import count, mapping, objects, text
from leanloop.traces.trace import Counts, inclusive

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
FAILED = ("Error", "error:", "ERROR")
"""How a result begins that is taken for a failure: the wire does not say which are."""


class ChatWire:
    """Reads the messages of one conversation, in order: a result is named after its call."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._waiting: list[str] = []

    def message(self, sent: dict[str, Any]) -> tuple[Message, int] | None:
        """The message and how many of its parts are no text; None when it is none."""
        role = sent.get("role")
        if role not in ROLES:
            return None
        content, others = content_of(sent.get("content"))
        if role in {"system", "developer"}:
            return SystemMessage(content), others
        if role == "user":
            return UserMessage(content), others
        if role == "assistant":
            return AssistantMessage(content, tuple(self._calls(sent))), others
        call_id = text(sent.get("tool_call_id")) or self._oldest(text(sent.get("name")))
        name = self._names.get(call_id) or text(sent.get("name"))
        if call_id in self._waiting:
            self._waiting.remove(call_id)
        return ToolMessage(call_id, name, content, content.startswith(FAILED)), others

    def _calls(self, sent: dict[str, Any]) -> Iterable[ToolCall]:
        made = list(objects(sent.get("tool_calls")))
        if not made and isinstance(sent.get("function_call"), dict):
            made = [{"function": sent["function_call"]}]
        self._waiting.clear()
        for call in made:
            function = mapping(call.get("function")) or call
            name = text(function.get("name"))
            call_id = text(call.get("id")) or f"call-{len(self._names)}"
            self._names[call_id] = name
            self._waiting.append(call_id)
            written = function.get("arguments", function.get("input"))
            yield ToolCall(call_id, name, read_arguments(written))

    def _oldest(self, name: str) -> str:
        """The call that a result without an id answers: the first of its name that waits."""
        fitting = (i for i in self._waiting if not name or self._names[i] == name)
        return next(fitting, "")


def content_of(content: Any) -> tuple[str, int]:  # noqa: ANN401
    """The text of a message's content, and how many of its parts are no text."""
    if not isinstance(content, list):
        return text(content), 0
    parts = [p.get("text") if isinstance(p, dict) else p for p in content]
    words = [text(p) for p in parts if isinstance(p, str)]
    return "".join(words), len(parts) - len(words)


def counts_of(usage: Any) -> Counts:  # noqa: ANN401
    """Tokens of a usage object; cached input is part of the input, reasoning of the output.

    Where an object says nothing of what was cached, that is unknown.
    """
    used = mapping(usage)
    details = mapping(used.get("prompt_tokens_details") or used.get("input_tokens_details"))
    out = mapping(used.get("completion_tokens_details") or used.get("output_tokens_details"))
    sent = count(used.get("prompt_tokens", used.get("input_tokens")))
    read = count(details.get("cached_tokens", used.get("prompt_cache_hit_tokens")))
    written = count(details.get("cache_write_tokens", 0))
    return inclusive(
        sent,
        count(used.get("completion_tokens", used.get("output_tokens"))),
        cached=(read, None if read is None else written, None if read is None else 0),
        reasoning=count(out.get("reasoning_tokens")),
    )


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
