"""The examples, as their own readers would run them, on a scripted model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from examples import claude_client

from leanloop.core.configuration import Configuration
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage
from leanloop.core.run import Status
from leanloop.core.task import Split
from leanloop.levers.memory.keep_observations import MASK
from leanloop.models.builtin import ModelSpec
from leanloop.search.spec import read_study
from leanloop.search.study import Silent, Study
from leanloop.store.sql import SqlStore

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def quiet_mini(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """mini-swe-agent without questions, prices or downloads, from this very environment."""
    (tmp_path / ".env").write_text("MSWEA_CONFIGURED=true\n")
    for name, value in {
        "MSWEA_CONFIGURED": "true",
        "MSWEA_SILENT_STARTUP": "1",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_GLOBAL_CONFIG_DIR": str(tmp_path),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")


@pytest.mark.usefixtures("quiet_mini")
async def test_mini_swe_agent_unchanged(tmp_path: Path) -> None:
    spec = read_study(EXAMPLES / "mini_swe_agent" / "study.toml")
    scripted = ModelSpec("scripted", "examples.mini_swe_agent.scripted:model", concurrency=2)
    few = msgspec.structs.replace(spec.suite, options={"tasks": 2})
    plan = msgspec.structs.replace(spec.plan, block=2)
    study = Study(msgspec.structs.replace(spec, models={"small": scripted}, suite=few, plan=plan))
    store = SqlStore(tmp_path / "store.sqlite")
    try:
        result = await study.optimize(store)
    finally:
        await study.close()
        runs = list(store.runs(spec.name))
        store.close()
    assert {(r.status, r.success) for r in runs} == {(Status.FINISHED, 1.0)}
    assert {len(r.steps) for r in runs} == {5}
    assert {u.name for r in runs for s in r.steps for u in s.tool_uses} == {"bash"}
    settings = {m.id: m.settings for m in (*result.frontier, *result.others)}
    tokens = {str(settings[m.id]): m.search.tokens.mean for m in (*result.frontier, *result.others)}
    assert min(tokens, key=lambda k: tokens[k] or 0) != "{}"
    assert result.baseline.id in {m.id for m in (*result.frontier, *result.others)} | {
        d.id for d in result.dropped
    }


async def test_a_client_that_thinks(capsys: pytest.CaptureFixture[str]) -> None:
    last = await claude_client.main()
    results = [b["content"] for m in last[2::2] for b in m["content"]]
    assert results == [MASK, MASK, "what file-2 holds, which is long"]
    thoughts = [m["content"][0] for m in last[1::2]]
    assert [t["signature"] for t in thoughts] == ["s0", "s1", "s2"]
    assert "I have read all three." in capsys.readouterr().out


def test_curl(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        "PATH": path,
        "PORT": str(free_port()),
        "STORE": str(tmp_path / "store.sqlite"),
        "UPSTREAM": "scripted:tests.gateway.outside:larger",
    }
    ran = subprocess.run(
        ["sh", EXAMPLES / "gateway_curl.sh"],
        cwd=EXAMPLES.parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '"content":"the larger one"' in ran.stdout
    assert "event: message_stop" in ran.stdout
    assert '{"ok":true}' in ran.stdout
    assert "2 runs: 2 model calls" in ran.stdout


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
    return port


async def test_one_run_of_the_baseline_finds_its_way(tmp_path: Path) -> None:
    """The suite alone: a repository that nobody mends does not pass its check."""
    spec = read_study(EXAMPLES / "mini_swe_agent" / "study.toml")
    study = Study(
        msgspec.structs.replace(
            spec,
            agent=msgspec.structs.replace(spec.agent, command="true"),
            models={"small": ModelSpec("scripted", "examples.mini_swe_agent.scripted:model")},
        )
    )
    store = SqlStore(tmp_path / "store.sqlite")
    try:
        await study.run_one(Configuration(), Split.SEARCH, store, Silent())
    finally:
        await study.close()
        runs = list(store.runs(spec.name))
        store.close()
    assert {(r.status, r.success, r.usage.model_calls) for r in runs} == {(Status.FINISHED, 0.0, 0)}


def capitals(request: Request) -> AssistantMessage:
    """Looks the country up, and says what was found."""
    last = request.messages[-1]
    if isinstance(last, ToolMessage):
        return AssistantMessage(json.loads(last.text)["capital"])
    name = last.text.removeprefix("What is the capital of ").removesuffix("?")
    return AssistantMessage("", (ToolCall("c1", "get_country", {"name": name}),))


async def test_an_agent_of_ones_own(tmp_path: Path) -> None:
    spec = read_study(EXAMPLES / "own_agent.toml")
    model = ModelSpec("scripted", f"{__name__}:capitals", concurrency=4)
    study = Study(msgspec.structs.replace(spec, models={"small": model}))
    store = SqlStore(tmp_path / "store.sqlite")
    try:
        result = await study.optimize(store)
    finally:
        await study.close()
        runs = list(store.runs(spec.name))
        store.close()
    assert {(r.status, r.success, len(r.steps)) for r in runs} == {(Status.FINISHED, 1.0, 2)}
    assert {r.usage.tool_calls for r in runs} == {1}
    assert result.configurations > 1
