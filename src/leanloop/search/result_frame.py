"""A study's result as a frame: a row for each configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leanloop.core.configuration import OFF, Setting
from leanloop.search.frame import Column, Frame, Kind
from leanloop.search.runtable import COLUMNS

if TYPE_CHECKING:
    from leanloop.search.result import Figures, Member, Result

NAME = "configuration"
RECORDED_AS = "recorded_as"
"""The column of the one lever of recorded runs, which is named as the column of ids is."""
SPLITS = ("search", "holdout")
ENDS = ("mean", "low", "high")


@dataclass
class Part:
    """A configuration and what it was in the study.

    Args:
        id: Its id.
        settings: Levers that are not off.
        member: Its figures; None of one that left the race.
        part: The first of baseline, recommended, frontier, reference, other, dropped.
        on_frontier: Whether it is of what is called the frontier.
        reference: The name that the study gave it as a reference; None without one.
    """

    id: str
    settings: Mapping[str, Setting]
    member: Member | None
    part: str
    on_frontier: bool = False
    reference: str | None = None


def result_frame(result: Result) -> Frame:
    """A row for each configuration of a result, the baseline first.

    Settings are text; a lever that is not named is ``off``. Figures that a configuration
    has none of are None.
    """
    parts = parts_of(result)
    columns = [
        Column(NAME, Kind.TEXT, [p.id for p in parts]),
        Column("part", Kind.TEXT, [p.part for p in parts]),
        Column("on_frontier", Kind.FLAG, [p.on_frontier for p in parts]),
        Column("reference", Kind.TEXT, [p.reference for p in parts]),
        Column("p_frontier", Kind.NUMBER, [p.member and p.member.p_frontier for p in parts]),
        *lever_columns([p.settings for p in parts]),
    ]
    for split in SPLITS:
        found = [None if p.member is None else getattr(p.member, split) for p in parts]
        columns += [c for axis in COLUMNS for c in _figure_columns(split, axis, found)]
    return Frame(tuple(columns))


def parts_of(result: Result) -> list[Part]:
    """Every configuration of a result once, and what it was: the baseline first."""
    found: dict[str, Part] = {}

    def meet(member: Member, part: str) -> Part:
        return found.setdefault(member.id, Part(member.id, member.settings, member, part))

    meet(result.baseline, "baseline")
    recommended = result.member(result.recommended) if result.recommended else None
    if recommended is not None:
        meet(recommended, "recommended")
    for member in result.frontier:
        meet(member, "frontier").on_frontier = True
    for name, member in result.references.items():
        meet(member, "reference").reference = name
    for member in result.others:
        meet(member, "other")
    for gone in result.dropped:
        found.setdefault(gone.id, Part(gone.id, gone.settings, None, "dropped"))
    return list(found.values())


def lever_columns(settings: list[Mapping[str, Setting] | None]) -> list[Column]:
    """A column for each lever that some configuration has on; None where settings are unknown."""
    levers = sorted({name for own in settings if own is not None for name in own})
    return [
        Column(
            RECORDED_AS if name == NAME else name,
            Kind.TEXT,
            [None if own is None else str(own.get(name, OFF)) for own in settings],
        )
        for name in levers
    ]


def _figure_columns(split: str, axis: str, found: list[Figures | None]) -> list[Column]:
    own = [None if f is None else getattr(f, axis) for f in found]
    ends = [
        Column(f"{split}_{axis}_{end}", Kind.NUMBER, [i and getattr(i, end) for i in own])
        for end in ENDS
    ]
    return [*ends, Column(f"{split}_{axis}_n", Kind.COUNT, [i and i.n for i in own])]
