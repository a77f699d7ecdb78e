"""What holds for every lever on a request body in each wire format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.configuration import Configuration
from leanloop.core.message import AssistantMessage, Request, Response, ToolCall, ToolMessage
from leanloop.core.run import ModelCall, Step, ToolUse
from leanloop.core.tokens import Tokens
from leanloop.levers.builtin import BUILT_IN
from leanloop.loop.pipeline import Pipeline, build_pipeline
from leanloop.models import chat_request, messages_request, responses_request
from leanloop.models.chat_request import ChatRequest
from leanloop.models.messages_request import MessagesRequest
from leanloop.models.responses_request import ResponsesRequest
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import TOOLS, configurations, replies, run_context, turns
from tests.levers.wire_conversations import Body, chat_bodies, messages_bodies, responses_bodies

FEW = settings(max_examples=12, deadline=None)
MANY = settings(max_examples=60, deadline=None)
PAIRS = st.lists(st.sampled_from(list(BUILT_IN)), min_size=2, max_size=2, unique=True)
REF = "provider:model"

Read = Callable[[Body], ChatRequest | MessagesRequest | ResponsesRequest]
Check = Callable[[Body, Body], None]


def read_chat(body: Body) -> ChatRequest:
    return chat_request.read_request(body, REF)


def read_messages(body: Body) -> MessagesRequest:
    return messages_request.read_request(body, REF)


def read_responses(body: Body) -> ResponsesRequest:
    return responses_request.read_request(body)


def known(request: Request) -> Request:
    """The request with what a gateway's owner says of the tools, which no wire tells."""
    ours = {t.name: t for t in TOOLS}
    return msgspec.structs.replace(
        request,
        tools=tuple(
            msgspec.structs.replace(
                t,
                read_only=ours[t.name].read_only,
                result_fields=ours[t.name].result_fields,
            )
            for t in request.tools
        ),
    )


def growing(body: Body) -> list[Body]:
    """The body as it was when the model was asked for each of its turns, and the whole."""
    where = "input" if "input" in body else "messages"
    made = [is_made(m) for m in body[where]]
    cuts = [i for i, m in enumerate(made) if m and not made[i - 1]]
    return [*({**body, where: body[where][:i]} for i in cuts), body]


def is_made(part: Body) -> bool:
    """Whether the model made a message or an item."""
    kind = part.get("type") or "message"
    return part["role"] == "assistant" if kind == "message" else not kind.endswith("_output")


async def grow(
    configuration: Configuration, body: Body, reply: AssistantMessage, read: Read
) -> list[tuple[Body, Body]]:
    """Every body that a client sends while its conversation grows, and what is sent on."""
    script = ScriptedModel(lambda _: reply, latency_s=0.0)
    pipeline = build_pipeline(configuration, run_context(script), BUILT_IN)
    done = list(turns(read(body).request.messages))
    bodies, out = growing(body), []
    assert len(bodies) == len(done) + 1
    for i, sub in enumerate(bodies):
        wire = read(sub)
        sent = await pipeline.on_request(known(wire.request))
        out.append((sub, wire.write(sent)))
        said = _as_answered(done[i].said) if i < len(done) else AssistantMessage("done")
        used = Tokens(sum(len(m.text) for m in sent.messages), 0, 0, 0, 5, 0)
        await pipeline.on_response(sent, Response(said, used, 0.0, model_ref=REF))
        shown = done[i].shown if i < len(done) else ()
        uses = [await _use(pipeline, c, r) for c, r in zip(said.tool_calls, shown, strict=True)]
        call = ModelCall(sent.model, REF, "act", used, 0.0, 0.0)
        pipeline.after_step(Step((call,), tuple(uses), said.text))
    return out


def _as_answered(said: AssistantMessage) -> AssistantMessage:
    """What the provider answered: cache marks are the client's, set when it sends it back."""
    if not isinstance(said.verbatim, dict) or "blocks" not in said.verbatim:
        return said
    blocks = [{k: v for k, v in b.items() if k != "cache_control"} for b in said.verbatim["blocks"]]
    return msgspec.structs.replace(said, verbatim={**said.verbatim, "blocks": blocks})


async def _use(pipeline: Pipeline, call: ToolCall, result: ToolMessage) -> ToolUse:
    outcome, by = await pipeline.on_tool_call(call)
    shown = outcome
    if isinstance(outcome, ToolCall):
        shown = pipeline.on_tool_result(call, result)
    assert isinstance(shown, ToolMessage)
    return ToolUse(call.name, str(call.arguments), 0.0, by, shown.is_error, shown.text)


def assert_subsequence(part: list[Any], whole: list[Any]) -> None:
    left = iter(whole)
    for one in part:
        assert any(one == other for other in left), one


def dumped(value: Any) -> str:
    return json.dumps(value)


def assert_calls_kept(before: list[list[str]], after: list[list[str]]) -> None:
    """Rounds of the client's calls are whole and in their order."""
    kept = [ids for ids in after if ids in before]
    assert_subsequence(kept, before)
    ours = {i for ids in before for i in ids}
    assert not [ids for ids in after if ids not in before and ours & set(ids)]


