"""Levers inside LangChain and LangGraph: a middleware (langchain 1.5, 2026-11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.messages import ToolMessage as LangChainToolMessage

from leanloop.adapters.editing import Editing
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.message import SystemMessage as OwnSystemMessage
from leanloop.models.originals import Originals


class LeverMiddleware(AgentMiddleware[Any, Any]):
    """Shows the model what levers leave of the messages; the graph's state keeps everything.

    ``create_agent(model, tools, middleware=[LeverMiddleware({"memory.keep_turns": 4})])``.

    Args:
        levers: Lever settings.

    Raises:
        BadInputError: A lever or a setting is unknown, or does not act here.
    """

    def __init__(self, levers: Mapping[str, Any]) -> None:
        super().__init__()
        self._editing = Editing(levers)

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:
        """Around a call of the model."""
        return handler(self._edited(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Around a call of the model that is waited for."""
        return await handler(self._edited(request))

    def _edited(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        sent = request.messages
        read = [_read(m) for m in sent]
        run = sent[0].id if sent else None
        edited = self._editing.edited(Request("model", tuple(read)), run)
        found = Originals(read).find(edited.messages)
        written = [
            _written(m, None if i is None else sent[i], None if i is None else read[i])
            for m, i in zip(edited.messages, found, strict=True)
        ]
        same = len(written) == len(sent) and all(a is b for a, b in zip(written, sent, strict=True))
        return request if same else request.override(messages=written)


def _read(message: AnyMessage) -> Message:
    text = message.text
    if isinstance(message, LangChainToolMessage):
        failed = message.status == "error"
        return ToolMessage(message.tool_call_id, message.name or "", text, failed)
    if isinstance(message, AIMessage):
        calls = (ToolCall(c["id"] or "", c["name"], c["args"]) for c in message.tool_calls)
        return AssistantMessage(text, tuple(calls), {"kept": "whole"})
    if isinstance(message, SystemMessage):
        return OwnSystemMessage(text)
    return UserMessage(text)


def _written(message: Message, original: AnyMessage | None, was: Message | None) -> AnyMessage:
    if original is not None and (message is was or not isinstance(message, ToolMessage)):
        return original
    if isinstance(original, LangChainToolMessage):
        return original.model_copy(update={"content": message.text})
    if isinstance(message, OwnSystemMessage):
        return SystemMessage(message.text)
    return HumanMessage(message.text)
