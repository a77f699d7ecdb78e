"""Sessions of a gateway as runs: judged, profiled, and told in one line where they cannot be."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leanloop.core.errors import BadInputError
from leanloop.gateway.session_runs import FINGERPRINT
from leanloop.judging.comparison import Terms, compare
from leanloop.search.stored_runs import table_of_study
from leanloop.store.protocol import StudyRecord
from leanloop.traces.profile import profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers.leanloop_store import READER
from leanloop.traces.source import Source
from tests.gateway.conftest import Running
from tests.gateway.test_levers import ChatAgent
from tests.gateway.test_pass_through import post
from tests.gateway.upstream import calls, text

Start = Callable[..., Any]


async def tasks_of(running: Running, count: int, success: float) -> None:
    """Sessions of two calls with a label each, and how they went."""
    for i in range(count):
        agent = ChatAgent(running)
        agent.messages[1]["content"] = f"task {i}"
        labels = {"x-leanloop-task": f"t{i}", "x-leanloop-success": str(success)}
        running.upstream.say(calls((f"c{i}", "look", {"id": i})), text("done"))
        for _ in range(2):
            body = {"model": "gpt-4.1-mini", "messages": agent.messages}
            _, _, raw = await post(running.url + agent.path, body, **labels)
            said = json.loads(raw)["choices"][0]["message"]
            result = {"role": "tool", "tool_call_id": f"c{i}", "content": f"seen {i}"}
            agent.messages += [said, result]


async def test_two_configurations_are_compared_by_task(start: Start, tmp_path: Path) -> None:
    for success, table in ((1.0, {}), (0.0, {"memory": {"dedupe": "on"}})):
        running: Running = await start(**table)
        await tasks_of(running, 12, success)
        await running.stop()
    running.store.open_study(StudyRecord("gw", "{}", FINGERPRINT))
    runs = table_of_study(running.store, "gw", None)
    ids = sorted({r.configuration_id for r in await running.records()}, key=lambda i: i[0] != "4")
    found = compare(runs, ids[0], ids[1], Terms(0.02, None, 0))
    runs.close()
    assert found.success.difference == -1.0
    assert found.success.a.n == 12


async def test_the_store_is_a_trace(start: Start, tmp_path: Path) -> None:
    running: Running = await start()
    await tasks_of(running, 3, 1.0)
    await running.stop()
    runs = list(READER.read([Source(tmp_path / "store.sqlite")], Wanted()))
    assert [len(r.calls) for r in runs] == [2, 2, 2]
    assert {r.success for r in runs} == {1.0}
    assert sorted(r.task_id or "" for r in runs) == ["t0", "t1", "t2"]
    found = profile_runs(runs)
    assert (found.runs, found.model_calls, found.tool_calls) == (3, 6, 3)
    assert found.resent_share_in_run is not None
    assert found.resent_share_in_run > 0
    assert found.usd is not None


async def test_contents_are_kept_where_they_are_asked_for(start: Start, tmp_path: Path) -> None:
    running: Running = await start(contents=True)
    await tasks_of(running, 1, 1.0)
    await running.stop()
    (run,) = READER.read([Source(tmp_path / "store.sqlite")], Wanted(contents=True))
    texts = [e.message.text for c in run.calls for e in c.added if e.message is not None]
    assert texts == ["be good", "task 0", "seen 0"]
    (bare,) = READER.read([Source(tmp_path / "store.sqlite")], Wanted())
    assert all(e.message is None for c in bare.calls for e in c.added)


async def test_without_an_outcome_there_is_nothing_to_judge(start: Start) -> None:
    running: Running = await start()
    await ChatAgent(running).step()
    await running.stop()
    running.store.open_study(StudyRecord("gw", "{}", FINGERPRINT))
    with pytest.raises(BadInputError, match="no session has an outcome yet: send the header"):
        table_of_study(running.store, "gw", None)


async def test_the_command_says_where_it_listens(tmp_path: Path) -> None:
    config = tmp_path / "levers.toml"
    config.write_text('memory.keep_turns = 3\ntools.program = "on"\n')
    program = Path(sys.executable).parent / "leanloop"
    options = ("--config", config, "--port", "0", "--store", tmp_path / "s.sqlite", "--json")
    process = await asyncio.create_subprocess_exec(
        program, "gateway", "--upstream", "http://127.0.0.1:9", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[bytes] = []
    while not lines or lines[-1] != b"}\n":
        lines.append(await process.stdout.readline())
    told = msgspec.json.decode(b"".join(lines))
    assert told["levers"] == {"memory.keep_turns": 3, "memory.stable_prefix": "on"}
    assert list(told["refused"]) == ["tools.program"]
    status, _, _ = await post(f"{told['url']}/v1/chat/completions", {"model": "m", "messages": []})
    assert status == 502
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert b"tools.program does not act here" in err
