"""Request bodies of both wire formats for property tests."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.levers.conversations import MODELS, TOOLS

Body = dict[str, Any]

EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
PICTURE = "data:image/png;base64,iVBORw0KGgo="
text = st.text(max_size=40)
tool_names = st.sampled_from((*(t.name for t in TOOLS), "no_such_tool"))
observations = st.one_of(
    text,
    text.map(lambda t: t * 40),
    st.just(json.dumps([{"id": "1", "status": "new"}] * 3)),
)
_extras = st.dictionaries(st.sampled_from(("x_trace", "x_größe")), st.none() | text, max_size=1)
_marks = st.sampled_from(({}, {}, EPHEMERAL))
_arguments = st.dictionaries(st.sampled_from(("id", "fields", "größe")), text, max_size=2)
_ids = st.sampled_from(("call_", "toolu_", "example", "x-"))
_counts = st.integers(1, 3)


def _merged(*parts: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
    return st.tuples(*parts).map(lambda drawn: {k: v for part in drawn for k, v in part.items()})


def _maybe(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return st.just({}) | st.fixed_dictionaries({name: values})


def _list_or_text(part: st.SearchStrategy[Body], most: int = 3) -> st.SearchStrategy[Any]:
    return text | st.lists(part, min_size=1, max_size=most)


# Chat Completions

_chat_text = _merged(st.fixed_dictionaries({"type": st.just("text"), "text": text}), _marks)
_chat_image = st.just({"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}})
_chat_system = _merged(
    st.fixed_dictionaries(
        {"role": st.sampled_from(("system", "developer")), "content": _list_or_text(_chat_text)}
    ),
    _maybe("name", st.just("house")),
    _extras,
)
_chat_user = _merged(
    st.fixed_dictionaries(
        {"role": st.just("user"), "content": _list_or_text(_chat_text | _chat_image)}
    ),
    _maybe("name", st.just("ann")),
    _extras,
)
_chat_said = _merged(
    st.fixed_dictionaries({"role": st.just("assistant"), "content": st.none() | text}),
    _maybe("refusal", st.none() | text),
    _maybe("reasoning_content", text),
    _maybe("reasoning_details", st.just([{"type": "reasoning.encrypted", "data": "b3Bh"}])),
    _extras,
)


@st.composite
def _chat_calls(draw: st.DrawFn, prefix: str, first: int) -> list[Body]:
    """An assistant message with calls, and their results."""
    calls, results = [], []
    for i in range(draw(_counts)):
        call_id = f"{prefix}q{first + i}"
        written = draw(_arguments.map(json.dumps) | st.sampled_from(("", "{", "[1]")))
        function = {"name": draw(tool_names), "arguments": written}
        if draw(st.integers(0, 9)) == 0:
            custom = {"name": "shell", "input": draw(text)}
            calls.append({"id": call_id, "type": "custom", "custom": custom})
        else:
            calls.append({"id": call_id, "type": "function", "function": function})
        content = draw(observations | st.lists(_chat_text, max_size=2))
        results.append(
            {"role": "tool", "tool_call_id": call_id, "content": content, **draw(_extras)}
        )
    return [{**draw(_chat_said), "tool_calls": calls}, *results]


@st.composite
def _older_call(draw: st.DrawFn) -> list[Body]:
    call = {"name": "get_order", "arguments": draw(_arguments.map(json.dumps))}
    return [
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "get_order", "content": draw(observations)},
    ]


@st.composite
def chat_bodies(draw: st.DrawFn, max_rounds: int = 5) -> Body:
    """A Chat Completions body that awaits the model."""
    prefix = draw(_ids)
    messages = [*draw(st.lists(_chat_system, max_size=2)), draw(_chat_user)]
    for i in range(draw(st.integers(0, max_rounds))):
        kind = draw(st.integers(0, 9))
        if kind == 0:
            messages += [draw(_chat_said), draw(_chat_user)]
        elif kind == 1:
            messages.append(draw(_chat_user | _chat_system))
        messages += draw(_older_call() if kind == 2 else _chat_calls(prefix, 10 * i))
    body: Body = {"model": MODELS[0], "messages": messages, **draw(_chat_settings)}
    return {**body, **draw(_chat_tools())}


_chat_settings = _merged(
    _maybe("max_tokens", st.integers(1, 999)),
    _maybe("max_completion_tokens", st.none() | st.integers(1, 999)),
    _maybe("seed", st.none() | st.integers(0, 9)),
    _maybe("temperature", st.none() | st.floats(0, 2)),
    _maybe("reasoning_effort", st.sampled_from(("low", "high"))),
    _maybe("stream", st.booleans()),
    _maybe("response_format", st.just({"type": "json_object"})),
    _extras,
)


@st.composite
def _chat_tools(draw: st.DrawFn) -> Body:
    tools: list[Body] = []
    for tool in TOOLS:
        if draw(st.booleans()):
            written: Body = {"name": tool.name, "parameters": tool.parameters, **draw(_extras)}
            if draw(st.booleans()):
                written |= {"description": tool.description, "strict": draw(st.booleans())}
            tools.append({"type": "function", "function": written, **draw(_marks)})
    if draw(st.integers(0, 4)) == 0:
        tools.insert(0, {"type": "custom", "custom": {"name": "shell"}})
    if not tools:
        return {}
    names = [t["function"]["name"] for t in tools if "function" in t]
    choices: list[Any] = ["auto", "none", "required"]
    choices += [{"type": "function", "function": {"name": n}} for n in names]
    return {"tools": tools, **draw(_maybe("tool_choice", st.sampled_from(choices)))}


# Anthropic Messages

_block_text = _merged(st.fixed_dictionaries({"type": st.just("text"), "text": text}), _marks)
_block_image = _merged(
    st.just(
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        }
    ),
    _marks,
)
_contents = _list_or_text(_block_text | _block_image)
_results = _merged(
    st.fixed_dictionaries({"type": st.just("tool_result")}),
    _maybe("content", observations | st.lists(_block_text | _block_image, max_size=2)),
    _maybe("is_error", st.booleans()),
    _marks,
    _extras,
)


@st.composite
def _thoughts(draw: st.DrawFn, serial: int) -> list[Body]:
    """Thinking, with a signature like no other."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return [{"type": "redacted_thinking", "data": f"cmVk{serial}"}]
    if kind == 1:
        return [{"type": "thinking", "thinking": draw(text), "signature": f"c2ln{serial}+/=="}]
    return []


