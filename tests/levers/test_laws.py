"""What holds for every lever, alone and together, on any conversation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.configuration import Configuration
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.run import ModelCall, Step, ToolUse
from leanloop.core.tokens import Tokens
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import GO, Verdict
from leanloop.loop.pipeline import Pipeline, build_pipeline
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import (
    configurations,
    conversations,
    replies,
    requests,
    run_context,
    turns,
)

FEW = settings(max_examples=20, deadline=None)
MANY = settings(max_examples=100, deadline=None)
PAIRS = st.lists(st.sampled_from(list(BUILT_IN)), min_size=2, max_size=2, unique=True)


@dataclass
class Trail:
    """Everything that a pipeline gave back while a conversation grew."""

    requests: list[tuple[Request, Request]] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    outcomes: list[tuple[ToolCall, ToolCall | ToolMessage, str]] = field(default_factory=list)
    results: list[tuple[ToolMessage, ToolMessage]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)


async def grow(configuration: Configuration, request: Request, reply: AssistantMessage) -> Trail:
    """Take the conversation through the hooks step by step, as an agent's loop does."""
    script = ScriptedModel(lambda _: reply, latency_s=0.0)
    pipeline = build_pipeline(configuration, run_context(script), BUILT_IN)
    trail = Trail(asked=script.requests)
    for turn in turns(request.messages):
        response = await _query(pipeline, with_messages(request, turn.sent), turn.said, trail)
        uses = [
            await _call(pipeline, c, r, trail)
            for c, r in zip(turn.said.tool_calls, turn.shown, strict=True)
        ]
        call = ModelCall("small", "scripted:model", "act", response.tokens, 0.0, 0.0)
        trail.verdicts.append(pipeline.after_step(Step((call,), tuple(uses), turn.said.text)))
    await _query(pipeline, request, AssistantMessage(text="done"), trail)
    return trail


async def _query(
    pipeline: Pipeline, request: Request, said: AssistantMessage, trail: Trail
) -> Response:
    sent = await pipeline.on_request(request)
    trail.requests.append((request, sent))
    used = Tokens(sum(len(m.text) for m in sent.messages), 0, 0, 0, 5, 0)
    response = Response(said, used, 0.0, model_ref="scripted:model")
    trail.responses.append(await pipeline.on_response(sent, response))
    return response


async def _call(pipeline: Pipeline, call: ToolCall, result: ToolMessage, trail: Trail) -> ToolUse:
    outcome, by = await pipeline.on_tool_call(call)
    trail.outcomes.append((call, outcome, by))
    if isinstance(outcome, ToolCall):
        shown = pipeline.on_tool_result(call, result)
        trail.results.append((result, shown))
    else:
        shown = outcome
    return ToolUse(call.name, str(call.arguments), 0.0, by, shown.is_error, shown.text)


def rounds(messages: tuple[Message, ...]) -> list[tuple[AssistantMessage, list[ToolMessage]]]:
    """The rounds of calls and results; fails on a call or a result that stands alone."""
    found = []
    i = 0
    while i < len(messages):
        message = messages[i]
        i += 1
        assert not isinstance(message, ToolMessage), f"result without its call at {i - 1}"
        if not isinstance(message, AssistantMessage) or not message.tool_calls:
            continue
        results = []
        for call in message.tool_calls:
            assert i < len(messages), "call without its result"
            result = messages[i]
            assert isinstance(result, ToolMessage), f"call without its result before {i}"
            assert (result.call_id, result.name) == (call.call_id, call.name)
            results.append(result)
            i += 1
        found.append((message, results))
    return found


def assert_rounds_kept(before: Request, after: Request) -> None:
    """Rounds are whole, in order and none is new; only a summary may stand for the oldest."""
    ids = [[c.call_id for c in said.tool_calls] for said, _ in rounds(before.messages)]
    kept = [[c.call_id for c in said.tool_calls] for said, _ in rounds(after.messages)]
    ours = [k for k in kept if k in ids]
    assert ours == ids[len(ids) - len(ours) :]
    assert all(k[0].startswith("example-") for k in kept if k not in ids)


def assert_voices_kept(before: Request, after: Request) -> None:
    """Every system and user message is still there, word for word and in order."""
    left = iter(after.messages)
    for message in before.messages:
        if isinstance(message, SystemMessage | UserMessage):
            assert any(message == m for m in left), message


def assert_tools_kept(before: Request, after: Request) -> None:
    """Tools stay in their order; a lever's own come behind them, under names of their own."""
    names, every = [t.name for t in before.tools], {t.name for t in run_context().tools}
    ours = [t.name for t in after.tools if t.name in every]
    assert [n for n in names if n in ours] == ours
    assert [t.name for t in after.tools][: len(ours)] == ours
    assert len({t.name for t in after.tools}) == len(after.tools)


