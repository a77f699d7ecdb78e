"""Studies whose runs are made by agents that leanloop did not write."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, SpentError
from leanloop.core.run import Status
from leanloop.core.task import Split
from leanloop.gateway.programs import build_program
from leanloop.models.builtin import ModelSpec
from leanloop.search.spec import AgentSpec, Budget, RunLimits, SearchPlan, StudySpec, check_study
from leanloop.search.study import Silent, Study
from leanloop.store.sql import SqlStore
from tests.gateway.outside import ThingsSuite

HERE = "tests.gateway.outside"
PRICE = {"input": Decimal(1), "output": Decimal(2)}
MODELS = {
    "small": ModelSpec("scripted", f"{HERE}:script", price=PRICE, concurrency=4),
    "large": ModelSpec("scripted", f"{HERE}:larger", price=PRICE, concurrency=4),
}
LEVERS = {"memory.keep_observations": ["off", 1], "memory.truncate_observation": ["off", 200]}


def spec(**changes: Any) -> StudySpec:
    usual = StudySpec(
        name="outside",
        models=MODELS,
        agent=AgentSpec(python=f"{HERE}:agent"),
        levers=LEVERS,
        objectives={"success": "max", "tokens": "min"},
        limits=RunLimits(max_steps=6, timeout_s=20),
        plan=SearchPlan(block=3, finalists=1),
        budget=Budget(max_runs=40),
    )
    return msgspec.structs.replace(usual, **changes)


async def one(tmp_path: Path, changes: dict[str, Any], **settings: Any) -> Any:
    """Run one configuration; its runs by task."""
    study = Study(spec(**changes), suite=ThingsSuite())
    store = SqlStore(tmp_path / "s.sqlite")
    try:
        await study.run_one(Configuration(settings), Split.SEARCH, store, Silent())
        return list(store.runs("outside"))
    finally:
        await study.close()
        store.close()


async def test_a_run_is_metered_like_one_of_our_own(tmp_path: Path) -> None:
    runs = await one(tmp_path, {})
    assert len(runs) == 8
    for run in runs:
        assert (run.status, run.success, len(run.steps)) == (Status.FINISHED, 1.0, 3)
        assert run.usage.tool_calls == 2
        first = run.steps[0]
        assert first.tool_uses[0].name == "look"
        assert first.tool_uses[0].arguments_json == '{"id": "A-0"}'
        assert first.tool_uses[0].observation.startswith("A-0 is blue")
        assert {c.model for c in run.model_calls} == {"small"}
        assert all(c.model_ref.startswith("scripted:") for c in run.model_calls)
        assert run.usage.tokens.total_tokens is not None


async def test_levers_act_on_it(tmp_path: Path) -> None:
    masked = await one(tmp_path, {}, **{"memory.keep_observations": 1, "memory.stable_prefix": 0.0})
    assert {r.success for r in masked} == {0.0}
    assert "[older observation left out]" in masked[0].answer
    chosen = await one(tmp_path, {}, **{"model.choice": "large"})
    assert {r.answer for r in chosen[8:]} == {"the larger one"}
    assert {c.model for r in chosen[8:] for c in r.model_calls} == {"large"}


async def test_several_at_once_are_told_apart(tmp_path: Path) -> None:
    models = {"small": msgspec.structs.replace(MODELS["small"], concurrency=8, delay_s=0.05)}
    runs = await one(tmp_path, {"models": models})
    assert [len(r.steps) for r in runs] == [3] * 8


async def test_what_goes_wrong_is_a_failure_and_shows_no_key(tmp_path: Path) -> None:
    runs = await one(tmp_path, {"agent": AgentSpec(python=f"{HERE}:broken")})
    assert {(r.status, r.success) for r in runs} == {(Status.ERROR, 0.0)}
    assert {r.reason for r in runs} == {"ValueError: broken with [key]"}


async def test_steps_are_bounded(tmp_path: Path) -> None:
    runs = await one(tmp_path, {"limits": RunLimits(max_steps=2)})
    assert {(r.status, len(r.steps)) for r in runs} == {(Status.ERROR, 2)}
    assert "allows 2 steps" in runs[0].reason


async def test_the_cap_of_a_study_is_kept(tmp_path: Path) -> None:
    with pytest.raises(SpentError):
        await one(tmp_path, {"budget": Budget(max_usd=0.001)})
    store = SqlStore(tmp_path / "s.sqlite")
    paid = store.paid("outside").usd
    dearest = max(
        (c.tokens.input_tokens or 0) + 2 * (c.tokens.all_output_tokens or 0)
        for r in store.runs("outside")
        for c in r.model_calls
    )
    store.close()
    assert Decimal("0.001") <= paid <= Decimal("0.001") + Decimal(4 * dearest) / 10**6


async def test_a_whole_study(tmp_path: Path) -> None:
    asked = spec(budget=Budget(max_runs=90), margin=0.2)
    study = Study(asked, suite=ThingsSuite(24))
    store = SqlStore(tmp_path / "s.sqlite")
    try:
        result = await study.optimize(store)
    finally:
        await study.close()
        store.close()
    assert result.recommended is not None
    by_id = {m.id: m.settings for m in (*result.frontier, *result.others)}
    # Cutting keeps what the answer needs; masking does not.
    assert by_id[result.recommended] == {"memory.truncate_observation": 200}


async def test_a_command(tmp_path: Path) -> None:
    script = Path(__file__).parent / "command_agent.py"
    command = f"{sys.executable} {script}"
    runs = await one(tmp_path, {"agent": AgentSpec(command=command)}, **{"model.choice": "large"})
    *good, bad = sorted(runs, key=lambda r: r.key.task_id)
    assert {(r.status, r.answer, len(r.steps)) for r in good} == {
        (Status.FINISHED, "the larger one", 1)
    }
    assert bad.status is Status.ERROR
    assert bad.reason == "exit 1: no answer; the key is [key]"


async def test_a_command_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leanloop.suites.limited_program.KILL_AFTER_S", 0.2)
    mark = f"leanloop-test-{tmp_path.name}"
    hang = tmp_path / "hang.sh"
    hang.write_text(f'trap "" TERM\nsleep 60 {mark} &\nsleep 61\n')
    program = build_program(f"bash {hang}", None)

    class Asked:
        task = ThingsSuite().tasks(Split.SEARCH)[0]
        prompt, url, base_url, api_key, model, folder = "p", "u", "u", "key-of-run", "m", None

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await program.run(Asked())  # type: ignore[arg-type]
    listed = await asyncio.create_subprocess_exec(
        "pgrep", "-f", mark, stdout=asyncio.subprocess.PIPE
    )
    assert (await listed.communicate())[0] == b""


Wrong = tuple[dict[str, Any], str]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"agent": AgentSpec(command="a", python="b:c")}, "agent: takes command or python"),
        ({"levers": {"tools.program": []}}, "levers.tools.program: does not act on an outside"),
        ({"baseline": {"planning.examples": 2}}, "levers.planning.examples: does not act"),
    ],
)
def test_bad_input(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        check_study(spec(**changes))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: build_program("no-such-program-here x", None), "agent.command: no such program"),
        (lambda: build_program('bash "', None), "agent.command: No closing quotation"),
        (lambda: build_program(None, f"{HERE}:LOOK"), "agent.python: .* is no function"),
        (lambda: build_program(None, "no.such:thing"), "agent.python: cannot load"),
    ],
)
def test_programs_that_are_not_there(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        make()


def test_an_outside_agent_is_part_of_what_decides() -> None:
    own = spec(agent=AgentSpec())
    assert own.fingerprint() != spec().fingerprint()
