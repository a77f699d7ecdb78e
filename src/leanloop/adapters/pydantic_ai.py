"""Levers inside Pydantic AI: a capability (pydantic-ai 2.68, 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import ModelRequestContext

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


@dataclass(frozen=True)
class _Piece:
    """A message and where it stood: which message of theirs, and which part of it."""

    message: Message
    place: int
    part: ModelRequestPart | None = None


@dataclass
class Levers(AbstractCapability[Any]):
    """Shows the model what levers leave of the messages; the run's history keeps everything.

    ``Agent(model, capabilities=[Levers({"memory.keep_observations": 2})])``.

    Args:
        levers: Lever settings.

    Raises:
        BadInputError: A lever or a setting is unknown, or does not act here.
    """

    levers: Mapping[str, Any]
    _editing: Editing = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._editing = Editing(self.levers)

    async def before_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """Change the request, and not the history."""
        sent = list(request_context.messages)
        pieces = [p for i, m in enumerate(sent) for p in _pieces(m, i)]
        read = [p.message for p in pieces]
        edited = self._editing.edited(Request("model", tuple(read)), ctx.run_id)
        if edited.messages != tuple(read):
            request_context.messages = _written(sent, pieces, edited.messages)
        return request_context

    @classmethod
    def get_serialization_name(cls) -> str | None:
        """It is no part of a specification."""
        return None


def _pieces(message: ModelMessage, place: int) -> Iterator[_Piece]:
    if isinstance(message, ModelResponse):
        text = "".join(p.content for p in message.parts if isinstance(p, TextPart))
        calls = tuple(
            ToolCall(p.tool_call_id, p.tool_name, p.args_as_dict())
            for p in message.parts
            if isinstance(p, ToolCallPart)
        )
        yield _Piece(AssistantMessage(text, calls, {"kept": "whole"}), place)
        return
    for part in message.parts:
        yield _Piece(_read(part), place, part)


def _read(part: ModelRequestPart) -> Message:
    if isinstance(part, ToolReturnPart):
        failed = part.outcome != "success"
        text = part.model_response_str()
        return ToolMessage(part.tool_call_id, part.tool_name, text, failed)
    if isinstance(part, RetryPromptPart) and part.tool_name is not None:
        return ToolMessage(part.tool_call_id, part.tool_name, part.model_response(), True)
    if isinstance(part, SystemPromptPart):
        return SystemMessage(part.content)
    content = getattr(part, "content", "")
    return UserMessage(content if isinstance(content, str) else "")


def _written(
    sent: list[ModelMessage], pieces: list[_Piece], edited: Sequence[Message]
) -> list[ModelMessage]:
    """Their messages with what is left of each: parts that changed are copies."""
    found = Originals([p.message for p in pieces]).find(edited)
    left: dict[int, list[ModelRequestPart]] = {}
    for message, index in zip(edited, found, strict=True):
        if index is None:
            continue
        piece = pieces[index]
        parts = left.setdefault(piece.place, [])
        if piece.part is not None:
            parts.append(_part(piece.part, message, piece.message))
    out: list[ModelMessage] = []
    for place, original in enumerate(sent):
        if place not in left and isinstance(original, ModelResponse | ModelRequest):
            if isinstance(original, ModelRequest) and not original.parts:
                out.append(original)
            continue
        if isinstance(original, ModelRequest):
            out.append(replace(original, parts=left[place]))
        else:
            out.append(original)
    return out


def _part(part: ModelRequestPart, message: Message, was: Message) -> ModelRequestPart:
    if message != was and type(part) is ToolReturnPart:
        whole: Any = part  # the union's other members have contents of their own kinds
        changed: ModelRequestPart = replace(whole, content=message.text)
        return changed
    return part
