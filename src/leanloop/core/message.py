"""A conversation as leanloop holds it, whichever provider it is sent to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from leanloop.core.tokens import Tokens

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of these."""


class ToolCall(msgspec.Struct, frozen=True):
    """A model's wish to call one tool.

    Attributes:
        call_id: Joins the call to its result; unique in a conversation.
        name: The tool's name.
        arguments: A JSON object.
    """

    call_id: str
    name: str
    arguments: dict[str, Json]


class SystemMessage(msgspec.Struct, frozen=True, tag="system"):
    """Standing instructions. Levers may add to them, never drop them."""

    text: str


class UserMessage(msgspec.Struct, frozen=True, tag="user"):
    """What the user said. Levers never drop it."""

    text: str


class AssistantMessage(msgspec.Struct, frozen=True, tag="assistant"):
    """What the model said: text, tool calls, or both.

    Attributes:
        text: The text without any tool call.
        tool_calls: In the order that the model gave.
        verbatim: What the provider sent, kept to be sent back unchanged: text
            for the embedded model, content blocks (thinking, signatures) for a
            provider that signs them. None when there is nothing to keep.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    verbatim: Json = None


class ToolMessage(msgspec.Struct, frozen=True, tag="tool"):
    """The result of one tool call.

    Attributes:
        call_id: The call that it answers.
        name: The tool that was called.
        text: The observation.
        is_error: Whether the tool refused or failed.
    """

    call_id: str
    name: str
    text: str
    is_error: bool = False


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class Contract(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a call of a tool must keep to beyond its schema; never shown to the model.

    Attributes:
        arguments: Argument to the kind of thing that it names, such as ``person``.
        results: Result field to the kind of thing that its value names.
        known: Arguments whose value must stand in the task or in an earlier result:
            what a change of state is about should not be made up.
        after: Tools of which one must have been called, without an error, before.
        sets: Argument to the field of a record that it sets: to set what is set already
            is a slip. The record is that of the thing that another argument names.
        looks: Kind of thing to a regular expression that names of that kind match whole
            and names of others do not, such as ``T-[0-9]+`` for a ticket.
    """

    arguments: dict[str, str] = {}
    results: dict[str, str] = {}
    known: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    sets: dict[str, str] = {}
    looks: dict[str, str] = {}


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as it is shown to the model.

    Attributes:
        name: Unique among the tools of a task.
        description: What it does.
        parameters: JSON Schema of an object.
        read_only: True when a call changes nothing; None when that is unknown.
        result_fields: Names of the fields of the record, or of each record, that
            the tool returns; empty when it returns something else.
        contract: What a call must keep to; None when nothing is known of it.
    """

    name: str
    description: str
    parameters: dict[str, Json]
    read_only: bool | None = None
    result_fields: tuple[str, ...] = ()
    contract: Contract | None = None


class Request(msgspec.Struct, frozen=True):
    """One query to a model.

    Attributes:
        model: The study's own name for the model, such as ``small``.
        messages: The conversation so far.
        tools: The tools that the model is shown.
        tools_allowed: Whether it may call them now. Showing the tools while
            forbidding calls keeps the prompt's prefix, and so the cache.
        max_output_tokens: Upper bound on what the model writes, inclusive.
        seed: For models that sample.
        temperature: Of the sampling; the model's own setting when None.
        effort: How much to reason, in the provider's own words; its default when empty.
        shared_messages: How many of the first messages every task of the suite begins
            with; 0 when that is not known. A hint for caches, never sent.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tools_allowed: bool = True
    max_output_tokens: int = 256
    seed: int = 0
    temperature: float | None = None
    effort: str = ""
    shared_messages: int = 0


def with_messages(request: Request, messages: Iterable[Message]) -> Request:
    """The same request with other messages."""
    return msgspec.structs.replace(request, messages=tuple(messages))


class Response(msgspec.Struct, frozen=True):
    """What came back from one query.

    Attributes:
        message: What the model said.
        tokens: As the provider reported them.
        latency_s: Wall seconds from sending to the last byte, queueing in this
            process left out.
        truncated: Whether the model was cut off by ``max_output_tokens``.
        model_ref: ``provider:model`` that really answered.
    """

    message: AssistantMessage
    tokens: Tokens
    latency_s: float
    truncated: bool = False
    model_ref: str = ""
