"""tau2-bench results: whose tokens, whose tools, and what nobody knew the price of."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from leanloop.core.message import ToolSpec
from leanloop.core.tokens import Tokens
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers.tau2_bench import READER
from leanloop.traces.reading import Reading, head_of
from leanloop.traces.source import Source
from leanloop.traces.trace import ACT, USER, Role, conversation
from tests.traces.chat_forms import SECRET, write
from tests.traces.conformance import ReaderConformance, check, runs_of

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "tau2-bench"
INFO = {
    "git_commit": "0",
    "num_trials": 1,
    "user_info": {"implementation": "user_simulator", "llm": "user-model"},
    "agent_info": {"implementation": "llm_agent", "llm": "agent-model"},
    "environment_info": {
        "domain_name": "shop",
        "policy": "Be kind.",
        "tool_defs": {"find": {"name": "find", "doc": "Finds.", "params": {"type": "object"}}},
    },
}


def at(second: float) -> str:
    return f"2026-11-25T10:00:{second:09.6f}"


def message(role: str, second: float, content: str | None, **more: Any) -> dict[str, Any]:
    return {"role": role, "timestamp": at(second), "content": content, **more}


def spent(sent: int, written: int, cost: float) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": sent, "completion_tokens": written}, "cost": cost}


def call(call_id: str, name: str, requestor: str = "assistant") -> dict[str, Any]:
    return {"id": call_id, "name": name, "arguments": {"of": SECRET}, "requestor": requestor}


def told(call_id: str, second: float, content: str, **more: Any) -> dict[str, Any]:
    about = {"requestor": "assistant", "error": False, **more}
    return message("tool", second, content, id=call_id, **about)


def messages() -> list[dict[str, Any]]:
    calls = [call("a", "find"), call("b", "count")]
    results = {
        "role": "tool",
        "tool_messages": [told("a", 7, "left"), told("b", 9, "no", error=True)],
    }
    raw = {
        "usage": {
            "prompt_tokens": 80,
            "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 64},
        }
    }
    asked = [call("u", "reset_phone", "user")]
    return [
        message("assistant", 1, "Hi!", cost=0.0, usage=None),
        message("user", 3, f"My {SECRET}?", **spent(40, 4, 0.001)),
        message("assistant", 6, None, tool_calls=calls, **spent(60, 8, 0.002)),
        results,
        message(
            "assistant",
            12,
            "Reset it.",
            raw_data=raw,
            generation_time_seconds=2.5,
            **spent(80, 9, 0.003),
        ),
        message("user", 14, None, tool_calls=asked, **spent(50, 5, 0.0)),
        told("u", 15, "reset done", requestor="user"),
        message("user", 16, "Done.", **spent(55, 2, 0.001)),
        message("assistant", 19, "Bye.", **spent(90, 3, 0.0)),
    ]


def simulation(place: int = 0, reward: float | None = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "id": f"sim-{place}",
        "task_id": str(place),
        "start_time": at(0),
        "end_time": at(20),
        "termination_reason": "user_stop",
        "reward_info": {"reward": reward},
        "messages": messages(),
        "trial": 0,
        **more,
    }


def results(*simulations: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": at(0), "info": INFO, "tasks": [], "simulations": list(simulations)}


class TestTau2Bench(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, tmp_path):
        return write(tmp_path / "in" / "results.json", results(simulation(0), simulation(1)))


class TestOneSimulation(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, tmp_path):
        return write(tmp_path / "in" / "sim.json", simulation(), indent=2)


@pytest.fixture
def run(tmp_path):
    (run,), lost = runs_of(READER, write(tmp_path / "x.json", results(simulation())))
    assert lost == 0
    return run


def test_the_users_spend_is_apart_from_the_agents(run):
    who = [(c.purpose, c.model, c.counts.input_tokens, c.counts.output_tokens) for c in run.calls]
    assert who == [
        (USER, "user-model", 40, 4),
        (ACT, "agent-model", 60, 8),
        (ACT, "agent-model", 80, 9),
        (USER, "user-model", 50, 5),
        (USER, "user-model", 55, 2),
        (ACT, "agent-model", 90, 3),
    ]


def test_the_agent_is_sent_the_policy_the_greeting_and_none_of_the_users_tools(run):
    (system, greeting, asked), after, last = ([*c.added] for c in run.acts)
    assert (system.role, system.message.text) == (Role.SYSTEM, "Be kind.")
    assert (greeting.role, greeting.message.text) == (Role.ASSISTANT, "Hi!")
    assert asked.role == Role.USER
    assert [(e.tool, e.call_id, e.is_error) for e in after] == [
        ("find", "a", False),
        ("count", "b", True),
    ]
    assert [(e.role, e.message.text) for e in last] == [(Role.USER, "Done.")]
    assert [len(r) for _, r in conversation(run)] == [3, 6, 8]


def test_a_cost_of_nothing_beside_tokens_is_unknown(run):
    assert [c.usd for c in run.calls] == [0.001, 0.002, 0.003, None, 0.001, None]


def test_cached_tokens_where_the_providers_answer_is_kept(run):
    first, second, last = run.acts
    assert first.counts.tokens == last.counts.tokens == Tokens()
    assert second.counts.tokens == Tokens(16, 64, 0, 0)


def test_an_answer_that_is_of_other_usage_is_not_believed(tmp_path):
    made = messages()
    made[4]["raw_data"]["usage"]["prompt_tokens"] = 81
    (run,), _ = runs_of(READER, write(tmp_path / "x.json", results(simulation(messages=made))))
    second = list(run.acts)[1]
    assert (second.counts.input_tokens, second.counts.tokens) == (80, Tokens())


def test_times_are_recorded_or_since_the_message_before(run):
    assert [c.latency_s for c in run.calls] == [2, 3, 2.5, 2, 1, 3]
    begin = run.started_at
    assert [c.started_at - begin for c in run.calls] == [1, 3, 9.5, 12, 15, 16]
    assert {k: (t.latency_s, t.started_at - begin) for k, t in run.tool_times.items()} == {
        "a": (1, 6),
        "b": (2, 7),
    }
    assert run.ended_at - begin == 20


def test_tools_are_shown_where_the_file_has_them(run):
    shown = (ToolSpec("find", "Finds.", {"type": "object"}),)
    assert [c.tools for c in run.calls] == [None, shown, shown, None, None, shown]


@pytest.mark.parametrize(
    ("reward", "ended", "success"),
    [
        (1.0, "user_stop", 1),
        (1 - 1e-9, "user_stop", 1),
        (0.93, "user_stop", 0),
        (0.0, "max_steps", 0),
        (0.0, "infrastructure_error", None),
        (None, "user_stop", None),
    ],
)
def test_solved_is_what_the_benchmark_says(tmp_path, reward, ended, success):
    one = simulation(4, reward, termination_reason=ended)
    (run,), _ = runs_of(READER, write(tmp_path / "x.json", results(one)))
    assert (run.success, run.ended, run.task_id) == (success, ended, "shop/4")


def test_an_agent_that_reports_no_usage_still_made_its_calls(tmp_path):
    made = [{**m, "usage": None, "cost": 0.0} for m in messages()]
    (run,), _ = runs_of(READER, write(tmp_path / "x.json", results(simulation(messages=made))))
    assert [c.purpose for c in run.calls] == [ACT] * 3
    assert {(c.usd, c.counts.input_tokens) for c in run.calls} == {(None, None)}


def test_a_folder_with_a_file_a_simulation(tmp_path):
    head = results()
    del head["simulations"]
    write(tmp_path / "results.json", {**head, "simulation_index": [{"id": "sim-0"}]})
    for place in range(2):
        write(tmp_path / "simulations" / f"{place}.json", simulation(place, policy="Other."))
    reading = Reading([tmp_path], Wanted(contents=True))
    runs = list(reading)
    assert (reading.formats, reading.skipped) == ({"tau2-bench": 3}, [])
    assert [r.task_id for r in runs] == ["shop/0", "shop/1"]
    assert {c.model for r in runs for c in r.acts} == {"agent-model"}
    assert runs[0].calls[1].added[0].message.text == "Other."


def test_spoken_simulations_are_told_apart(tmp_path):
    spoken = simulation(messages=None, ticks=[{"tick_id": 0}])
    source = Source(write(tmp_path / "x.json", results(spoken)))
    assert READER.claims(head_of(source))
    assert list(READER.read([source], Wanted())) == []
    assert list(source.skipped) == ["a simulation is spoken, in ticks, without messages"]


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published results are not on this machine")
@pytest.mark.parametrize(
    ("name", "success", "agent", "user", "usd"),
    [
        ("gpt-4.1-airline", 10, (206, 994898, 16536), (136, 119046, 4850), 0.783268),
        ("gpt-4.1-retail", 34, (476, 2425565, 30486), (290, 244869, 10261), 1.888618),
        ("sft-airline", 13, (248, 1277560, 16829), (134, 121872, 5161), None),
        ("sft-retail", 34, (531, 2731756, 33435), (316, 291091, 12463), None),
    ],
)
def test_the_published_results_to_the_token(name, success, agent, user, usd):
    file = PUBLISHED / f"{name}.json.gz"
    runs, lost = runs_of(READER, file, contents=False)
    for run in runs:
        check(run)
    assert lost == 0
    assert sum(r.success or 0 for r in runs) == success
    calls = [c for r in runs for c in r.calls]
    for purpose, wanted in ((ACT, agent), (USER, user)):
        mine = [c for c in calls if c.purpose == purpose]
        counts = [c.counts for c in mine]
        sums = sum(c.input_tokens or 0 for c in counts), sum(c.output_tokens or 0 for c in counts)
        assert (len(mine), *sums) == wanted
    acts = [c.usd for c in calls if c.purpose == ACT]
    assert (set(acts) == {None}) if usd is None else sum(acts) == pytest.approx(usd)
    raw = json.loads(gzip.decompress(file.read_bytes()))
    for role, wanted in (("assistant", agent), ("user", user)):
        said = [m for s in raw["simulations"] for m in s["messages"] if m["role"] == role]
        used = [m["usage"] for m in said if m["usage"]]
        sent, made = ([u[k] for u in used] for k in ("prompt_tokens", "completion_tokens"))
        assert (len(used), sum(sent), sum(made)) == wanted
    for run, one in zip(runs, raw["simulations"], strict=True):
        heard = sum(c.usd or 0 for c in run.calls if c.purpose == USER)
        assert heard == pytest.approx(one["user_cost"])
        assert run.ended_at - run.started_at == pytest.approx(one["duration"], abs=0.01)
        spent_s = sum(c.latency_s or 0 for c in run.calls)
        spent_s += sum(t.latency_s for t in run.tool_times.values())
        assert spent_s == pytest.approx(one["duration"], abs=0.5)
