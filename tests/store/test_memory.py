"""Memories in a store: two agents at once, kills, bounds, and what others hear."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from leanloop.core.memory import Entry, Forget, Kind, Put, Used
from leanloop.search.kept_memory import KeptMemory
from leanloop.store.sql import SqlStore

WRITER = """
import sys
from pathlib import Path
from leanloop.core.memory import Entry, Kind, Put, Used
from leanloop.store.sql import SqlStore
store, who, count = SqlStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
memory = store.memory("m")
for i in range(count):
    own = Entry(Kind.FACT, f"{who}-{i}", who, f"fact {i} of {who}", {"i": i})
    shared = Entry(Kind.SKILL, "shared", "shared", "shared", {"i": 0})
    memory.apply([Put(own), Put(shared), Used(shared.entry_id, 1.0)], 100_000)
    print(i, flush=True)
"""


def entry(key: str, value: int = 0) -> Entry:
    return Entry(Kind.FACT, key, "n", f"cue {key}", {"v": value})


@pytest.fixture
def store(tmp_path):
    opened = SqlStore(tmp_path / "s.sqlite")
    yield opened
    opened.close()


def writer(store: SqlStore, who: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, store.address, who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_agents_write_at_once_and_nothing_is_lost(store):
    both = [writer(store, who, 60) for who in ("a", "b")]
    assert [len(p.communicate(timeout=60)[0].split()) for p in both] == [60, 60]
    kept = KeptMemory(store.memory("m"), 100_000)
    assert len(kept) == 121
    shared = kept.get(Entry(Kind.SKILL, "shared", "", "", None).entry_id)
    assert shared is not None
    assert shared.trust.used == 120, "each run's use is counted, whoever writes"


def test_kill_while_writing_loses_at_most_the_entry_in_hand(store):
    process = writer(store, "a", 100_000)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(5)]
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.communicate()
    done = int(said[-1]) + 1
    kept = KeptMemory(store.memory("m"), 100_000)
    assert done <= len(kept) - 1 <= done + 1
    shared = kept.get(Entry(Kind.SKILL, "shared", "", "", None).entry_id)
    assert shared is not None
    assert shared.trust.used == len(kept) - 1, "whole or not at all"


def test_others_hear_of_what_is_new_changed_and_gone(store):
    one, two = (KeptMemory(store.memory("m"), 100) for _ in range(2))
    one.apply([Put(entry("a")), Put(entry("b"))])
    two.refresh()
    assert len(two) == 2
    two.apply([Put(entry("a", 1)), Forget(entry("b").entry_id)])
    assert len(one) == 2
    one.refresh()
    assert len(one) == 1
    found = one.get(entry("a").entry_id)
    assert found is not None
    assert (found.version, found.body) == (2, {"v": 1})


def test_who_was_away_for_long_reads_the_whole_again(store):
    one, away = (KeptMemory(store.memory("m"), 5) for _ in range(2))
    one.apply([Put(entry("old"))])
    away.refresh()
    for i in range(40):
        one.apply([Put(entry(str(i)))])
    away.refresh()
    assert len(away) == len(one) == 5
    assert {e.entry_id for e in away.find(Kind.FACT, "cue", 9)} == {
        e.entry_id for e in one.find(Kind.FACT, "cue", 9)
    }


def test_a_memory_never_grows_past_its_bound_and_keeps_what_is_worth_most(store):
    memory = store.memory("m")
    memory.apply([Put(entry("good")), Used(entry("good").entry_id, 1.0)], 3)
    for i in range(20):
        memory.apply([Put(entry(str(i)))], 3)
        alive = [e for e in memory.news().entries.values() if e is not None]
        assert len(alive) <= 3
    assert any(e.key == "good" for e in alive)


def test_more_changes_at_once_than_a_query_takes_values_are_kept(store):
    few = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
    sa.event.listen(store._database.engine, "checkout", lambda raw, *_: raw.setlimit(few, 600))
    store.memory("m").apply([Put(entry(str(i))) for i in range(1500)], 5000)
    assert len(store.memory("m").news().entries) == 1500


def test_memories_are_apart_and_named(store):
    store.memory("x").apply([Put(entry("a"))], 9)
    store.memory("y").apply([Put(entry("b"))], 9)
    assert list(store.memories()) == ["x", "y"]
    assert [e.key for e in store.memory("y").news().entries.values() if e] == ["b"]
