"""What is asked of a study in its store is done, and a kill changes nothing about it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from leanloop.core.errors import StoppedError
from leanloop.search.orders import LOOK_S, Orders
from leanloop.search.result import Result
from leanloop.search.snapshot import Judged, Snapshot, Snapshots
from leanloop.search.study import Study
from leanloop.store.protocol import Control, StudyRecord
from leanloop.store.sql import SqlStore
from tests.search.studies import write_study

SMALL = {
    'coins:coins"\n\n[models': 'coins:coins"\n'
    "options = { search_tasks = 9, holdout_tasks = 6 }\n\n[models",
    "block = 6\nproposals = 6": "block = 4\nproposals = 4",
}
"""Few tasks, whose intervals are quickly made."""
UNSURE = {"margin = 0.3": "margin = 0.01"}


class Notes:
    """Keeps what is said, and calls something after so many runs."""

    def __init__(self, at: int = 0, then=lambda: None) -> None:
        self.said: list[str] = []
        self.at, self.then, self.runs = at, then, 0

    def run_done(self, configuration, run, progress) -> None:
        self.runs += 1
        self.ended_at = time.monotonic()
        if self.runs == self.at:
            self.then()

    def note(self, text: str) -> None:
        self.said.append(text)


async def optimized(folder: Path, store: SqlStore, notes: Notes, **replaced: str) -> Result:
    study = Study.from_toml(write_study(folder, **SMALL, **replaced))
    try:
        return await study.optimize(store, notes)
    finally:
        await study.close()


@pytest.fixture
def store(tmp_path):
    opened = SqlStore(tmp_path / "store.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def at_once(monkeypatch):
    """Looks at the store before every run."""
    monkeypatch.setattr("leanloop.search.orders.LOOK_S", 0.0)
    monkeypatch.setattr("leanloop.search.orders.WAIT_S", 0.01)


async def test_a_stop_keeps_what_is_done_and_the_next_session_goes_on(tmp_path, store, at_once):
    undisturbed = await optimized(tmp_path, SqlStore(tmp_path / "other.sqlite"), Notes())
    stopping = Notes(9, lambda: store.ask("coins", "stop"))
    with pytest.raises(StoppedError, match="stopped from the dashboard"):
        await optimized(tmp_path, store, stopping)
    assert len(store.runs("coins")) == 9
    number, raw = store.standing("coins")
    assert msgspec.json.decode(raw, type=Snapshot).phase == "stopped"
    going_on = Notes()
    result = await optimized(tmp_path, store, going_on)
    assert "it was stopped from the dashboard before: it goes on now" in going_on.said
    assert store.control("coins").state == "run"
    assert [m.id for m in result.frontier] == [m.id for m in undisturbed.frontier]
    assert result.runs == undisturbed.runs
    assert store.standing("coins", number) is not None


async def test_while_it_is_paused_no_run_begins(tmp_path, store, at_once):
    paused = asyncio.Event()

    def pause():
        store.ask("coins", "pause")
        paused.set()

    notes = Notes(5, pause)
    start = time.monotonic()
    running = asyncio.create_task(optimized(tmp_path, store, notes))
    await paused.wait()
    await asyncio.sleep(0.4)
    assert notes.runs == 5
    assert len(store.runs("coins")) == 5
    store.ask("coins", "run")
    result = await running
    assert notes.runs > 5
    assert any(s.startswith("paused from the dashboard") for s in notes.said)
    assert "resumed from the dashboard" in notes.said
    snapshot = msgspec.json.decode(store.standing("coins")[1], type=Snapshot)
    assert snapshot.phase == "done"
    # The clock of the study stood still meanwhile.
    assert result.elapsed_s < time.monotonic() - start - 0.35


async def test_a_raised_cap_on_runs_holds_at_once_and_after_a_kill(tmp_path, store, at_once):
    capped = {"[plan]": "[budget]\nmax_runs = 18\n[plan]", **UNSURE}
    other = SqlStore(tmp_path / "other.sqlite")
    small = await optimized(tmp_path, other, Notes(), **capped)
    assert small.runs_used <= 18
    assert "the cap of 18 runs" in small.stopped_because
    notes = Notes(8, lambda: store.raise_caps("coins", max_runs=30))
    raised = await optimized(tmp_path, store, notes, **capped)
    assert raised.runs_used > 18
    assert "the cap of 18 runs was raised to 30" in notes.said
    # Killed and begun anew, with the file as it was: the same runs, and none made again.
    again = await optimized(tmp_path, store, Notes(), **capped)
    assert again.runs == raised.runs
    assert [m.id for m in again.frontier] == [m.id for m in raised.frontier]
    assert again.stopped_because == raised.stopped_because
    # A study that ended at its cap goes on where it was, as with another file.
    other.raise_caps("coins", max_runs=30)
    later = await optimized(tmp_path, other, Notes(), **capped)
    assert later.runs_used == raised.runs_used
    assert later.stopped_because == raised.stopped_because
    other.close()


async def test_a_raised_cap_in_dollars_holds_at_once(tmp_path, store, at_once):
    capped = {"[plan]": "[budget]\nmax_usd = 0.002\n[plan]", **UNSURE}
    notes = Notes(4, lambda: store.raise_caps("coins", max_usd=0.02))
    result = await optimized(tmp_path, store, notes, **capped)
    assert "the cap of $0.002 was raised to $0.02" in notes.said
    assert result.search_usd > 0.002
    snapshot = msgspec.json.decode(store.standing("coins")[1], type=Snapshot)
    assert snapshot.max_usd == 0.02
    again = await optimized(tmp_path, store, Notes(), **capped)
    assert again.runs == result.runs


def test_the_store_is_looked_at_once_a_second_and_a_lower_cap_is_none(store):
    store.open_study(StudyRecord("s", "{}", "f"))
    looked = []

    class Watched:
        def control(self, study):
            looked.append(study)
            return Control("run", 1.0, 5)

    orders = Orders("s", Watched(), 2.0, 300)
    start = time.monotonic()
    while time.monotonic() - start < 0.2:
        assert asyncio.run(orders.may_begin())
        assert orders.max_usd() == 2.0
    assert len(looked) == 1 <= LOOK_S
    assert orders.max_runs(now=True) == 300
    assert len(looked) == 2
    assert Orders("s", Watched()).max_usd() is None


def test_snapshots_take_a_small_share_of_the_time():
    now, saved, judged = [0.0], [], []

    def save(raw):
        now[0] += 0.02
        saved.append(now[0])

    def judge():
        now[0] += 0.3
        judged.append(now[0])
        return Judged(0, (), {}, None, None)

    def make(known):
        return Snapshot("search", 0, "", "b", {}, {}, (), (), 0, 0, 0, 0, 0, 0, 0, 0, "", known)

    snapshots = Snapshots(save, lambda: now[0])
    while now[0] < 300:
        now[0] += 0.25
        snapshots.offer(make, judge)
    assert len(saved) > 50
    assert len(judged) > 5
    assert 0.02 * len(saved) + 0.3 * len(judged) <= 0.02 * 300
