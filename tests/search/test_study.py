"""A study end to end: it finds what is there, resumes, and keeps its caps."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.search.result import Result
from leanloop.search.spec import Budget, read_study
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore
from tests.search.coins import LOG
from tests.search.studies import write_study


async def study_of(folder: Path, **replaced: str) -> tuple[Result, list[Run]]:
    study = Study.from_toml(write_study(folder, **replaced))
    store = SqlStore(folder / "store.sqlite")
    try:
        result = await study.optimize(store)
        return result, list(store.runs("coins"))
    finally:
        await study.close()
        store.close()


async def test_finds_the_lever_that_helps(tmp_path):
    result, runs = await study_of(tmp_path)
    best = result.member(result.recommended or "")
    assert best is not None
    assert best.settings["tools.projection"] == "on"
    assert best.holdout is not None
    assert best.holdout.success.mean == 1.0
    assert best.holdout.success.n == 12
    assert result.baseline.holdout is not None
    assert result.baseline.holdout.success.mean == pytest.approx(8 / 12)
    assert best.verdict is not None
    assert best.verdict.tokens.mean is not None
    assert best.verdict.tokens.mean < 0.6
    assert result.runs == len(runs)
    assert result.break_even_tasks is not None
    assert result.break_even_tasks > 0


async def test_every_lever_alone_is_compared_with_the_baseline(tmp_path):
    result, _ = await study_of(tmp_path)
    alone = {(e.lever, e.setting): e.verdict for e in result.levers}
    assert set(alone) == {
        ("tools.projection", "on"),
        ("tools.result_cache", "on"),
        ("stopping.max_steps", 6),
    }
    assert alone["tools.result_cache", "on"].success.mean == 0


async def test_the_holdout_is_never_seen_by_the_search(tmp_path):
    result, runs = await study_of(tmp_path)
    tried = {r.key.configuration_id for r in runs if r.split is Split.HOLDOUT}
    assert len(tried) <= 1 + 2
    order = [r.split for r in runs]
    first = order.index(Split.HOLDOUT)
    assert all(s is Split.HOLDOUT for s in order[first:])
    assert result.baseline.search.success.n == sum(
        r.key.configuration_id == result.baseline.id and r.split is Split.SEARCH for r in runs
    )


async def test_a_second_pass_runs_nothing(tmp_path, monkeypatch):
    first, runs = await study_of(tmp_path)
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    second, again = await study_of(tmp_path)
    assert len(again) == len(runs)
    assert not (tmp_path / "log").exists()
    assert [m.id for m in second.frontier] == [m.id for m in first.frontier]
    assert second.baseline == first.baseline


async def test_a_study_that_time_ended_is_the_same_when_asked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("COINS_SLEEP_S", "0.004")
    # A margin this small is not settled before the time is up.
    capped = {"[plan]": "[budget]\nmax_wall_s = 1.0\n[plan]", "margin = 0.3": "margin = 0.01"}
    first, runs = await study_of(tmp_path, **capped)
    assert "kept for the holdout" in first.stopped_because
    assert first.baseline.holdout is not None
    again, more = await study_of(tmp_path, **capped)
    # The clock of a replay may leave out the start, and so have room for a round more.
    assert len(runs) <= len(more) <= len(runs) + 6 * 6
    assert again.runs >= first.runs
    # A round more may move a member; none is lost.
    known = {m.id for m in (*again.frontier, *again.others)} | {d.id for d in again.dropped}
    assert {m.id for m in first.frontier} <= known


async def test_another_suite_under_the_same_name_is_refused(tmp_path):
    await study_of(tmp_path)
    with pytest.raises(Exception, match="give the new one another name"):
        await study_of(
            tmp_path, **{'coins"\n\n[models': 'coins"\noptions = { search_tasks = 9 }\n\n[models'}
        )


async def test_a_dollar_cap_is_passed_by_no_more_than_the_call_in_flight(tmp_path):
    spec = read_study(write_study(tmp_path))
    cap = 0.004
    spec = msgspec.structs.replace(spec, budget=Budget(max_usd=cap))
    study = Study(spec)
    store = SqlStore(tmp_path / "store.sqlite")
    try:
        result = await study.optimize(store)
        dearest = max(
            float(study.prices.call_usd(c) or 0) for r in store.runs("coins") for c in r.model_calls
        )
    finally:
        await study.close()
        store.close()
    assert result.search_usd is not None
    assert cap <= result.search_usd <= cap + dearest
    assert "kept for the holdout: the cap of $0.004" in result.stopped_because


async def test_a_verifier_that_raises_is_a_failure_and_the_study_goes_on(tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("no such sheet")

    monkeypatch.setattr("tests.search.coins.Coin.verify", broken)
    result, runs = await study_of(tmp_path)
    assert result.recommended is None
    assert {r.status for r in runs} == {"error"}
    assert {r.success for r in runs} == {0.0}
    assert "no such sheet" in runs[0].reason
    assert all(list(r.model_calls) for r in runs)


def launch(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "leanloop", "optimize", str(folder / "study.toml"), "--json"]
    command += ["--store", str(folder / "store.sqlite")]
    return subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def recorded(folder: Path) -> int:
    path = folder / "store.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(path) as database:
            return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()


def made(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_twenty_kills_at_random_moments_lose_no_run_repeat_none_and_pass_no_cap(tmp_path):
    budget = {"[plan]": "[budget]\nmax_usd = 0.2\n[plan]", "margin = 0.3": "margin = 0.02"}
    write_study(tmp_path, **budget)
    environment = {LOG: str(tmp_path / "log"), "COINS_SLEEP_S": "0.01"}
    rng = random.Random(5)
    kills = 0
    while kills < 20:
        before, more = made(tmp_path), rng.randint(1, 5)
        process = launch(tmp_path, environment)
        deadline = time.monotonic() + 60
        while made(tmp_path) < before + more and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.random() * 0.02)
        assert process.poll() is None, "it ended before it could be killed often enough"
        process.kill()
        kills += 1
        process.communicate()
    process = launch(tmp_path, environment)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    result = msgspec.json.decode(out, type=Result)
    assert result.runs == recorded(tmp_path)
    # A run may be verified and lost in the instant before it is written: one a kill at most.
    assert result.runs <= made(tmp_path) <= result.runs + kills
    # Calls of runs that were cut off are paid for too: each kill loses one run at most.
    cut_off = kills * result.search_usd / result.runs
    assert paid(tmp_path) == pytest.approx(result.search_usd, rel=1e-6)
    assert paid(tmp_path) <= 0.2
    undisturbed = tmp_path / "other"
    undisturbed.mkdir()
    write_study(undisturbed, **budget)
    out, _ = launch(undisturbed, {}).communicate(timeout=120)
    other = msgspec.json.decode(out, type=Result)
    assert other.runs == result.runs
    assert other.search_usd <= result.search_usd <= other.search_usd + 2 * cut_off
    assert [m.id for m in other.frontier] == [m.id for m in result.frontier]
    assert other.recommended == result.recommended
    assert other.baseline.search.success == result.baseline.search.success


def paid(folder: Path) -> float:
    store = SqlStore(folder / "store.sqlite")
    try:
        return float(store.paid("coins").usd)
    finally:
        store.close()


def test_two_programs_on_one_study_share_its_runs(tmp_path):
    write_study(tmp_path)
    environment = {LOG: str(tmp_path / "log"), "COINS_SLEEP_S": "0.005"}
    both = [launch(tmp_path, environment) for _ in range(2)]
    found = [msgspec.json.decode(p.communicate(timeout=120)[0], type=Result) for p in both]
    assert [p.returncode for p in both] == [0, 0]
    assert found[0].frontier == found[1].frontier
    assert found[0].runs == found[1].runs == recorded(tmp_path) == made(tmp_path)


def test_an_interrupt_says_that_nothing_is_lost(tmp_path):
    write_study(tmp_path)
    command = [sys.executable, "-m", "leanloop", "optimize", str(tmp_path / "study.toml")]
    command += ["--store", str(tmp_path / "store.sqlite")]
    process = subprocess.Popen(
        command,
        env=os.environ | {"COINS_SLEEP_S": "0.05"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while recorded(tmp_path) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished runs are kept, run it again to go on" in said
    assert "Traceback" not in said
    assert recorded(tmp_path) >= 3
