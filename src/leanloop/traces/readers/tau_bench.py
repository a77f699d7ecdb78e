"""Results of tau-bench: a list of runs, each with its conversation and reward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_thread import chat_calls
from leanloop.traces.readers.json_places import places_in
from leanloop.traces.readers.json_types import mapping, number, objects, text
from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun

SOLVED = 1 - 1e-6
"""The benchmark compares rewards with 1 up to rounding."""


class TauBench:
    """Reads tau-bench results.

    No usage and no time is recorded, so tokens are unknown here; a profile estimates them. The
    user is a model whose calls are not recorded either, only their dollars for the whole run,
    which are left out. Solved is a reward of 1. A run that raised has no conversation and a
    reward of 0, and counts as failed. The tools' schemas are not in the file. A tool's result
    is taken for an error where it begins with that word, as this benchmark's do.
    """

    card = ReaderCard(
        name="tau-bench",
        summary="Results of tau-bench: a JSON list of runs.",
        looks_for="a list of objects with task_id, reward and traj",
        source="https://github.com/sierra-research/tau-bench, tau_bench/run.py and "
        "historical_trajectories, read 2026-11; tested on a published file of it, not on a run "
        "of our own.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it is a list whose first objects have the fields of a run."""
        found = places_in(head.data)
        return found >= {"item.task_id", "item.reward"} and not found.isdisjoint(
            {"item.traj", "item.info.task", "item.info.error"}
        )

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs, in the file's order."""
        for source in sources:
            for place, item in enumerate(source.items("item")):
                if isinstance(item, dict) and isinstance(item.get("traj"), list):
                    yield _run(source, place, item, wanted)
                else:
                    source.skip("an element is no run", f"element {place}")


def _run(source: Source, place: int, item: dict[str, Any], wanted: Wanted) -> TraceRun:
    calls, tail = chat_calls(objects(item["traj"]), wanted)
    reward, task = number(item.get("reward")), item.get("task_id")
    named = isinstance(task, int | str) and not isinstance(task, bool)
    return TraceRun(
        run_id=f"{source.file}#{place}",
        source=source.name,
        format=TauBench.card.name,
        calls=calls,
        task_id=(text(task) or str(task)) if named else None,
        success=None if reward is None else float(reward >= SOLVED),
        ended="error" if "error" in mapping(item.get("info")) else "",
        tail=tail,
    )


READER = TauBench()
