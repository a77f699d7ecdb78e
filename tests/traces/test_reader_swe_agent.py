"""SWE-agent trajectories, in the layouts of its versions."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from leanloop.traces.readers.swe_agent import READER
from leanloop.traces.reading import head_of
from leanloop.traces.source import Source
from leanloop.traces.trace import Role, conversation
from tests.traces.chat_forms import SECRET, write
from tests.traces.conformance import ReaderConformance, check, runs_of

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "swe-agent"
published = pytest.mark.skipif(
    not PUBLISHED.exists(), reason="the published trajectories are not on this machine"
)
STATS = {"instance_cost": 0.5, "tokens_sent": 900, "tokens_received": 90, "api_calls": 4}


def message(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "agent": "main", **more}


def acted(number: int, command: str) -> dict[str, Any]:
    """An answer by function call."""
    function = {"name": "bash", "arguments": f'{{"command": "{command}"}}'}
    calls = [{"function": function, "id": f"call_{number}", "type": "function"}]
    about = {"thought": f"T{number}", "action": command, "tool_calls": calls}
    return message("assistant", f"T{number}", message_type="action", **about)


def observed(number: int, content: str) -> dict[str, Any]:
    return message("tool", content, tool_call_ids=[f"call_{number}"], message_type="observation")


def step(query: list[dict[str, Any]], answer: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "action": answer.get("action", ""),
        "observation": "o",
        "response": answer["content"],
        "thought": answer.get("thought", answer["content"]),
        "execution_time": seconds,
        "state": {},
        "query": query,
        "extra_info": {},
    }


BEGIN = [message("system", "Repair."), message("user", f"The {SECRET} is broken.")]
DEMO = [
    {**acted(90, "ls"), "is_demo": True},
    {**observed(90, "demo"), "is_demo": True},
]
ONE = [acted(1, "cat a"), observed(1, "A" * 50)]
TWO = [acted(2, "cat b"), observed(2, "B" * 50)]
WRONG = message("assistant", "no command", message_type="assistant")
TOLD = message("user", "give a command", message_type="user")
LAST = [acted(3, "submit"), observed(3, "patch")]
ELIDED = [ONE[0], {**ONE[1], "content": "Old output omitted"}]


def newer() -> dict[str, Any]:
    """1.1: one malformed answer, which the history forgets, and one elided observation."""
    history = [BEGIN[0], *DEMO, BEGIN[1]]
    steps = [
        step(history, ONE[0], 0.25),
        step([*history, *ONE], WRONG, 0.0),
        step([*history, *ONE, WRONG, TOLD], TWO[0], 0.5),
        step([*history, *ELIDED, *TWO], LAST[0], 0.125),
    ]
    gone = {**step([{}], message("assistant", "Exit due to cost limit"), 0.0), "thought": "Exit"}
    return {
        "trajectory": copy.deepcopy([*steps, gone]),
        "history": [*history, *ONE, *TWO, *LAST, message("assistant", "Exit due to cost limit")],
        "info": {"exit_status": "submitted (exit_cost)", "model_stats": STATS},
        "replay_config": '{"agent": {"model": {"name": "claude-x"}}, '
        '"problem_statement": {"id": "repo__repo-1"}}',
        "environment": "main",
    }


def middle() -> dict[str, Any]:
    """1.0: ``messages`` are what came of the step."""
    value = newer()
    afters = [ONE, [], TWO, LAST]
    for made, after in zip(value["trajectory"], afters, strict=False):
        query = made.pop("query")
        made["messages"] = [m for m in query if m not in (WRONG, TOLD)] + after
    value["trajectory"][-1].pop("query", None)
    value["trajectory"].pop()
    return value


def older() -> dict[str, Any]:
    """0.x: actions in the text, no requests."""
    texts = [(f"Look at {n}.\n```\nopen {n}\n```", f"Look at {n}.\n", f"open {n}\n") for n in "ab"]
    history = [
        {"role": "system", "content": "Repair.", "agent": "primary"},
        {"role": "user", "content": "A demonstration", "agent": "primary", "is_demo": True},
        {"role": "user", "content": f"The {SECRET} is broken.", "agent": "primary"},
    ]
    for content, thought, action in texts:
        about = {"thought": thought, "action": action, "agent": "primary"}
        history.append({"role": "assistant", "content": content, **about})
        history.append({"role": "user", "content": f"[{action}]", "agent": "primary"})
    history.append({"role": "user", "content": "another agent's", "agent": "other"})
    steps = [{"action": a, "response": c, "thought": t} for c, t, a in texts]
    return {
        "environment": "swe_main",
        "trajectory": steps,
        "history": history,
        "info": {"exit_status": "submitted", "model_stats": {**STATS, "api_calls": 2}},
    }


def retried() -> dict[str, Any]:
    """An agent of two attempts; the file holds the chosen one twice."""
    attempts = [newer(), older()]
    return {"attempts": attempts, **copy.deepcopy(attempts[1])}


LAYOUTS = {"newer": newer, "middle": middle, "older": older, "retried": retried}


@pytest.mark.parametrize("layout", LAYOUTS)
class TestSweAgent(ReaderConformance):
    SECRET = SECRET
    MUTATIONS = 30

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, tmp_path, layout):
        return write(tmp_path / "in" / "repo.traj", LAYOUTS[layout](), indent=2)


def read(tmp_path, layout: dict[str, Any]):
    (run,), lost = runs_of(READER, write(tmp_path / "repo__repo-1.traj", layout))
    assert lost == 0
    return run


def test_requests_are_those_that_were_sent(tmp_path):
    run = read(tmp_path, newer())
    s, a, t, u = Role.SYSTEM, Role.ASSISTANT, Role.TOOL, Role.USER
    demo = [s, a, t, u]
    assert [[e.role for e in r] for _, r in conversation(run)] == [
        demo,
        [*demo, a, t],
        [*demo, a, t, a, u],
        [*demo, a, t, a, t],
    ]
    assert [(c.kept, len(c.added)) for c in run.calls] == [(0, 4), (5, 1), (7, 1), (5, 3)]
    answers = [[m.name for m in c.response.calls] for c in run.calls]
    assert answers == [["bash"], [], ["bash"], ["bash"]]
    assert {c.model for c in run.calls} == {"claude-x"}
    assert {k: v.latency_s for k, v in run.tool_times.items()} == {
        "call_1": 0.25,
        "call_2": 0.5,
        "call_3": 0.125,
    }


def test_an_answer_is_joined_to_its_result_by_the_providers_id(tmp_path):
    run = read(tmp_path, newer())
    called = [m.call_id for c in run.calls for m in c.response.calls]
    assert called == ["call_1", "call_2", "call_3"]
    added = [e.call_id for c in run.calls for e in c.added if e.role == Role.TOOL]
    assert added == ["call_90", "call_1", "call_1", "call_2"]


def test_1_0_is_the_same_but_for_what_it_does_not_hold(tmp_path):
    new, old = read(tmp_path, newer()), read(tmp_path, middle())
    assert [c.response for c in old.calls] == [c.response for c in new.calls]
    assert [len(r) for _, r in conversation(old)] == [4, 6, 6, 8]


def test_totals_are_of_the_run_and_success_is_unknown(tmp_path):
    run = read(tmp_path, newer())
    assert (run.totals.counts.input_tokens, run.totals.counts.output_tokens) == (900, 90)
    assert (run.totals.usd, run.totals.model_calls) == (0.5, 4)
    assert {c.counts.input_tokens for c in run.calls} == {None}
    assert (run.success, run.ended) == (None, "submitted (exit_cost)")
    assert run.task_id == "repo__repo-1"


def test_zeros_beside_calls_are_unknown(tmp_path):
    value = newer()
    value["info"]["model_stats"] = {**dict.fromkeys(STATS, 0), "api_calls": 4}
    totals = read(tmp_path, value).totals
    assert (totals.usd, totals.counts.input_tokens, totals.model_calls) == (None, None, 4)


def test_actions_in_the_text_are_calls_and_sizes_are_those_of_the_text(tmp_path):
    value = older()
    run = read(tmp_path, value)
    answers = [m for m in value["history"] if m["role"] == "assistant"]
    assert [c.response.chars for c in run.calls] == [len(m["content"]) for m in answers]
    assert [[m.name for m in c.response.calls] for c in run.calls] == [["open"], ["open"]]
    assert run.calls[0].response.message.text == "Look at a.\n"
    assert [e.role for e in run.calls[0].added] == [Role.SYSTEM, Role.USER, Role.USER]
    (result,) = run.calls[1].added
    assert (result.role, result.tool, result.chars) == (Role.TOOL, "open", 9)
    assert len(run.tail) == 1


def test_each_attempt_is_a_run_and_the_chosen_one_is_read_once(tmp_path):
    file = write(tmp_path / "x.traj", retried())
    runs, lost = runs_of(READER, file)
    assert lost == 0
    assert [(r.run_id, r.session_id) for r in runs] == [
        ("x.traj#0", "x.traj"),
        ("x.traj#1", "x.traj"),
    ]
    assert [len(r.calls) for r in runs] == [4, 2]
    assert runs[0].task_id == "repo__repo-1"


@published
def test_the_published_run_of_an_old_version():
    (run,), lost = runs_of(READER, PUBLISHED / "pydicom-1458.traj")
    check(run)
    assert lost == 0
    assert len(run.calls) == run.totals.model_calls == 12
    assert (run.totals.counts.input_tokens, run.totals.counts.output_tokens) == (122612, 1369)
    assert (run.totals.usd, run.success, run.ended) == (1.26719, None, "submitted")
    sent = sum(e.chars for _, request in conversation(run) for e in request)
    assert 3 < sent / 122612 < 4.5
    assert [e.chars for e in run.calls[0].added] == [4877, 19388, 4591]


@published
@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("function-calling-simple", ["find_file", "open", "edit", "bash", "submit"]),
        (
            "marshmallow-1867-function-calling",
            [
                *("create", "edit", "bash", "bash", "find_file", "open"),
                *("edit", "edit", "bash", "bash", "submit"),
            ],
        ),
    ],
)
def test_the_published_demonstrations(name, tools):
    file = PUBLISHED / f"{name}.traj"
    assert READER.claims(head_of(Source(file)))
    (run,), lost = runs_of(READER, file)
    check(run)
    assert lost == 0
    called = [m for c in run.calls for m in c.response.calls]
    assert [m.name for m in called] == tools
    # This demonstration uses ids again; here each call has one of its own.
    assert len({m.call_id for m in called}) == len(called)
    assert len(run.tool_times) in {0, len(called)}
