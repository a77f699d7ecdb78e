"""A profile as one static HTML file that works offline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from leanloop.report.figures import Frame as Named
from leanloop.report.figures import canvas, finish
from leanloop.report.flame_graph import flame_svg
from leanloop.report.html import Plot, write_whole
from leanloop.report.judged_figures import BLUE
from leanloop.report.page import Page, Section, as_markup, render
from leanloop.report.profile_words import (
    GROUP_HEAD,
    KINDS,
    break_text,
    dollar_rows,
    group_row,
    headline,
    part_rows,
    ranged,
    said_tokens,
    seconds_words,
    share,
)
from leanloop.traces.profile_result import Frame, Growth, Profile

MOST_ROWS = 50


def write_profile(profile: Profile, path: Path) -> None:
    """Write the page of a profile.

    Raises:
        BadInputError: The file cannot be written.
    """
    write_whole(render(profile_page(profile)), path)


def profile_page(p: Profile) -> Page:
    """What a profile has to show."""
    sections = [
        Section(
            "Where tokens go by turn",
            "Width is characters sent; a pointer on a box shows its figures. From the top: the "
            "turns, what was new in them and what was sent again, its kind, and its tool.",
            plots=[Plot("All requests of all runs", as_markup(_flame(p)))],
            head=("turns", "new", "sent again", "mostly"),
            rows=list(_band_rows(p.flame)),
        ),
        Section(
            "What was sent",
            "By characters. What the agent said was never new to a request: it came from it.",
            head=("", "of all", "of it sent again", "messages"),
            rows=list(part_rows(p)),
        ),
        Section("Dollars", head=("", "dollars", "what it is"), rows=list(dollar_rows(p.dollars))),
        *_time(p),
        Section(
            "Growth of the context",
            f"What a run has sent by its n-th call grows with n to the power of "
            f"{ranged(p.growth.exponent)} (n={p.growth.exponent.n} runs of five calls or more): "
            "1 is linear, 2 is sending all before it each time.",
            plots=[Plot("Mean characters of the n-th request", as_markup(_growth(p.growth)))],
        ),
        Section("Waste and repetition", head=("", "count", "of"), rows=list(_waste_rows(p))),
        Section("Prompt caches", head=("", "count", "tokens"), rows=list(_cache_rows(p))),
        *_groups(p),
    ]
    return Page(
        "Where the cost of these runs went",
        list(headline(p)),
        [s for s in sections if s.rows or s.plots],
        list(_warnings(p)),
        list(_notes(p)),
    )


def _flame(p: Profile) -> str:
    return flame_svg(p.flame, "Characters sent, by turn, new or again, kind and tool")


def _band_rows(frames: Sequence[Frame]) -> Iterator[Sequence[str]]:
    total = sum(f.chars for f in frames)
    bands: defaultdict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        bands[frame.band].append(frame)
    for band, inner in bands.items():
        kinds: defaultdict[str, int] = defaultdict(int)
        for frame in inner:
            kinds[KINDS.get(frame.kind, frame.kind)] += frame.chars
        most = max(kinds, key=lambda k: kinds[k])
        again = sum(f.chars for f in inner if f.resent)
        new = sum(f.chars for f in inner) - again
        mostly = f"{most}, {share(kinds[most], new + again)}"
        yield band, share(new, total), share(again, total), mostly


def _time(p: Profile) -> list[Section]:
    said = seconds_words(p)
    s = p.seconds
    named = (
        ("wall", s.wall),
        ("in model calls", s.model),
        ("in tools", s.tool),
        ("idle", s.idle),
        ("critical path", s.critical_path),
    )
    rows = [(name, f"{v:,.1f}") for name, v in named if v is not None]
    return [Section("Seconds", said, head=("", "seconds"), rows=rows)] if rows else []


def _growth(g: Growth) -> str:
    if len(g.by_step) < 2:
        return ""
    figure, axes = canvas(3.0)
    steps = range(1, len(g.by_step) + 1)
    axes.plot(list(steps), list(g.by_step), color=BLUE, linewidth=1.5)
    axes.set_ylim(bottom=0)
    return finish(figure, axes, Named("growth", "Mean characters of each request", "call"))


def _waste_rows(p: Profile) -> Iterator[Sequence[str]]:
    r, of = p.repeats, f"{p.tool_calls:,} tool calls"
    yield "Repeated tool calls", f"{r.calls:,}", of
    yield "of these retries after an error", f"{r.retries:,}", of
    yield "of these reads of what may have changed", f"{r.rereads:,}", of
    yield "of these waste", f"{r.waste:,}", of
    yield "Results that equal an earlier one", f"{r.observations:,}", of
    runs = f"{p.runs + p.sub_runs:,} runs"
    yield "Runs that went in circles", f"{p.loops.runs:,}", runs
    stalled = f"{p.loops.stalled_runs:,}"
    yield "Runs with five results in a row that brought nothing new", stalled, runs
    if p.unused is not None:
        judged = f"{p.unused.judged:,} results with words of their own"
        yield "Results that left no trace later (at most)", f"{p.unused.calls:,}", judged


def _cache_rows(p: Profile) -> Iterator[Sequence[str]]:
    c = p.cache
    if c.read_share is not None:
        calls = f"{c.reporting_calls:,} of {c.calls:,} calls report it"
        yield "Input read from a cache (reported)", f"{100 * c.read_share:.1f}%", calls
    for b in c.breaks:
        yield f"Prefix broken: {b.why}", f"{b.count:,}", break_text(b)


def _groups(p: Profile) -> Iterator[Section]:
    if p.groups:
        rows = [group_row(g) for g in p.groups[:MOST_ROWS]]
        yield Section("By group", head=GROUP_HEAD, rows=rows)
    rows = [group_row(g) for g in p.by_run[:MOST_ROWS]]
    text = f"The {len(rows)} dearest of {p.runs:,}." if p.runs > len(rows) else ""
    yield Section("Runs", text, head=GROUP_HEAD, rows=rows)


def _warnings(p: Profile) -> Iterator[str]:
    skipped = sum(s.count for s in p.skipped)
    if skipped:
        yield f"{skipped:,} lines or parts of files could not be read and are not in the figures"


def _notes(p: Profile) -> Iterator[str]:
    yield "Tokens are those that the traces report, unless it says estimated"
    for name, how in p.estimated.items():
        yield f"Estimated: {name}: {how}"
    if p.user is not None:
        yield f"A modelled user's {said_tokens(p.user.tokens)} are not in the figures"
    for note in p.notes:
        yield note.rstrip(".")
    for s in p.skipped:
        yield f"Skipped in {s.source}: {s.why}, {s.count:,} times, first at {s.first}"
    if p.unknown_files:
        yield f"Files of no known format: {len(p.unknown_files):,}"
