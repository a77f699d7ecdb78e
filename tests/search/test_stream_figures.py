"""Figures along streams, over runs whose figures are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.memory import Entry, Kind, Put
from leanloop.core.run import Run, RunKey, Status
from leanloop.core.task import Split, Task
from leanloop.pricing.cost import PriceBook
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.search.stream_figures import AlongStream, Held, along_stream
from leanloop.search.streams import Streams
from leanloop.store.sql import SqlStore

BASE, OWN = Configuration({}), Configuration({"memory.facts": 4})
HELD = Held(9, 2, 7)
EACH = 12


def tasks_at(place: Callable[[int, int], int], each: Sequence[int] = (EACH, EACH)) -> list[Task]:
    """Streams of so many tasks; ``place`` says the position of the n-th task of a stream."""
    return [
        Task(f"{stream}-{n}", "?", Split.SEARCH, stream=str(stream), position=place(stream, n))
        for stream, count in enumerate(each)
        for n in range(count)
    ]


def table_of(tasks: Sequence[Task], rows: Callable[[Task], dict[str, Sequence[float]]]) -> RunTable:
    table = RunTable(PriceBook({}))
    for task in tasks:
        for id_, row in rows(task).items():
            table.put(id_, task.task_id, row)
    return table


def learns(task: Task) -> dict[str, Sequence[float]]:
    """The first three tasks of a stream cost more than the baseline's 10, later ones 1 each."""
    n = int(task.task_id.split("-")[1])
    row = dict.fromkeys(COLUMNS, 30.0 if n < 3 else 1.0) | {"success": 1.0}
    base = dict.fromkeys(COLUMNS, 10.0) | {"success": float(n % 2)}
    return {OWN.id: list(row.values()), BASE.id: list(base.values())}


def figures(
    tasks: Sequence[Task], rows: Callable[[Task], dict[str, Sequence[float]]] = learns
) -> AlongStream:
    tables = table_of(tasks, rows), RunTable(PriceBook({}))
    return along_stream(tables, (BASE, OWN), {Split.SEARCH: tasks, Split.HOLDOUT: []}, HELD)


PLACES = {
    "aligned": lambda _, n: n,
    "gaps": lambda s, n: 3 * n + (n * (s + 2)) % 3,
    "over all streams": lambda s, n: s * EACH + n,
    "below nothing": lambda s, n: n - 10 * (s + 1),
    "unix seconds": lambda s, n: 1_795_000_000 + 60 * n + s,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_tasks_are_counted_in_their_own_stream_whatever_their_positions(place):
    found = figures(tasks_at(place))
    assert found == figures(tasks_at(PLACES["aligned"]))
    # 3 × 20 more at first, then 9 less a task: saved after 3 + 7 tasks of each stream.
    back = found.paid_back["tokens"]
    assert (back.n, back.after) == (EACH, 10)
    assert [(s.first, s.last, s.success.n) for s in found.stretches] == [
        (0, 2, 6), (3, 5, 6), (6, 8, 6), (9, 11, 6),
    ]  # fmt: skip
    first, last = found.stretches[0], found.stretches[-1]
    assert first.per_solved["usd"].mean == 30.0
    assert last.per_solved["usd"].mean == 1.0


def test_a_stretch_has_what_a_solved_task_costs_on_both_sides():
    stretch = figures(tasks_at(PLACES["aligned"])).stretches[1]
    assert stretch.success.mean == 1.0
    assert stretch.baseline_success is not None
    # Of tasks 4, 5 and 6 the baseline solves the two whose place from 0 is odd.
    assert stretch.baseline_success.mean == pytest.approx(2 / 3)
    assert stretch.baseline_per_solved["tokens"].mean == pytest.approx(15.0)
    assert stretch.per_solved["tokens"].mean == 1.0
    assert stretch.ratio["tokens"].mean == pytest.approx(1 / 15)


def test_streams_of_other_lengths_are_each_counted_by_themselves():
    found = figures(tasks_at(PLACES["over all streams"], (12, 4)))
    assert found.paid_back["tokens"].n == 12
    assert [(s.first, s.last, s.success.n) for s in found.stretches] == [
        (0, 2, 6), (3, 5, 4), (6, 8, 3), (9, 11, 3),
    ]  # fmt: skip


def test_what_the_baseline_was_not_run_on_is_counted_as_left_out():
    def rows(task: Task) -> dict[str, Sequence[float]]:
        both = learns(task)
        return both if int(task.task_id.split("-")[1]) < 8 else {OWN.id: both[OWN.id]}

    found = figures(tasks_at(PLACES["aligned"]), rows)
    assert (found.left_out, found.warm_left_out) == (8, 0)
    assert found.paid_back["tokens"].n == 8
    assert figures(tasks_at(PLACES["aligned"])).left_out == 0


@pytest.mark.parametrize("rest", [0.0, 0.001], ids=["nothing", "next to nothing"])
@pytest.mark.parametrize("paid", [1, 4])
def test_where_few_tasks_cost_anything_the_interval_is_wide_and_has_an_end(paid, rest):
    def rows(task: Task) -> dict[str, Sequence[float]]:
        # Among the 8 tasks of a stretch of 2 ranks, so many cost something.
        stream, n = map(int, task.task_id.split("-"))
        own = [1.0, *(rest if 2 * stream + n >= paid else 2.0 + stream for _ in COLUMNS[1:])]
        return {OWN.id: own, BASE.id: [1.0] * len(COLUMNS)}

    (only, *_) = figures(tasks_at(PLACES["aligned"], (8, 8, 8, 8)), rows).stretches
    assert only.success.n == 8
    cost = only.per_solved["usd"]
    assert cost.mean is not None
    assert cost.mean > 0
    assert cost.mean / 100 < cost.low < cost.mean < cost.high < 15 * cost.mean
    assert cost.high > 1.5 * cost.mean
    assert only.baseline_per_solved["usd"].low is not None


def put(key: str, stream: str, at: int) -> Run:
    entry = Entry(Kind.FACT, key, key, key, key)
    return Run(
        RunKey(OWN.id, f"{stream}{at}"), Split.SEARCH, Status.FINISHED, 1.0, (), 0.0, 0.0, 0.0,
        stream=stream, position=at, memory=(Put(entry),),
    )  # fmt: skip


@pytest.mark.parametrize(("bound", "kept"), [(1000, 4), (3, 3)])
def test_what_two_streams_learned_alike_is_kept_once(tmp_path, bound, kept):
    streams = Streams(bound=bound)
    for at, key in enumerate("abc"):
        streams.add(put(key, "x", at))
    for at, key in enumerate("bcd", 5):
        streams.add(put(key, "y", at))
    assert streams.held(OWN) == Held(6, 2, kept)
    assert streams.held(BASE) == Held(0, 0, 0)
    store = SqlStore(tmp_path / "s.sqlite")
    streams.keep_in(store, "study", OWN)
    assert sum(e is not None for e in store.memory(f"study/{OWN.id}").news().entries.values()) == (
        kept
    )
    store.close()
