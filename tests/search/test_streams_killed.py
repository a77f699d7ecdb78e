"""A study over a stream that is killed again and again comes to what it comes to in peace."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from leanloop.core.run import Run
from leanloop.search.result import Result
from leanloop.store.sql import SqlStore
from tests.search.office_script import LOG, OPTIONS
from tests.search.test_streams import essence

KILLS = 4
STUDY = f"""
name = "office"
margin = 0.3

[suite]
name = "backoffice"
options = {{ {", ".join(f"{k} = {v}" for k, v in OPTIONS.items())} }}

[models.scripted]
provider = "scripted"
name = "tests.search.office_script:script"
delay_s = 0.004
price = {{ input = 1.0, output = 4.0 }}

[levers]
planning.plan_cache = ["plain"]
memory.facts = [4]
memory.skills = ["open:1"]

[objectives]
success = "max"
tokens = "min"

[plan]
block = 6
proposals = 6
finalists = 2
"""


def launch(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    (folder / "study.toml").write_text(STUDY)
    command = [sys.executable, "-m", "leanloop", "optimize", str(folder / "study.toml"), "--json"]
    return subprocess.Popen(
        [*command, "--store", str(folder / "store.sqlite")],
        env=os.environ | {LOG: str(folder / "log")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def answered(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def finish(folder: Path) -> Result:
    process = launch(folder)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return msgspec.json.decode(out, type=Result)


def kept(folder: Path) -> tuple[list[Run], dict[str, list[tuple[str, str]]]]:
    """The runs, and what each memory says in the end."""
    store = SqlStore(folder / "store.sqlite")
    try:
        memories = {
            n: sorted((e.key, repr(e.body)) for e in store.memory(n).news(-1).entries.values() if e)
            for n in store.memories()
        }
        return list(store.runs("office")), memories
    finally:
        store.close()


def test_kills_at_random_moments_change_nothing_of_what_was_learned(tmp_path: Path) -> None:
    cut, rng = tmp_path / "cut", random.Random(3)
    for _ in range(KILLS):
        before, more = answered(cut), rng.randint(1, 12)
        process = launch(cut)
        deadline = time.monotonic() + 60
        while answered(cut) < before + more and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.random() * 0.02)
        assert process.poll() is None, "it ended before it could be killed often enough"
        process.kill()
        process.communicate()
    found = finish(cut)
    in_peace = finish(tmp_path / "whole")
    runs, memories = kept(cut)
    others, other_memories = kept(tmp_path / "whole")
    assert sorted(map(repr, map(essence, runs))) == sorted(map(repr, map(essence, others)))
    assert len(runs) == len({r.key for r in runs}) == found.runs == in_peace.runs
    by_model = sum(r.usage.model_calls > 0 for r in runs)
    assert by_model <= answered(cut) <= by_model + KILLS
    assert found.recommended == in_peace.recommended
    assert [s.id for s in found.streams] == [s.id for s in in_peace.streams]
    assert memories == other_memories
    assert any(memories.values())
