"""A real store to look at: a study that has ended, one that runs, and a gateway."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.message import (
    AssistantMessage,
    Request,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.run import ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Split, Task
from leanloop.core.tokens import Tokens
from leanloop.gateway.access import Access
from leanloop.gateway.meter import Keeping, Meter
from leanloop.gateway.prices import Prices
from leanloop.gateway.server import Gateway
from leanloop.gateway.serving import serving
from leanloop.gateway.session_runs import FINGERPRINT
from leanloop.gateway.settings import settings_of
from leanloop.gateway.standing import standing_of
from leanloop.gateway.upstream import Upstreams
from leanloop.search.result import DroppedMember
from leanloop.search.snapshot import Judged, Snapshot
from leanloop.search.spec import StudySpec
from leanloop.search.study import Study
from leanloop.store.lease import new_owner
from leanloop.store.protocol import StudyRecord
from leanloop.store.sql import SqlStore
from tests.gateway.test_pass_through import post
from tests.gateway.upstream import calls, text, upstream
from tests.search.coins import Coin, Coins

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
SECRET = "hunter2-is-no-password"
ROOT = Path(__file__).parents[2]

TOML = """
name = "NAME"
seed = 3
margin = 0.3

[suite]
name = "tests.report.live:coins"
options = { search_tasks = SEARCH, holdout_tasks = HOLDOUT }

[models.scripted]
provider = "scripted"
name = "tests.report.live:script"
base_url = "http://me:hunter2-is-no-password@127.0.0.1/v1"
price = { input = 1.0, output = 4.0, cache_read = 0.1 }

[levers]
tools.projection = ["on"]
tools.result_cache = ["on"]
memory.keep_observations = [1]
stopping.max_steps = [2]

[references."all together"]
tools.projection = "on"
tools.result_cache = "on"
memory.keep_observations = 1

[objectives]
success = "max"
tokens = "min"

[budget]
max_usd = USD
max_runs = RUNS

[plan]
block = 4
proposals = 6
finalists = 2
"""


class HostileCoin(Coin):
    """A coin whose record holds markup."""

    async def call(self, call: ToolCall) -> ToolMessage:
        number = int(call.arguments["number"])
        record = {"value": number * 7, "story": HOSTILE + "once upon a time " * 60}
        return ToolMessage(call.call_id, call.name, json.dumps(record))


class HostileCoins(Coins):
    """Coins whose tasks hold markup."""

    def tasks(self, split: Split) -> Sequence[Task]:
        return [
            msgspec.structs.replace(t, prompt=f"What is coin {i} worth? {HOSTILE}")
            for i, t in enumerate(super().tasks(split))
        ]

    def open(self, task: Task) -> HostileCoin:
        return HostileCoin(task)


def coins(**options: Any) -> HostileCoins:
    return HostileCoins(**options)


def script(request: Request) -> AssistantMessage:
    """Looks at a coin twice and at the next one, then answers; long stories lead it astray."""
    time.sleep(float(os.environ.get("COINS_SLEEP_S", "0")))
    results = [m for m in request.messages if isinstance(m, ToolMessage)]
    prompt = next(m.text for m in request.messages if isinstance(m, UserMessage))
    number = int(prompt.split()[3])
    if len(results) < 3 and request.tools_allowed:
        asked: dict[str, Any] = {"number": number + (len(results) == 1)}
        if "fields" in request.tools[0].parameters["properties"]:
            asked["fields"] = ["value"]
        call = ToolCall(f"c{len(results)}", "get_coin", asked)
        return AssistantMessage(f"Looking {HOSTILE}", (call,))
    if "story" in results[-1].text and number % 3 == 0:
        return AssistantMessage(f"a fortune {HOSTILE}")
    return AssistantMessage(str(number * 7))


def write_live(folder: Path, name: str, **wanted: Any) -> Path:
    text_ = TOML
    usual = {"SEARCH": 9, "HOLDOUT": 6, "USD": 5, "RUNS": 60}
    for word, value in {"NAME": name, **usual, **wanted}.items():
        text_ = text_.replace(word, str(value))
    path = folder / f"{name}.toml"
    path.write_text(text_)
    return path


def in_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something to its end, whether or not a browser's loop runs here."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result()


def optimize(path: Path, store: SqlStore) -> None:
    async def go() -> None:
        study = Study.from_toml(path)
        try:
            await study.optimize(store)
        finally:
            await study.close()

    in_thread(go)


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return {**os.environ, "PYTHONPATH": path, "LEANLOOP_GATEWAY_KEYS": "", **more}


@contextmanager
def leanloop(*arguments: object, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "leanloop", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def served(place: Path, *arguments: object, **more: str) -> Iterator[str]:
    """The dashboard's address, while it runs."""
    with leanloop("dashboard", *arguments, "--store", place, "--port", 0, **more) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"Dashboard: (\S+)", line)
        assert found, line + process.stderr.read()
        yield found[1]