def assert_tools_kept(before: Body, after: Body, name_of: Callable[[Body], str]) -> None:
    names = [name_of(t) for t in before.get("tools", ())]
    shown = [name_of(t) for t in after.get("tools", ())]
    ours = [n for n in shown if n in names]
    assert shown[: len(ours)] == ours
    assert_subsequence(ours, names)
    marks = sum("cache_control" in t for t in before.get("tools", ()))
    assert sum("cache_control" in t for t in after.get("tools", ())) <= marks
    if not shown:
        assert "tool_choice" not in after or not names
    elif isinstance(after.get("tool_choice"), dict) and "auto" not in dumped(after["tool_choice"]):
        forced = after["tool_choice"].get("function", after["tool_choice"]).get("name")
        assert forced is None or forced in shown


def assert_other_fields_kept(before: Body, after: Body) -> None:
    may = {"messages", "tools", "tool_choice", "model", "system", "seed", "temperature"}
    may |= {"max_tokens", "max_completion_tokens", "reasoning_effort", "output_config"}
    may |= {"parallel_tool_calls", "input", "instructions", "max_output_tokens", "reasoning"}
    rest = {k: v for k, v in before.items() if k not in may}
    assert {k: v for k, v in after.items() if k not in may} == rest


# Chat Completions


def chat_rounds(messages: list[Body]) -> list[list[str]]:
    """The ids of each round; fails on a call or a result that stands alone."""
    found, i = [], 0
    while i < len(messages):
        message, i = messages[i], i + 1
        assert message["role"] not in {"tool", "function"}, f"result without its call at {i - 1}"
        if "function_call" in message:
            assert messages[i]["role"] == "function"
            i += 1
        ids = [c["id"] for c in message.get("tool_calls", ())]
        results = messages[i : i + len(ids)]
        assert [r.get("tool_call_id") for r in results] == ids
        i += len(ids)
        found += [ids] if ids else []
    return found


def assert_chat_lawful(before: Body, after: Body) -> None:
    was, now = before["messages"], after["messages"]
    assert_calls_kept(chat_rounds(was), chat_rounds(now))
    for role in ("system", "developer", "user"):
        said = [id(m) for m in was if m["role"] == role]
        assert_subsequence(said, [id(m) for m in now])
    ours = {id(m) for m in was}
    known_calls = {i for ids in chat_rounds(was) for i in ids}
    for message in now:
        if any(c["id"] in known_calls for c in message.get("tool_calls", ())):
            assert id(message) in ours, "what a provider said was edited"
    assert_tools_kept(before, after, lambda t: (t.get("function") or t["custom"])["name"])
    assert_other_fields_kept(before, after)


# Anthropic Messages


def joined(turns: list[Body]) -> list[tuple[str, list[Body]]]:
    """Turns as the API sees them: neighbours of one role are one, text is a block."""
    out = []
    for role, run in groupby(turns, lambda t: t["role"]):
        out.append((role, [b for t in run for b in blocks_of(t["content"])]))
    return out


def blocks_of(content: Any) -> list[Body]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def messages_rounds(turns: list[Body]) -> list[list[str]]:
    """The ids of each round; results must be in the very next user turn, and first in it."""
    runs, found, answered = joined(turns), [], 0
    for i, (role, blocks) in enumerate(runs):
        ids = [b["id"] for b in blocks if b["type"] == "tool_use"]
        if role != "assistant" or not ids:
            continue
        assert i + 1 < len(runs), "calls without results"
        next_role, results = runs[i + 1]
        assert next_role == "user"
        assert [b.get("tool_use_id") for b in results[: len(ids)]] == ids
        answered += len(ids)
        found.append(ids)
    every = [b for _, blocks in runs for b in blocks if b["type"] == "tool_result"]
    assert len(every) == answered, "results without their calls"
    return found


def voices(body: Body, place: str) -> list[str]:
    """What stands in a place, block by block, without what the API would refuse as empty."""
    if place == "instructions":
        blocks = blocks_of(body.get("system"))
    else:
        blocks = [b for role, bs in joined(body["messages"]) if role == place for b in bs]
    blocks = [b for b in blocks if b["type"] != "tool_result"]
    return [dumped(b) for b in blocks if b["type"] != "text" or b["text"].strip()]


def assert_thinking_whole(was: list[Body], now: list[Body]) -> None:
    runs = [[dumped(b) for b in blocks] for role, blocks in joined(now) if role == "assistant"]
    for role, blocks in joined(was):
        signed = [dumped(b) for b in blocks if "thinking" in b["type"]]
        if role != "assistant" or not signed:
            continue
        turn = [dumped(b) for b in blocks]
        holders = [r for r in runs if set(signed) & set(r)]
        assert len(holders) <= 1
        for run in holders:
            at = run.index(turn[0])
            assert run[at : at + len(turn)] == turn


