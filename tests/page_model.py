"""What answers where a page's snippets query a model: a script behind both APIs."""

from __future__ import annotations

import json
import re

from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, UserMessage


def script(request: Request) -> AssistantMessage:
    """Calls the first tool with what the question names, and answers with what it says."""
    results = [m.text for m in request.messages if isinstance(m, ToolMessage)]
    asked = next(m.text for m in reversed(request.messages) if isinstance(m, UserMessage))
    if results:
        return AssistantMessage(text=_answer(asked, results[-1]))
    if request.tools:
        tool = request.tools[0]
        named = re.findall(r"\b[A-Z][a-z]*\d+\b|\b[A-Z][a-z]+\b", asked)
        arguments = dict.fromkeys(tool.parameters.get("required", ()), named[-1] if named else "")
        return AssistantMessage(tool_calls=(ToolCall("c-1", tool.name, arguments),))
    numbers = [int(n) for n in re.findall(r"\d+", asked)]
    return AssistantMessage(text=str(sum(numbers)))


def _answer(asked: str, result: str) -> str:
    """The field of the record that the question names."""
    try:
        record = json.loads(result)
    except json.JSONDecodeError:
        return result
    fields = record if isinstance(record, dict) else {}
    found = [v for k, v in fields.items() if k.replace("_", " ") in asked.lower()]
    return str(found[0]) if found else result