GATEWAY: dict[str, Any] = {
    "caps": {"day": {"usd": 2.0}, "session": {"tokens": 500}},
    "memory": {"keep_observations": 1, "stable_prefix": "off"},
    "canary": {"share": 0.5, "levers": {"memory.dedupe": "on"}},
}


async def converse(url: str, behind: Any, task: int) -> None:
    """A session of three calls, with how it went."""
    messages: list[Any] = [
        {"role": "system", "content": "be good"},
        {"role": "user", "content": f"task {task}"},
    ]
    labels = {
        "x-leanloop-session": f"{task * 0x2AAAAAAA:08x}",
        "x-leanloop-task": f"t{task} {HOSTILE}",
        "x-leanloop-success": str(task % 2),
    }
    for i in range(3):
        behind.say(calls((f"c{i}", "look", {"id": i})) if i < 2 else text("done"))
        body = {"model": "gpt-4.1-mini", "messages": messages}
        _, _, raw = await post(f"{url}/v1/chat/completions", body, **labels)
        said = json.loads(raw)["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": f"c{i}", "content": f"long result {i} " * 90}
        messages = [*messages, said, result]


def make_gateway(store: SqlStore, folder: Path, sessions: int = 6) -> None:
    """Sessions through a real gateway before a real upstream, both of them here."""

    async def go() -> None:
        settings = settings_of(GATEWAY, "gateway.toml")
        store.open_study(StudyRecord("gw", "{}", FINGERPRINT))
        store.save_standing("gw", standing_of(settings))
        async with upstream() as behind:
            log = store.call_log("gw")
            prices = Prices(settings.models)
            meter = Meter(log, folder, prices, (), Keeping())
            access = Access((), "127.0.0.1")
            upstreams = Upstreams(behind.url, None, settings.models)
            gateway = Gateway(replace_caps(settings), upstreams, meter, access)
            async with serving(gateway, drain_s=5) as url:
                for task in range(sessions):
                    await converse(url, behind, task)

    in_thread(go)


def replace_caps(settings: Any) -> Any:
    """The caps are shown; they are not to end the sessions here."""
    return msgspec.structs.replace(settings, caps=())


def make_big(place: Path, configurations: int = 50, tasks: int = 500) -> list[str]:
    """A study as it stands with 25,000 runs; its configurations' ids, the baseline's first."""
    settings = [{"stopping.max_steps": 5 + i} for i in range(configurations)]
    ids = [Configuration(s).id for s in settings]
    spec = msgspec.convert(tomllib.loads(write_live(place.parent, "big").read_text()), StudySpec)
    store = SqlStore(place)
    store.open_study(StudyRecord("big", msgspec.json.encode(spec).decode(), spec.fingerprint()))
    out = ids[20:]
    chances: dict[str, float | None] = {id_: 1 / (1 + i) for i, id_ in enumerate(ids[:20])}
    snapshot = Snapshot(
        phase="search",
        saved_at=time.time(),
        owner=new_owner(),
        baseline=ids[0],
        references={},
        settings=dict(zip(ids, settings, strict=True)),
        alive=tuple(ids[:20]),
        dropped=tuple(DroppedMember(i, {}, ids[1], 0.99, tasks) for i in out),
        runs=configurations * tasks,
        search_runs=configurations * tasks,
        spent_usd=12.5,
        elapsed_s=3600.0,
        left_s=120.0,
        max_usd=50.0,
        max_runs=30_000,
        max_wall_s=7200.0,
        judged=Judged(1000, tuple(ids[1:5]), chances, 0.1, 0.9),
    )
    store.save_standing("big", msgspec.json.encode(snapshot))
    store.close()
    rows = [
        (id_, f"t{t}", run.status, run.success, msgspec.json.encode(run))
        for c, id_ in enumerate(ids)
        for t in range(tasks)
        for run in [big_run(RunKey(id_, f"t{t}"), (t * 7 + c) % (3 + c) > 1, 1 + c / 9)]
    ]
    columns = "study, configuration_id, task_id, seed, status, success, run_json"
    with sqlite3.connect(place) as connection:
        connection.executemany(
            f"INSERT INTO runs ({columns}) VALUES ('big', ?, ?, 0, ?, ?, ?)", rows
        )
    connection.close()
    return ids


def big_run(key: RunKey, solved: bool, scale: float) -> Run:
    spread = 1 + (hash(key.task_id) % 97) / 60
    tokens = Tokens(round(900 * scale * spread), 300, 0, 0, 80, 0)
    call = ModelCall("scripted", "scripted:s", "act", tokens, 0.5 * scale, 1.5)
    step = Step((call,), (ToolUse("get_coin", "{}", 0.1, observation="a coin"),), "looking")
    return Run(
        key,
        Split.SEARCH,
        Status.FINISHED,
        float(solved),
        (step, step, step),
        1.8 * scale * spread,
        1.5,
        3.0,
        "7",
    )