def assert_messages_lawful(before: Body, after: Body) -> None:
    was, now = before["messages"], after["messages"]
    assert_calls_kept(messages_rounds(was), messages_rounds(now))
    for place in ("instructions", "system", "user"):
        assert_subsequence(voices(before, place), voices(after, place))
    assert_thinking_whole(was, now)
    ours = {(id(a), id(b)) for a, b in pairwise(was)}
    for a, b in pairwise(now):
        assert a["role"] != b["role"] or (id(a), id(b)) in ours, "roles do not alternate"
        assert a["role"] != "system" or b["role"] == "assistant"
        assert b["role"] != "system" or a["role"] == "user"
    assert now[0]["role"] == "user"
    marks = dumped([before["messages"], before.get("system")]).count("cache_control")
    assert dumped([now, after.get("system")]).count("cache_control") <= marks
    assert_tools_kept(before, after, lambda t: t["name"])
    assert_other_fields_kept(before, after)


# OpenAI Responses


def responses_rounds(items: list[Body]) -> list[list[str]]:
    """The ids of each round; results must follow the run of items that made the calls."""
    found = []
    for made, run in groupby(items, is_made):
        if made:
            found.append([i["call_id"] for i in run if "call_id" in i])
            continue
        results = [i["call_id"] for i in run if "call_id" in i]
        assert results == (found[-1] if found else []), "calls without results, or the other way"
    assert not (found and found[-1] and is_made(items[-1])), "calls without results"
    return [ids for ids in found if ids]


def assert_responses_lawful(before: Body, after: Body) -> None:
    was, now = before["input"], after["input"]
    assert_calls_kept(responses_rounds(was), responses_rounds(now))
    for role in ("system", "developer", "user"):
        said = [id(m) for m in was if m.get("role") == role]
        assert_subsequence(said, [id(m) for m in now])
    there = {id(m) for m in now}
    for made, run in groupby(was, is_made):
        kept = [id(i) in there for i in run]
        assert not made or all(kept) or not any(kept), "a part of what was said in one go"
    assert before.get("instructions") == after.get("instructions")
    assert_tools_kept(before, after, lambda t: t.get("name") or t["type"])
    assert_other_fields_kept(before, after)


FORMATS: dict[str, tuple[Callable[[], st.SearchStrategy[Body]], Read, Check]] = {
    "chat": (chat_bodies, read_chat, assert_chat_lawful),
    "messages": (messages_bodies, read_messages, assert_messages_lawful),
    "responses": (responses_bodies, read_responses, assert_responses_lawful),
}
each_format = pytest.mark.parametrize("wire", FORMATS)


def assert_lawful(
    configuration: Configuration, body: Body, reply: AssistantMessage, wire: str
) -> None:
    _, read, check = FORMATS[wire]
    before = dumped(body)
    trail = asyncio.run(grow(configuration, body, reply, read))
    assert dumped(body) == before, "a body was changed"
    for given_body, sent in trail:
        check(given_body, sent)
    again = asyncio.run(grow(configuration, body, reply, read))
    assert [dumped(s) for _, s in again] == [dumped(s) for _, s in trail], "not deterministic"


@each_format
@pytest.mark.parametrize("name", BUILT_IN)
@FEW
@given(data=st.data(), reply=replies)
def test_each_lever_is_lawful(
    name: str, wire: str, data: st.DataObject, reply: AssistantMessage
) -> None:
    body = data.draw(FORMATS[wire][0]())
    assert_lawful(data.draw(configurations(name)), body, reply, wire)


@each_format
@MANY
@given(data=st.data(), pair=PAIRS, reply=replies)
def test_pairs_are_lawful(
    wire: str, data: st.DataObject, pair: list[str], reply: AssistantMessage
) -> None:
    body = data.draw(FORMATS[wire][0]())
    assert_lawful(data.draw(configurations(*pair)), body, reply, wire)


@each_format
@MANY
@given(data=st.data(), configuration=configurations(), reply=replies)
def test_whole_configurations_are_lawful(
    wire: str, data: st.DataObject, configuration: Configuration, reply: AssistantMessage
) -> None:
    assert_lawful(configuration, data.draw(FORMATS[wire][0]()), reply, wire)


@each_format
@MANY
@given(data=st.data())
def test_all_off_sends_the_very_same_body(wire: str, data: st.DataObject) -> None:
    make, read, _ = FORMATS[wire]
    body = data.draw(make())
    before = dumped(body)
    off = Configuration(dict.fromkeys(BUILT_IN, "off"))
    pipeline = build_pipeline(off, run_context(), BUILT_IN)
    request = read(body)
    assert request.write(asyncio.run(pipeline.on_request(request.request))) is body
    assert request.write(known(request.request)) is body, "the same in other objects"
    copied = msgspec.structs.replace(request.request, messages=(*request.request.messages,))
    assert request.write(copied) is body
    other = read(json.loads(before))
    assert request.write(other.request) is body, "an equal request read from an equal body"
    assert dumped(body) == before
