"""Runs: what they used, and that they survive being written down."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.core.run import Evidence, ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Split
from leanloop.core.tokens import NO_TOKENS, Tokens

_text = st.text(max_size=20)
_count = st.none() | st.integers(0, 10**6)
_seconds = st.floats(0, 1e6)
_tokens = st.builds(Tokens, _count, _count, _count, _count, _count, _count)
_calls = st.builds(
    ModelCall, _text, _text, _text, _tokens, _seconds, _seconds, st.sampled_from(Evidence)
)
_uses = st.builds(
    ToolUse, _text, _text, _seconds, st.sampled_from(("tool", "x.y")), st.booleans(), _text
)
_steps = st.builds(
    Step,
    st.lists(_calls, max_size=2).map(tuple),
    st.lists(_uses, max_size=2).map(tuple),
    _text,
)
runs = st.builds(
    Run,
    key=st.builds(RunKey, _text, _text, st.integers(0, 9)),
    split=st.sampled_from(Split),
    status=st.sampled_from(Status),
    success=st.none() | st.floats(0, 1),
    steps=st.lists(_steps, max_size=3).map(tuple),
    wall_s=_seconds,
    critical_path_s=_seconds,
    started_at=_seconds,
    answer=st.none() | _text,
    reason=_text,
    family=_text,
    cluster=st.none() | _text,
)


@given(runs)
def test_run_survives_json(run: Run) -> None:
    again = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    assert again == run
    assert again.usage == run.usage


def _run(*steps: Step) -> Run:
    return Run(RunKey("c", "t"), Split.HOLDOUT, Status.FINISHED, 1.0, steps, 3.0, 2.0, 0.0)


def _call(tokens: Tokens) -> ModelCall:
    return ModelCall("m", "x:m", "act", tokens, 1.0, 0.0)


def test_usage_adds_up() -> None:
    one, two = Tokens(1, 2, 3, 4, 5, 6), Tokens(10, 20, 30, 40, 50, 60)
    run = _run(
        Step((_call(one), _call(two)), (ToolUse("t", "{}", 0.1),)),
        Step((_call(two),), (ToolUse("t", "{}", 0.0, "tools.cache"), ToolUse("u", "{}", 0.1))),
        Step((_call(one),)),
    )
    usage = run.usage
    assert usage.tokens == Tokens(22, 44, 66, 88, 110, 132)
    assert (usage.model_calls, usage.tool_calls, usage.steps) == (4, 2, 3)
    assert (usage.wall_s, usage.critical_path_s) == (3.0, 2.0)


def test_failed_calls_that_reached_a_tool_count() -> None:
    assert _run(Step((), (ToolUse("t", "{}", 0.1, is_error=True),))).usage.tool_calls == 1


def test_one_unknown_call_makes_the_class_unknown() -> None:
    run = _run(Step((_call(NO_TOKENS),)), Step((_call(Tokens(1, None, 0, 0, 2, 0)),)))
    assert run.usage.tokens == Tokens(1, None, 0, 0, 2, 0)
    assert run.usage.tokens.total_tokens is None


def test_run_without_steps_used_nothing() -> None:
    usage = _run().usage
    assert usage.tokens == NO_TOKENS
    assert (usage.model_calls, usage.tool_calls, usage.steps) == (0, 0, 0)


def test_keys_sort_by_configuration_task_and_seed() -> None:
    keys = [RunKey("b", "a", 0), RunKey("a", "b", 1), RunKey("a", "b", 0), RunKey("a", "a", 9)]
    assert sorted(keys) == [keys[3], keys[2], keys[1], keys[0]]
    assert len({*keys, RunKey("a", "a", 9)}) == 4


def test_messages_keep_their_kind_in_json() -> None:
    messages: tuple[Message, ...] = (
        SystemMessage("s"),
        UserMessage("ü"),
        AssistantMessage("", (ToolCall("1", "t", {"a": [1, None]}),), verbatim=[{"x": 1}]),
        ToolMessage("1", "t", "r", is_error=True),
    )
    request = with_messages(Request("m", ()), messages)
    assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request
