"""Results of tau-bench: a list of runs, each with its conversation and reward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_thread import chat_calls
from leanloop.traces.readers.json_types import number, objects, text
from leanloop.traces.source import Source
from leanloop.traces.trace import TraceRun


class TauBench:
    """Reads tau-bench results.

    No usage and no time is recorded, so tokens are unknown here; a profile estimates them. The
    user is a model whose calls are not recorded either. Solved is a reward of 1.
    """

    card = ReaderCard(
        name="tau-bench",
        summary="Results of tau-bench: a JSON list of runs.",
        looks_for="a list of objects with task_id, reward and traj",
        source="https://github.com/sierra-research/tau-bench, historical_trajectories, 2026-11; "
        "tested on a published file of it, not on a run of our own.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it is a list whose first object has the fields of a run."""
        wanted = (b'"traj"', b'"reward"', b'"task_id"')
        if head.starts_with != b"[":
            return False
        return all(w in head.data for w in wanted[1:]) and (
            wanted[0] in head.data or b'"reward_info"' in head.data
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
    return TraceRun(
        run_id=f"{source.name}#{place}",
        source=source.name,
        format=TauBench.card.name,
        calls=calls,
        task_id=text(task) or str(task) if isinstance(task, int | str) else None,
        success=None if reward is None else float(reward >= 1 - 1e-6),
        tail=tail,
    )


READER = TauBench()