@st.composite
def _messages_round(draw: st.DrawFn, prefix: str, first: int) -> list[Body]:
    """An assistant turn with calls, and their results in one user turn or in two."""
    uses, results = [], []
    for i in range(draw(_counts)):
        call_id = f"{prefix}q{first + i}"
        use = {"type": "tool_use", "id": call_id, "name": draw(tool_names)}
        uses.append({**use, "input": draw(_arguments), **draw(_marks)})
        results.append({**draw(_results), "tool_use_id": call_id})
    before = [{"type": "text", "text": draw(text)}] if draw(st.booleans()) else []
    turns: list[Body] = [
        {"role": "assistant", "content": [*draw(_thoughts(first)), *before, *uses]}
    ]
    behind = draw(st.lists(_block_text | _block_image, max_size=2))
    if draw(st.integers(0, 5)) == 0:
        turns += [{"role": "user", "content": [r]} for r in results]
        turns += [{"role": "user", "content": behind}] if behind else []
    else:
        turns.append({"role": "user", "content": [*results, *behind], **draw(_extras)})
    return turns


@st.composite
def messages_bodies(draw: st.DrawFn, max_rounds: int = 5) -> Body:
    """A Messages body that awaits the model."""
    prefix = draw(_ids)
    turns = [{"role": "user", "content": draw(_contents)}]
    for i in range(draw(st.integers(0, max_rounds))):
        kind = draw(st.integers(0, 9))
        if kind == 0:
            said = draw(text | st.lists(_block_text, min_size=1, max_size=2))
            turns += [
                {"role": "assistant", "content": said},
                {"role": "user", "content": draw(_contents)},
            ]
        elif kind == 1:
            turns.append({"role": "system", "content": draw(_list_or_text(_block_text, 2))})
        turns += draw(_messages_round(prefix, 10 * i))
    body: Body = {"model": MODELS[0], "max_tokens": draw(st.integers(1, 999))}
    body |= draw(_maybe("system", _list_or_text(_block_text)))
    return {**body, "messages": turns, **draw(_messages_settings), **draw(_messages_tools())}


_messages_settings = _merged(
    _maybe("temperature", st.floats(0, 1)),
    _maybe("thinking", st.just({"type": "enabled", "budget_tokens": 1024})),
    _maybe("output_config", st.fixed_dictionaries({"effort": st.sampled_from(("low", "high"))})),
    _maybe("metadata", st.just({"user_id": "ü"})),
    _maybe("stream", st.booleans()),
    _extras,
)


@st.composite
def _messages_tools(draw: st.DrawFn) -> Body:
    tools: list[Body] = []
    for tool in TOOLS:
        if draw(st.booleans()):
            written: Body = {"name": tool.name, "input_schema": tool.parameters, **draw(_marks)}
            if draw(st.booleans()):
                written |= {"description": tool.description, **draw(_extras)}
            tools.append(written)
    names = [t["name"] for t in tools]
    if draw(st.integers(0, 4)) == 0:
        tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": 2})
    if not tools:
        return {}
    choices: list[Body] = [{"type": "auto"}, {"type": "none"}, {"type": "any"}]
    choices += [{"type": "tool", "name": n} for n in names]
    return {"tools": tools, **draw(_maybe("tool_choice", st.sampled_from(choices)))}


