"""A Chat Completions request body, read for levers and written back."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    Request,
    SystemMessage,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.models.body_tools import BodyTools, ToolForm, read_tools
from leanloop.models.chat_completions import chat_message, chat_tool, content_text, read_message
from leanloop.models.originals import NO_LIMIT, Originals, patched, same_objects, with_fields

LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
UNREADABLE = "is not as the Chat Completions API has it; send the body on as it is, without levers"


@dataclass(frozen=True)
class ChatRequest:
    """A body and the request that levers see of it; make it with ``read_request``.

    Args:
        body: As it came; never changed.
        request: What levers see.
        ref: The model that the body goes to.
        limit_field: Where to write a bound on the output when the body has none.
        tools: The body's tools.
        originals: The request's messages; each is the body's message of the same index.
    """

    body: dict[str, Json]
    request: Request
    ref: str
    limit_field: str
    tools: BodyTools
    originals: Originals

    def write(self, request: Request) -> dict[str, Json]:
        """The body of a request that levers made of this one.

        What no lever changed is the very object that came: a message with its
        images, names and unknown fields, a tool, the list of either, the body.

        Args:
            request: Made from ``self.request``, or a lever's own question.
        """
        if request is self.request:
            return self.body
        changes = {**self._settings(request), **self._tools(request)}
        messages = self._messages(request)
        if messages is not None:
            changes["messages"] = messages
        return with_fields(self.body, changes)

    def _settings(self, request: Request) -> dict[str, Json]:
        was, changes = self.request, dict[str, Json]()
        if request.model != was.model:
            changes["model"] = request.model
        if request.max_output_tokens != was.max_output_tokens:
            there = [f for f in LIMIT_FIELDS if self.body.get(f) is not None]
            changes |= dict.fromkeys(there or [self.limit_field], request.max_output_tokens)
        if request.seed != was.seed:
            changes["seed"] = request.seed
        if request.temperature != was.temperature:
            changes["temperature"] = request.temperature
        if request.effort != was.effort:
            changes["reasoning_effort"] = request.effort or None
        return changes

    def _tools(self, request: Request) -> dict[str, Json]:
        changes: dict[str, Json] = {}
        tools = self.tools.written(request.tools)
        if tools is not self.tools.sent:
            changes["tools"] = tools or None
        if not tools and self.tools.sent:  # refused where there are no tools
            changes |= {"tool_choice": None, "parallel_tool_calls": None}
        elif tools and request.tools_allowed != self.request.tools_allowed:
            changes["tool_choice"] = None if request.tools_allowed else "none"
        return changes

    def _messages(self, request: Request) -> list[Json] | None:
        if request.messages is self.request.messages:
            return None
        found = self.originals.find(request.messages)
        out = [self._message(m, i) for m, i in zip(request.messages, found, strict=True)]
        return None if same_objects(out, self.body["messages"]) else out

    def _message(self, message: Message, index: int | None) -> Json:
        if index is None:
            made = chat_message(message, self.ref)
            return {**made, "role": self._system_role()} if made["role"] == "system" else made
        original, was = self.body["messages"][index], self.originals[index]
        if message is was:
            return original
        if isinstance(message, AssistantMessage) and isinstance(was, AssistantMessage):
            odd = _with_functions(original, index) is not original
            if message.verbatim is not None or odd:  # kept whole
                return original
            was = msgspec.structs.replace(was, verbatim=None)
        return patched(original, chat_message(was, self.ref), chat_message(message, self.ref))

    def _system_role(self) -> str:
        roles = (m["role"] for m in self.body["messages"])
        return next((r for r in roles if r in {"system", "developer"}), "system")


def read_request(
    body: dict[str, Json], ref: str = "", limit_field: str = LIMIT_FIELDS[0]
) -> ChatRequest:
    """Read a body for levers; the body is kept and not changed.

    ``developer`` messages are system text to levers. Only text is shown of a
    message that has other parts too. Whether a tool's result is an error is not
    on the wire, so none is. A call by the older ``function_call`` has an id made
    of its place.

    Args:
        body: The body's JSON.
        ref: ``provider:model`` that it goes to, kept beside assistant messages.
        limit_field: Where to write a bound on the output when the body has none.

    Raises:
        BadInputError: The API would not know what the body is; send it on as it
            is, and let the endpoint say what is wrong with it.
    """
    tools = read_tools(body, FORM)
    messages = tuple(_read_messages(body, ref))
    limits = [n for f in LIMIT_FIELDS if isinstance(n := body.get(f), int)]
    seed = body.get("seed")
    request = Request(
        model=body.get("model") or "",
        messages=messages,
        tools=tools.seen,
        tools_allowed=body.get("tool_choice") != "none",
        max_output_tokens=min(limits, default=NO_LIMIT),
        seed=seed if isinstance(seed, int) else 0,
        temperature=body.get("temperature"),
        effort=body.get("reasoning_effort") or "",
    )
    return ChatRequest(body, request, ref, limit_field, tools, Originals(messages))


def _read_tool(tool: Json) -> ToolSpec | None:
    function = tool.get("function")
    if function is None:
        return None
    return ToolSpec(
        function["name"], function.get("description") or "", function.get("parameters") or {}
    )


def _forced(choice: Json) -> list[str]:
    if not isinstance(choice, dict):
        return []
    chosen = (choice.get("allowed_tools") or {}).get("tools") or [choice]
    return [c["function"]["name"] for c in chosen if "function" in c]


FORM = ToolForm(_read_tool, _forced, chat_tool, UNREADABLE)


def _read_messages(body: dict[str, Json], ref: str) -> list[Message]:
    sent = body.get("messages")
    if not isinstance(sent, list):
        raise BadInputError("messages", UNREADABLE)
    names: dict[str, str] = {}
    messages: list[Message] = []
    for i, message in enumerate(sent):
        try:
            read = _read_message(message, i, ref, names)
        except (LookupError, TypeError, AttributeError):
            raise BadInputError(f"messages[{i}]", UNREADABLE) from None
        if isinstance(read, AssistantMessage):
            names |= {c.call_id: c.name for c in read.tool_calls}
        messages.append(read)
    return messages


def _read_message(sent: dict[str, Json], index: int, ref: str, names: dict[str, str]) -> Message:
    role = sent["role"]
    if role in {"system", "developer"}:
        return SystemMessage(content_text(sent))
    if role == "user":
        return UserMessage(content_text(sent))
    if role == "assistant":
        return read_message(_with_functions(sent, index), ref, tools_allowed=True)
    if role not in {"tool", "function"}:
        raise LookupError(role)
    call_id = sent["tool_call_id"] if role == "tool" else _function_call_id(index - 1)
    return ToolMessage(call_id, names.get(call_id, ""), content_text(sent))


def _with_functions(sent: dict[str, Json], index: int) -> dict[str, Json]:
    """The message with every call as a call of a function that has an id."""
    calls = sent.get("tool_calls") or ()
    if not calls and sent.get("function_call"):
        call = {"id": _function_call_id(index), "function": sent["function_call"]}
        return {**{k: v for k, v in sent.items() if k != "function_call"}, "tool_calls": [call]}
    if all(c.get("id") and "function" in c for c in calls):
        return sent
    return {**sent, "tool_calls": [_function(c, f"call-{index}-{j}") for j, c in enumerate(calls)]}


def _function(call: dict[str, Json], call_id: str) -> dict[str, Json]:
    function = call.get("function")
    if function is None:  # a custom tool takes one text
        custom = call["custom"]
        function = {"name": custom["name"], "arguments": {"input": custom["input"]}}
    return {"id": call.get("id") or call_id, "type": "function", "function": function}


def _function_call_id(index: int) -> str:
    return f"function_call-{index}"
