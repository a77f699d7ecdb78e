"""A flame graph of what was sent: all, by turn, new or again, by kind, by tool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from leanloop.report.profile_words import KINDS
from leanloop.traces.profile_result import Frame

WIDTH = 1000.0
ROW = 26
LEAST = 1.5
"""Width of a box below which it is left out; the table has it."""
LETTER = 6.6
COLOURS = {
    "system": "#56B4E9",
    "tools": "#CC79A7",
    "user": "#009E73",
    "assistant": "#E69F00",
    "tool": "#D55E00",
    "new": "#C8DEEE",
    "again": "#F2D2BD",
    "": "#DDDDDD",
}
"""Of boxes with dark letters, in both schemes."""

Level = Callable[[Frame], tuple[str, str]]
"""A frame's name on a level, and its colour's key."""

LEVELS: tuple[Level, ...] = (
    lambda f: (f.band, ""),
    lambda f: ("sent again", "again") if f.resent else ("new", "new"),
    lambda f: (KINDS.get(f.kind, f.kind), f.kind),
    lambda f: (f.tool, "tool"),
)


@dataclass(frozen=True)
class Box:
    """A box of the graph.

    Args:
        depth: Its row, from the top.
        start: Where it begins, as a share of the width.
        share: Its width, as a share.
        name: What it is.
        path: What it is part of.
        colour: A key of ``COLOURS``.
    """

    depth: int
    start: float
    share: float
    name: str
    path: str
    colour: str


def flame_svg(frames: Sequence[Frame], title: str) -> str:
    """The graph as SVG text; "" when nothing was sent.

    Every box says its figures to a pointer and to a screen reader.
    """
    total = sum(f.chars for f in frames)
    if not total:
        return ""
    boxes = [Box(0, 0.0, 1.0, "everything sent", "", ""), *_boxes(frames, 0, 0.0, "", total)]
    shown = [b for b in boxes if b.share * WIDTH >= LEAST and b.name]
    height = ROW * (max(b.depth for b in shown) + 1)
    inner = "".join(_drawn(b, total) for b in shown)
    return (
        f'<svg class="flame" viewBox="0 0 {WIDTH:g} {height}" role="img" '
        f'aria-labelledby="flame-title" font-family="system-ui, sans-serif" font-size="12">'
        f'<title id="flame-title">{escape(title)}</title>{inner}</svg>'
    )


def _boxes(
    frames: Sequence[Frame], level: int, start: float, path: str, total: int
) -> Iterator[Box]:
    if level == len(LEVELS):
        return
    groups: defaultdict[tuple[str, str], list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[LEVELS[level](frame)].append(frame)
    for (name, colour), inner in groups.items():
        share = sum(f.chars for f in inner) / total
        inside = f"{path}, {name}" if path else name
        yield Box(level + 1, start, share, name, inside, colour)
        yield from _boxes(inner, level + 1, start, inside, total)
        start += share


def _drawn(box: Box, total: int) -> str:
    x, width = box.start * WIDTH, box.share * WIDTH
    size = f"{100 * box.share:.1f}%, {round(box.share * total):,} characters"
    said = f"{box.path or box.name}: {size}"
    room = int((width - 6) / LETTER)
    name = box.name if len(box.name) <= room else f"{box.name[: room - 1]}…"
    label = (
        f'<text x="{x + 3:.1f}" y="{ROW * box.depth + 17}" fill="#111" '
        f'style="stroke:none">{escape(name)}</text>'
        if room >= 3
        else ""
    )
    return (
        f"<g><title>{escape(said)}</title>"
        f'<rect x="{x:.1f}" y="{ROW * box.depth}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="{COLOURS.get(box.colour, COLOURS[""])}" stroke="#fff" stroke-width="0.5"/>'
        f"{label}</g>"
    )