# OpenAI Responses

_input_text = st.fixed_dictionaries({"type": st.just("input_text"), "text": text})
_input_image = st.just({"type": "input_image", "image_url": PICTURE})
_given = _merged(
    st.fixed_dictionaries(
        {"role": st.just("user"), "content": _list_or_text(_input_text | _input_image)}
    ),
    _maybe("type", st.just("message")),
    _extras,
)
_ruled = st.fixed_dictionaries(
    {"role": st.sampled_from(("system", "developer")), "content": _list_or_text(_input_text)}
)
_output_text = st.fixed_dictionaries(
    {"type": st.just("output_text"), "text": text, "annotations": st.just([])}
)


@st.composite
def _responses_said(draw: st.DrawFn, serial: int) -> list[Body]:
    """Reasoning with a text like no other, and a message; either may be missing."""
    made: list[Body] = []
    if draw(st.booleans()):
        hidden = {"encrypted_content": f"b3Bh{serial}", "summary": []}
        made.append({"type": "reasoning", "id": f"rs_{serial}", **hidden})
    if draw(st.booleans()):
        parts = draw(st.lists(_output_text, min_size=1, max_size=2))
        about = {"type": "message", "role": "assistant", "status": "completed"}
        made.append({**about, "id": f"msg_{serial}", "content": parts})
    return made


@st.composite
def _responses_round(draw: st.DrawFn, prefix: str, first: int) -> list[Body]:
    calls, results = [], []
    for i in range(draw(_counts)):
        call_id = f"{prefix}q{first + i}"
        about = {"call_id": call_id, "id": f"fc_{first + i}"}
        if draw(st.integers(0, 9)) == 0:
            calls.append({"type": "custom_tool_call", **about, "name": "shell", "input": "ls"})
            kind = "custom_tool_call_output"
        else:
            written = draw(_arguments.map(json.dumps) | st.sampled_from(("", "{", "[1]")))
            call: Body = {"name": draw(tool_names), "arguments": written, **draw(_extras)}
            calls.append({"type": "function_call", **about, **call})
            kind = "function_call_output"
        output = draw(observations | st.lists(_input_text, max_size=2))
        results.append({"type": kind, "call_id": call_id, "output": output, **draw(_extras)})
    return [*draw(_responses_said(first)), *calls, *results]


@st.composite
def responses_bodies(draw: st.DrawFn, max_rounds: int = 5) -> Body:
    """A Responses body that awaits the model, its whole conversation in it."""
    prefix = draw(_ids)
    items: list[Body] = [*draw(st.lists(_ruled, max_size=1)), draw(_given)]
    for i in range(draw(st.integers(0, max_rounds))):
        kind = draw(st.integers(0, 9))
        if kind == 0:
            said = {"role": "assistant", "content": draw(text)}
            items += [said, draw(_given)]
        elif kind == 1:
            items.append(draw(_given | _ruled))
        items += draw(_responses_round(prefix, 10 * i))
    body: Body = {"model": MODELS[0], "input": items, **draw(_responses_settings)}
    return {**body, **draw(_responses_tools())}


_responses_settings = _merged(
    _maybe("instructions", text.filter(bool)),
    _maybe("max_output_tokens", st.integers(1, 999)),
    _maybe("temperature", st.none() | st.floats(0, 2)),
    _maybe("reasoning", st.fixed_dictionaries({"effort": st.sampled_from(("low", "high"))})),
    _maybe("store", st.booleans()),
    _maybe("include", st.just(["reasoning.encrypted_content"])),
    _extras,
)


@st.composite
def _responses_tools(draw: st.DrawFn) -> Body:
    tools: list[Body] = []
    for tool in TOOLS:
        if draw(st.booleans()):
            about: Body = {"name": tool.name, "parameters": tool.parameters, **draw(_extras)}
            if draw(st.booleans()):
                about |= {"description": tool.description, "strict": draw(st.booleans())}
            tools.append({"type": "function", **about})
    names = [t["name"] for t in tools]
    if draw(st.integers(0, 4)) == 0:
        tools.append({"type": "web_search"})
    if not tools:
        return {}
    choices: list[Any] = ["auto", "none", "required"]
    choices += [{"type": "function", "name": n} for n in names]
    return {"tools": tools, **draw(_maybe("tool_choice", st.sampled_from(choices)))}
