"""What is rebuilt of a stored run is, word for word, what the model was sent."""

from __future__ import annotations

import msgspec
import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.levers.builtin import BUILT_IN, all_levers
from leanloop.loop.agent import Agent, Limits
from leanloop.models.scripted import ScriptedModel
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from leanloop.traces.rebuilding import NOT_STORED, Ground, rebuild
from tests.search.coins import Coins

STEPS = 6


def script(request: Request) -> AssistantMessage:
    """Calls the first tools that it is shown, some of them twice; then answers."""
    seen = sum(isinstance(m, AssistantMessage) and bool(m.tool_calls) for m in request.messages)
    if not request.tools_allowed or seen >= STEPS - 1:
        return AssistantMessage("done")
    names = [t.name for t in request.tools] or ["nothing"]
    name = names[(seen // 2) % len(names)]
    return AssistantMessage(f"step {seen}", (ToolCall(f"call-{seen}", name, {"n": seen // 2}),))


async def made(settings, other=None) -> tuple[Run, ScriptedModel, Ground]:
    suite = other or BackofficeSuite(BackofficeOptions(search_tasks=4, holdout_tasks=2))
    model = ScriptedModel(script, latency_s=0.1)
    limits = Limits(STEPS, 60.0, 160)
    agent = Agent(suite, {"m": model, "large": model}, "m", all_levers(), limits)
    task = suite.tasks(Split.SEARCH)[0]
    run = await agent.run(Configuration(settings), task)
    stored = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    environment = suite.open(task)
    ground = Ground(task, suite.instructions, environment.tools, suite.examples, "m", STEPS, 160)
    environment.close()
    return stored, model, ground


def plain(request: Request) -> list[object]:
    """A request without the ids of its calls, which are not stored."""
    shown: list[object] = [request.model, request.tools, request.tools_allowed]
    shown += [request.max_output_tokens, request.effort]
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            calls = [(c.name, c.arguments) for c in message.tool_calls]
            shown.append(("assistant", message.text, calls))
        elif isinstance(message, ToolMessage):
            shown.append(("tool", message.name, message.text, message.is_error))
        else:
            shown.append(message)
    return shown


CARDS = {name: lever.card for name, lever in BUILT_IN.items()}
REBUILT = [n for n, c in CARDS.items() if not set(c.needs) & set(NOT_STORED)]


def setting_of(name):
    return "large" if name == "model.choice" else CARDS[name].search[0]


@pytest.mark.parametrize("name", [n for n in REBUILT if CARDS[n].search or n == "model.choice"])
async def test_each_lever_sends_again_what_it_sent(name):
    run, model, ground = await made({name: setting_of(name)})
    found = rebuild(run, Configuration({name: setting_of(name)}), ground, all_levers())
    assert found.left_out == {}
    assert len(found.steps) == len(run.steps) >= 1
    sent = [s.request for s in found.steps if s is not None]
    assert [plain(r) for r in sent] == [plain(r) for r in model.requests]


async def test_levers_together_and_what_each_did():
    settings = {
        "memory.keep_observations": 1,
        "memory.dedupe": "on",
        "tools.projection": "on",
        "stopping.max_steps": 4,
    }
    run, model, ground = await made(settings, Coins())
    found = rebuild(run, Configuration(settings), ground, all_levers())
    sent = [s for s in found.steps if s is not None]
    assert [plain(s.request) for s in sent] == [plain(r) for r in model.requests]
    changes = [c for s in sent for c in s.changes]
    masked = [c for c in changes if c.lever == "memory.keep_observations"]
    assert masked
    assert {(c.what, c.role) for c in masked} == {("changed", "tool")}
    assert all(c.chars_after < c.chars_before and c.after.startswith("[older") for c in masked)
    assert masked[0].why == CARDS["memory.keep_observations"].summary
    assert any(c.lever == "tools.projection" and c.what == "tools" for c in changes)
    assert sent[-1].chars < sent[-1].chars_before


async def test_with_no_lever_nothing_is_changed():
    run, _, ground = await made({})
    found = rebuild(run, Configuration(), ground, all_levers())
    assert all(s is not None and s.changes == () and s.chars == s.chars_before for s in found.steps)
    assert found.notes == ()


async def test_what_cannot_be_rebuilt_is_said():
    settings = {"memory.summarise": CARDS["memory.summarise"].search[0], "tools.shortlist": 4}
    run, _, ground = await made({"tools.shortlist": 4})
    bare = rebuild(run, Configuration({**settings, "a.b": "on"}), Ground(), all_levers())
    assert set(bare.left_out) == {"memory.summarise", "tools.shortlist", "a.b"}
    assert "not stored" in bare.left_out["memory.summarise"]
    assert any("system text" in n for n in bare.notes)
    assert any("without what memory.summarise" in n for n in bare.notes)
    assert len(bare.steps) == len(run.steps)
    recorded = msgspec.structs.replace(run, steps=())
    assert rebuild(recorded, Configuration(), ground, all_levers()).steps == ()
