"""Levers inside smolagents: a model around its model (smolagents 1.26, 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.models import ChatMessage, MessageRole, Model

from leanloop.adapters.editing import Editing
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.models.originals import Originals


class LeverModel(Model):  # type: ignore[misc]
    """Any model of smolagents, shown what levers leave of the messages.

    smolagents writes calls and observations as text of roles of their own and without
    ids; an observation belongs to the call before it. The agent's memory keeps everything.

    Args:
        model: Such as ``OpenAIServerModel``.
        levers: Lever settings, ``{"memory.keep_observations": 2}``.

    Raises:
        BadInputError: A lever or a setting is unknown, or does not act here.
    """

    def __init__(self, model: Any, levers: Mapping[str, Any]) -> None:  # noqa: ANN401 - untyped
        super().__init__(model_id=model.model_id)
        self._model = model
        self._editing = Editing(levers)

    def generate(self, messages: list[ChatMessage], *args: Any, **options: Any) -> ChatMessage:  # noqa: ANN401
        """Query the model."""
        read = _read(messages)
        edited = self._editing.edited(Request("model", tuple(read)))
        found = Originals(read).find(edited.messages)
        shown = [
            _written(m, None if i is None else messages[i], None if i is None else read[i])
            for m, i in zip(edited.messages, found, strict=True)
        ]
        return self._model.generate(shown, *args, **options)

    def parse_tool_calls(self, message: ChatMessage) -> ChatMessage:
        """As the model does it."""
        return self._model.parse_tool_calls(message)


def _read(messages: list[ChatMessage]) -> list[Message]:
    out: list[Message] = []
    asked = ""
    for place, message in enumerate(messages):
        role, text = MessageRole(message.role), _text(message.content)
        if role == MessageRole.SYSTEM:
            out.append(SystemMessage(text))
        elif role == MessageRole.TOOL_CALL:
            asked = f"call-{place}"
            call = ToolCall(asked, "tools", {"text": text})
            out.append(AssistantMessage(tool_calls=(call,), verbatim={"kept": "whole"}))
        elif role == MessageRole.TOOL_RESPONSE and asked:
            out.append(ToolMessage(asked, "tools", text))
            asked = ""
        elif role == MessageRole.ASSISTANT:
            out.append(AssistantMessage(text, verbatim={"kept": "whole"}))
        else:
            out.append(UserMessage(text))
    return out


def _text(content: Any) -> str:  # noqa: ANN401 - text, or parts
    if isinstance(content, list):
        return "".join(p.get("text") or "" for p in content if isinstance(p, dict))
    return content or ""


def _written(message: Message, original: ChatMessage | None, was: Message | None) -> ChatMessage:
    if original is not None and (message is was or not isinstance(message, ToolMessage)):
        return original
    role = MessageRole.USER if original is None else original.role
    return ChatMessage(role, [{"type": "text", "text": message.text}])