def assert_lawful(configuration: Configuration, request: Request, reply: AssistantMessage) -> None:
    """All the laws at once, so that each drawn conversation serves them all."""
    before = msgspec.json.encode(request)
    trail = asyncio.run(grow(configuration, request, reply))
    assert msgspec.json.encode(request) == before, "a lever changed what it was given"
    for given_request, sent in trail.requests:
        assert_rounds_kept(given_request, sent)
        assert_voices_kept(given_request, sent)
        assert sent.tools_allowed == given_request.tools_allowed
        assert_tools_kept(given_request, sent)
    if trail.asked:
        assert any("model" in BUILT_IN[n].card.needs for n in configuration), "says that it asks"
    for asked in trail.asked:
        rounds(asked.messages)
    for call, outcome, by in trail.outcomes:
        assert (outcome.call_id, outcome.name) == (call.call_id, call.name)
        assert isinstance(outcome, ToolCall) == (by == "tool")
    for result, shown in trail.results:
        assert (shown.call_id, shown.name) == (result.call_id, result.name)
        assert shown.is_error == result.is_error
        assert not result.is_error or shown == result
    assert asyncio.run(grow(configuration, request, reply)) == trail, "not deterministic"


@pytest.mark.parametrize("name", BUILT_IN)
@FEW
@given(data=st.data(), request=requests(), reply=replies)
def test_each_lever_is_lawful(
    name: str, data: st.DataObject, request: Request, reply: AssistantMessage
) -> None:
    assert_lawful(data.draw(configurations(name)), request, reply)


@MANY
@given(data=st.data(), pair=PAIRS, request=requests(), reply=replies)
def test_pairs_are_lawful(
    data: st.DataObject, pair: list[str], request: Request, reply: AssistantMessage
) -> None:
    assert_lawful(data.draw(configurations(*pair)), request, reply)


@MANY
@given(configuration=configurations(), request=requests(), reply=replies)
def test_whole_configurations_are_lawful(
    configuration: Configuration, request: Request, reply: AssistantMessage
) -> None:
    assert_lawful(configuration, request, reply)


@MANY
@given(
    configuration=configurations(),
    request=requests(),
    later=conversations(max_rounds=3),
    reply=replies,
)
def test_a_conversation_may_be_met_half_way(
    configuration: Configuration,
    request: Request,
    later: tuple[Message, ...],
    reply: AssistantMessage,
) -> None:
    """A gateway's first request may hold many rounds already."""
    more = tuple(_renamed(m) for m in later[1:])

    async def meet() -> list[tuple[Request, Request]]:
        script = ScriptedModel(lambda _: reply, latency_s=0.0)
        pipeline = build_pipeline(configuration, run_context(script), BUILT_IN)
        trail = Trail()
        await _query(pipeline, request, AssistantMessage(text="so far"), trail)
        whole = with_messages(request, (*request.messages, AssistantMessage(text="so far"), *more))
        for turn in turns(whole.messages):
            if len(turn.sent) > len(request.messages):
                await _query(pipeline, with_messages(whole, turn.sent), turn.said, trail)
        await _query(pipeline, whole, AssistantMessage(text="done"), trail)
        return trail.requests

    for given_request, sent in asyncio.run(meet()):
        assert_rounds_kept(given_request, sent)
        assert_voices_kept(given_request, sent)


def _renamed(message: Message) -> Message:
    """The message with calls that no earlier part of the conversation has."""
    if isinstance(message, ToolMessage):
        return msgspec.structs.replace(message, call_id=message.call_id + "-later")
    if isinstance(message, AssistantMessage):
        calls = [
            msgspec.structs.replace(c, call_id=c.call_id + "-later") for c in message.tool_calls
        ]
        return msgspec.structs.replace(message, tool_calls=tuple(calls))
    return message


@FEW
@given(request=requests())
def test_all_off_passes_the_very_same_objects(request: Request) -> None:
    off = Configuration(dict.fromkeys(BUILT_IN, "off"))
    pipeline = build_pipeline(off, run_context(), BUILT_IN)
    assert asyncio.run(pipeline.on_request(request)) is request
    response = Response(AssistantMessage(text="x"), Tokens(), 0.0)
    assert asyncio.run(pipeline.on_response(request, response)) is response
    for turn in turns(request.messages):
        for call, result in zip(turn.said.tool_calls, turn.shown, strict=True):
            outcome, by = asyncio.run(pipeline.on_tool_call(call))
            assert outcome is call
            assert by == "tool"
            assert pipeline.on_tool_result(call, result) is result
    assert pipeline.after_step(Step()) is GO
