"""How a configuration fares along the streams, in the terminal and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from leanloop.report.judged_terminal import passing, ranged
from leanloop.search.stream_figures import AlongStream, Stretch
from leanloop.stats.budget import CostOfPass

SOLVED = {
    "usd": ("$ a 1000 solved tasks", 1000.0),
    "latency_s": ("seconds a solved task", 1.0),
    "tokens": ("tokens a solved task", 1.0),
    "tool_calls": ("tool calls a solved task", 1.0),
}
"""Cost axis to what heads it where tasks are solved ones, and the factor that it is shown with."""
PAID_BACK = {"usd": "dollars", "latency_s": "seconds", "tokens": "tokens"}


def stream_table(along: AlongStream, objectives: Mapping[str, str]) -> Table:
    """Success and what a solved task costs: three rows a stretch, the baseline's the second.

    Args:
        along: The figures.
        objectives: Of the study: the cost axes among them are shown, or dollars.
    """
    settings = " ".join(f"{k}={v}" for k, v in along.settings.items())
    title = Text(f"{along.id} along the streams: {settings}")
    # Three axes with their intervals have to go into 80 columns.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.show_edge = False
    axes = [a for a in SOLVED if a in objectives] or ["usd"]
    for name in ("tasks", "n", "success", *(SOLVED[a][0] for a in axes)):
        table.add_column(name, overflow="fold", no_wrap=name == "tasks")
    for label, stretch in labelled_stretches(along):
        for row in _rows(label, stretch, axes):
            table.add_row(*row)
        table.add_section()
    return table


def labelled_stretches(along: AlongStream) -> list[tuple[str, Stretch]]:
    """The stretches, cold and then warm, each with the tasks that it is of, counted from 1."""
    cold = [(f"{s.first + 1}–{s.last + 1} cold", s) for s in along.stretches]
    return cold if along.warm is None else [*cold, ("warm", along.warm)]


def _rows(label: str, stretch: Stretch, axes: Iterable[str]) -> Iterable[list[str]]:
    yield [
        label,
        str(stretch.success.n),
        ranged(stretch.success, 2),
        *(_cost(stretch.per_solved[a], a) for a in axes),
    ]
    if stretch.baseline_success is not None:
        costs = [_cost(stretch.baseline_per_solved[a], a) for a in axes]
        yield ["baseline", "", ranged(stretch.baseline_success, 2), *costs]
    yield ["ratio", "", "", *(f"× {ranged(stretch.ratio[a], 2)}" for a in axes)]


def _cost(cost: CostOfPass, axis: str) -> str:
    return passing(scaled_cost(cost, SOLVED[axis][1]))


def scaled_cost(cost: CostOfPass, factor: float) -> CostOfPass:
    """The same cost in another unit."""
    mean, low, high = (None if x is None else x * factor for x in (cost.mean, cost.low, cost.high))
    return CostOfPass(mean, low, high, cost.n, cost.infinite)


def say_along(along: AlongStream) -> str:
    """What the table is of, what was learned, and when it has paid for itself."""
    return " ".join(
        [
            "Tasks are counted in each stream from 1. Cold is the search split, learning on the "
            "way; warm is the holdout with what that left, learning no more.",
            *say_left_out(along),
            say_held(along),
            say_paid_back(along),
        ]
    )


def say_left_out(along: AlongStream) -> list[str]:
    """How many tasks have no place in the figures, since the baseline was not run on them."""
    some = [(along.left_out, "search"), (along.warm_left_out, "holdout")]
    parts = [f"{_count(n, 'task', 'tasks')} of the {split}" for n, split in some if n]
    if not parts:
        return []
    said = " and ".join(parts)
    return [f"Left out: {said}, on which {along.id} was run and the baseline was not."]


def say_held(along: AlongStream) -> str:
    """How much was learned, and how much of it is kept in the store."""
    learned = _count(along.entries, "entry", "entries")
    held = along.held
    if held is None:
        return f"{along.id} learned {learned}, each stream counted by itself."
    if held.kept == held.entries:
        return f"{along.id} learned {learned}, and its memory keeps as many."
    streams = _count(held.streams, "stream", "streams")
    return (
        f"{along.id} learned {learned} in {streams}, and its memory keeps {held.kept:,}: those "
        "about the same are one there, up to its bound."
    )


def say_paid_back(along: AlongStream) -> str:
    """After how many tasks of a stream learning has paid for itself, axis by axis."""
    said = []
    for axis, title in PAID_BACK.items():
        back = along.paid_back[axis]
        if back.after is None:
            said.append(f"{title} not within {back.n}")
        else:
            shown = (
                f", shown at 95% after {back.shown_after}" if back.shown_after else ", not shown"
            )
            said.append(f"{title} after {back.after}{shown}")
    return f"Tasks of a stream until what was spent on learning is saved: {'; '.join(said)}."


def _count(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"
