"""Studies on a real Ray, started on this machine: workers and the driver may die."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from leanloop.search.result import Result
from tests.search.coins import LOG
from tests.search.studies import write_study
from tests.search.test_study import made, paid, recorded


@pytest.fixture(autouse=True)
def _ray_is_here():
    if importlib.util.find_spec("ray") is None:
        why = "Ray is missing; install leanloop with the extra 'ray'"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)


def launch(folder: Path, executor: str, **more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "leanloop", "optimize", str(folder / "study.toml"), "--json"]
    command += ["--store", str(folder / "store.sqlite"), "--executor", executor]
    environment = os.environ | {LOG: str(folder / "log"), "COINS_SLEEP_S": "0.02"} | more
    environment.pop("RAY_ADDRESS", None)
    with (folder / "errors").open("ab") as errors:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)


def result_of(process: subprocess.Popen[bytes]) -> Result:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return msgspec.json.decode(out, type=Result)


def until(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while made(folder) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workers() -> list[int]:
    """Processes in which Ray makes a run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            title = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::Maker"):
            found.append(int(entry.name))
    return found


@pytest.fixture
def undisturbed(tmp_path: Path) -> Result:
    folder = tmp_path / "other"
    folder.mkdir()
    write_study(folder, **BUDGET)
    return result_of(launch(folder, "local", COINS_SLEEP_S="0"))


BUDGET = {"[plan]": "[budget]\nmax_usd = 0.2\n[plan]"}


def same(one: Result, other: Result) -> bool:
    figures = [[(m.id, m.search.success, m.holdout) for m in r.frontier] for r in (one, other)]
    # Which prompts a worker holds decides what is cached, so dollars differ a little.
    ids = [[f[0] for f in frontier] for frontier in figures]
    return ids[0] == ids[1] and one.recommended == other.recommended and one.runs == other.runs


def test_a_study_on_ray_finds_what_it_finds_here(tmp_path, undisturbed):
    write_study(tmp_path, **BUDGET)
    found = result_of(launch(tmp_path, "ray"))
    assert same(found, undisturbed)
    assert found.runs == recorded(tmp_path) == made(tmp_path)
    assert found.search_usd == pytest.approx(paid(tmp_path), rel=1e-6)
    assert 0 < paid(tmp_path) <= 0.2


def test_dead_workers_and_a_dead_driver_lose_nothing(tmp_path, undisturbed):
    write_study(tmp_path, **BUDGET)
    killed = 0
    process = launch(tmp_path, "ray")
    for after in (3, 12, 25):
        until(tmp_path, after, process)
        for worker in workers():
            killed += 1
            os.kill(worker, 9)
    until(tmp_path, 35, process)
    assert process.poll() is None
    process.kill()
    process.communicate()
    found = result_of(launch(tmp_path, "ray"))
    assert killed
    assert same(found, undisturbed)
    assert found.runs == recorded(tmp_path)
    assert found.runs <= made(tmp_path) <= found.runs + killed + 2
    assert found.search_usd == pytest.approx(paid(tmp_path), rel=1e-6)


def test_a_worker_that_cannot_build_the_study_says_so(tmp_path):
    write_study(tmp_path, **{"tests.search.coins:script": "tests.search.coins:nothing"})
    process = launch(tmp_path, "ray")
    process.communicate(timeout=120)
    assert process.returncode == 2
    said = (tmp_path / "errors").read_text()
    assert "study.toml: models.scripted.name" in said
    assert "Traceback" not in said
