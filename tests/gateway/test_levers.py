"""Levers at the gateway: the same objects, on an agent that nobody changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.message import Request
from leanloop.gateway.acting import acting
from leanloop.gateway.chat_completions import ChatJoiner
from leanloop.gateway.event_stream import EventStream
from leanloop.gateway.settings import settings_of
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.memory.dedupe import Dedupe
from tests.gateway.conftest import Running
from tests.gateway.test_pass_through import post
from tests.gateway.upstream import Fault, calls, text

Start = Callable[..., Any]
LONG = "line of a long observation\n" * 60
TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


class ChatAgent:
    """An agent of Chat Completions that knows nothing of leanloop."""

    path = "/v1/chat/completions"

    def __init__(self, running: Running, *, stream: bool = False) -> None:
        self.url = running.url
        self.stream = stream
        self.messages: list[Any] = [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": "find"},
        ]
        self.status = 0

    async def step(self, result: str = "", tools: list[Any] | None = None) -> Any:
        """One call; a result answers the calls of the one before."""
        if result:
            for call in self.messages[-1]["tool_calls"]:
                tool = {"role": "tool", "tool_call_id": call["id"], "content": result}
                self.messages.append(tool)
        body: dict[str, Any] = {"model": "m", "messages": self.messages, "tools": tools or [TOOL]}
        if self.stream:
            body["stream"] = True
        self.status, _, raw = await post(self.url + self.path, body)
        if self.status != 200:
            return json.loads(raw)
        said = _joined(raw) if self.stream else json.loads(raw)["choices"][0]["message"]
        self.messages.append(said)
        return said


def _joined(raw: bytes) -> Any:
    joiner = ChatJoiner()
    for name, data in EventStream().feed(raw):
        joiner.feed(name, data)
    assert joiner.finished
    return joiner.body["choices"][0]["message"]


def texts(body: Any) -> list[str]:
    return [m.get("content") or "" for m in body["messages"]]


@pytest.mark.parametrize("stream", [False, True])
async def test_old_observations_are_masked(start: Start, stream: bool) -> None:
    running: Running = await start(memory={"keep_observations": 1, "stable_prefix": "off"})
    agent = ChatAgent(running, stream=stream)
    running.upstream.say(*(calls((f"c{i}", "look", {"id": i})) for i in range(2)), text("done"))
    await agent.step()
    await agent.step("the first observation, long enough")
    said = await agent.step("the second observation")
    assert said["content"] == "done"
    sent = running.upstream.bodies[2]
    assert "the second observation" in texts(sent)
    assert "the first observation, long enough" not in texts(sent)
    assert [m["role"] for m in sent["messages"]] == [m["role"] for m in agent.messages[:-1]]
    records = await running.records()
    assert len({r.session_id for r in records}) == 1
    assert records[0].settings == {"memory.keep_observations": 1}


async def test_a_request_that_no_lever_changes_goes_as_it_came(start: Start) -> None:
    running: Running = await start(memory={"keep_observations": 3})
    raw = b'{ "model":"m", "messages":[ {"role":"user","content":"hi"} ], "new": 1.50 }'
    await post(f"{running.url}/v1/chat/completions", raw)
    assert running.upstream.requests[0].raw == raw


@pytest.mark.parametrize("stream", [False, True])
async def test_recall_is_answered_here(start: Start, stream: bool) -> None:
    running: Running = await start(memory={"fold": 400})
    agent = ChatAgent(running, stream=stream)
    running.upstream.say(
        calls(("c1", "look", {})),
        calls(("r1", "recall", {"handle": "obs-1", "part": 2})),
        text("I have it."),
        text("Still here."),
    )
    await agent.step()
    said = await agent.step(LONG)
    assert said["content"] == "I have it."
    assert not said.get("tool_calls")
    inner = running.upstream.bodies[2]
    assert any("[obs-1, part 2 of" in t for t in texts(inner))
    assert LONG not in texts(inner)
    # What was said here is put back into what the agent sends next.
    agent.messages.append({"role": "user", "content": "sure?"})
    await agent.step()
    later = running.upstream.bodies[3]
    assert later["messages"][: len(inner["messages"])] == inner["messages"]
    assert [m["role"] for m in later["messages"]][-2:] == ["assistant", "user"]
    records = await running.records()
    assert len(records) == 4
    assert len({r.session_id for r in records}) == 1


async def test_calls_of_both_kinds_at_once(start: Start) -> None:
    running: Running = await start(memory={"fold": 400})
    agent = ChatAgent(running)
    running.upstream.say(
        calls(("c1", "look", {})),
        calls(("r1", "recall", {"handle": "obs-1"}), ("c2", "look", {"id": 2})),
        text("done"),
    )
    await agent.step()
    said = await agent.step(LONG)
    assert [c["id"] for c in said["tool_calls"]] == ["c2"]
    await agent.step("short")
    sent = running.upstream.bodies[2]["messages"]
    both = next(m for m in sent if m["role"] == "assistant" and len(m["tool_calls"]) == 2)
    assert [c["id"] for c in both["tool_calls"]] == ["r1", "c2"]
    answered = [m["tool_call_id"] for m in sent[sent.index(both) + 1 :]]
    assert sorted(answered) == ["c2", "r1"]


async def test_a_budget_asks_for_the_answer_and_then_ends_the_session(start: Start) -> None:
    running: Running = await start(stopping={"max_steps": 2})
    agent = ChatAgent(running)
    running.upstream.say(*(calls((f"c{i}", "look", {"id": i})) for i in range(3)), text("fine"))
    await agent.step()
    await agent.step("seen")
    assert running.upstream.bodies[1]["tool_choice"] == "none"
    assert "cannot call tools" in texts(running.upstream.bodies[1])[-1]
    # The script calls on in spite of it, as some endpoints do.
    said = await agent.step("seen")
    assert (agent.status, said["error"]["code"]) == (400, "stopped")
    assert len(running.upstream.requests) == 2
    agent.messages.append({"role": "user", "content": "go on"})
    agent.messages = [m for m in agent.messages if "error" not in m]
    await agent.step()
    assert agent.status == 200


async def test_escalation_asks_the_larger_model(start: Start) -> None:
    running: Running = await start(
        model={"escalate": "large"},
        models={
            "large": {"provider": "openai", "name": "big-1", "price": {"input": 1, "output": 2}}
        },
    )
    agent = ChatAgent(running)
    same = calls(("c1", "look", {"id": 1})), calls(("c2", "look", {"id": 1}))
    running.upstream.say(*same, text("the larger one says"))
    await agent.step()
    said = await agent.step("seen")
    assert said["content"] == "the larger one says"
    assert [b["model"] for b in running.upstream.bodies] == ["m", "m", "big-1"]
    *_, last = await running.records()
    assert (last.trace.purpose, last.trace.usd) == ("model.escalate", 25e-6 + 14e-6)


async def test_a_model_is_chosen(start: Start) -> None:
    running: Running = await start(model={"choice": "other-model", "max_output": 50})
    await ChatAgent(running).step()
    (body,) = running.upstream.bodies
    assert (body["model"], body["max_completion_tokens"]) == ("other-model", 50)


async def test_tools_are_shortened(start: Start) -> None:
    running: Running = await start(tools={"schema_trim": "on", "shortlist": 1})
    agent = ChatAgent(running)
    tools: list[Any] = [
        {
            "type": "function",
            "function": {
                "name": n,
                "description": f"{n} things. More than one needs to know.",
                "parameters": {"type": "object", "properties": {"a": {"description": "long"}}},
            },
        }
        for n in ("find", "delete", "paint")
    ]
    await agent.step(tools=tools)
    (sent,) = running.upstream.bodies
    assert [t["function"]["description"] for t in sent["tools"]] == ["find things."]


async def test_a_summary_is_asked_for_and_metered(start: Start) -> None:
    running: Running = await start(memory={"summarise": "10:1", "stable_prefix": "off"})
    agent = ChatAgent(running)

    def answer(body: Any) -> Any:
        if "tools" not in body:
            return text("a summary")
        return calls((f"c{len(body['messages'])}", "look", {"id": len(body["messages"])}))

    running.upstream.say(*[answer] * 9)
    await agent.step()
    for i in range(3):
        await agent.step(f"observation {i}")
    records = await running.records()
    assert "memory.summarise" in [r.trace.purpose for r in records]
    asked = running.upstream.bodies[[r.trace.purpose for r in records].index("memory.summarise")]
    assert "tools" not in asked
    assert any("a summary" in t for t in texts(running.upstream.bodies[-1]))


async def test_errors_of_upstream_pass_the_levers(start: Start) -> None:
    running: Running = await start(memory={"fold": 400})
    running.upstream.say(Fault(429, b'{"error":{"message":"slow"}}', {"retry-after": "3"}))
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [TOOL]}
    status, headers, raw = await post(f"{running.url}/v1/chat/completions", body)
    assert (status, headers["retry-after"], raw) == (429, "3", b'{"error":{"message":"slow"}}')


async def test_thinking_is_kept_whole(start: Start) -> None:
    running: Running = await start(memory={"keep_observations": 1, "stable_prefix": "off"})
    messages: list[Any] = [{"role": "user", "content": "find"}]
    running.upstream.say(
        calls(("c1", "look", {"id": 1})), calls(("c2", "look", {"id": 2})), text("done")
    )
    for i in range(3):
        body = {
            "model": "m",
            "max_tokens": 2000,
            "messages": messages,
            "tools": [{"name": "look", "input_schema": {"type": "object"}}],
            "thinking": {"type": "enabled", "budget_tokens": 1024},
        }
        _, _, raw = await post(f"{running.url}/v1/messages", body)
        said = json.loads(raw)["content"]
        messages.append({"role": "assistant", "content": said})
        use = [b["id"] for b in said if b["type"] == "tool_use"]
        result = f"observation number {i} that is long"
        blocks = [{"type": "tool_result", "tool_use_id": u, "content": result} for u in use]
        messages.append({"role": "user", "content": blocks or "thanks"})
    last = running.upstream.bodies[2]["messages"]
    assert [m["content"] for m in last if m["role"] == "assistant"] == [
        m["content"] for m in messages[:5] if m["role"] == "assistant"
    ]
    assert last[2]["content"][0]["content"] != "observation number 0 that is long"
    assert last[4]["content"][0]["content"] == "observation number 1 that is long"


def test_what_cannot_act_says_so() -> None:
    every = Configuration(
        dict.fromkeys(BUILT_IN, "on") | {"tools.parallel": 4, "planning.samples": 3}
    )
    can, refused = acting(every, BUILT_IN)
    assert set(can) | set(refused) == set(BUILT_IN)
    assert {
        "memory.fold", "memory.keep_turns", "tools.shortlist", "tools.schema_trim",
        "model.choice", "model.route", "model.escalate", "model.effort", "stopping.usd_budget",
    } <= set(can)  # fmt: skip
    assert {"tools.program", "planning.examples", "tools.result_cache"} <= set(refused)
    assert all(why for why in refused.values())


def test_edits_wait_for_the_cache_unless_told_otherwise() -> None:
    assert settings_of({"memory": {"keep_turns": 4}}, "f").configuration == Configuration(
        {"memory.keep_turns": 4, "memory.stable_prefix": "on"}
    )
    off = settings_of({"memory": {"keep_turns": 4, "stable_prefix": "off"}}, "f")
    assert off.configuration == Configuration({"memory.keep_turns": 4})
    assert settings_of({"tools": {"schema_trim": "on"}}, "f").configuration == Configuration(
        {"tools.schema_trim": "on"}
    )


async def test_sessions_that_began_alike_are_told_apart_by_what_the_client_heard(
    start: Start,
) -> None:
    running: Running = await start(memory={"fold": 400})
    one, two = ChatAgent(running), ChatAgent(running)
    for name, agent in (("a", one), ("b", two)):
        running.upstream.say(
            calls((f"r{name}", "recall", {"handle": "obs-9"})), calls((f"c{name}", "look", {}))
        )
        await agent.step()
    running.upstream.say(text("for a"), text("for b"))
    await one.step("seen by a")
    await two.step("seen by b")
    for place, name in ((4, "a"), (5, "b")):
        sent = running.upstream.bodies[place]["messages"]
        called = [c["id"] for m in sent for c in m.get("tool_calls") or ()]
        assert called == [f"r{name}", f"c{name}"]
    records = await running.records()
    assert [
        len([r for r in records if r.session_id == s]) for s in {r.session_id for r in records}
    ] == [3, 3]


async def test_a_lever_that_fails_does_not_fail_the_call(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(stage: Dedupe, request: Request) -> Request:
        raise ValueError("what was said")

    monkeypatch.setattr(Dedupe, "on_request", broken)
    running: Running = await start(memory={"dedupe": "on"})
    said = await ChatAgent(running).step()
    assert said["content"] == "I heard: find"
    assert running.told == ["a lever failed on a call (ValueError), which passed as it was"]
    (record,) = await running.records()
    assert len(record.trace.added) == 2


async def test_a_model_that_does_not_speak_the_api_is_refused(start: Start) -> None:
    running: Running = await start(
        base="",
        model={"choice": "claude"},
        models={"claude": {"provider": "anthropic", "name": "c"}},
    )
    agent = ChatAgent(running)
    said = await agent.step()
    assert agent.status == 400
    assert (
        "models.claude: is anthropic's, which does not speak this API" in said["error"]["message"]
    )
