"""A profile in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from leanloop.report.profile_words import (
    GROUP_HEAD,
    break_text,
    dollar_rows,
    group_row,
    headline,
    part_rows,
    said_tokens,
    seconds_words,
    share,
)
from leanloop.traces.profile_result import Profile

LISTED = 10


def show_profile(console: Console, p: Profile) -> None:
    """Print a profile."""
    for line in headline(p):
        console.print(line)
    spent = seconds_words(p)
    if spent:
        console.print(f"Time: {spent}")
    _table(
        console, "What was sent (by characters)", ("", "of all", "sent again", "n"), part_rows(p)
    )
    _table(console, "Dollars", ("", "dollars", ""), dollar_rows(p.dollars))
    if p.user is not None:
        used = f"{p.user.model_calls:,} calls, {said_tokens(p.user.tokens)}"
        console.print(f"The modelled user, not in the figures above: {used}.")
    for line in _more(p):
        console.print(line)
    if p.groups:
        _table(console, "By group", GROUP_HEAD, map(group_row, p.groups[: 3 * LISTED]))
    title = "Dearest runs" if len(p.by_run) > LISTED else "Runs"
    _table(console, title, GROUP_HEAD, map(group_row, p.by_run[:LISTED]))
    for name, how in p.estimated.items():
        console.print(f"Estimated: {name}: {how}.")
    for note in p.notes:
        console.print(f"Note: {note}")
    for s in p.skipped:
        console.print(f"Skipped: {s.source}: {s.why}, {s.count:,} times, first at {s.first}.")
    if p.unknown_files:
        some = ", ".join(p.unknown_files[:3])
        console.print(f"Not read, of no known format: {len(p.unknown_files):,} files, as {some}.")


def _more(p: Profile) -> Iterable[str]:
    if p.cache.read_share is not None:
        of = f"{p.cache.reporting_calls:,} of {p.cache.calls:,} calls"
        yield f"Read from prompt caches: {100 * p.cache.read_share:.1f}% of the input of {of}."
    for b in p.cache.breaks:
        yield f"Prefix broken, {b.why}: {b.count:,} times, {break_text(b)}."
    if p.loops.runs:
        yield f"Runs that went in circles: {p.loops.runs:,}, {p.loops.calls:,} tool calls in them."
    if p.loops.stalled_runs:
        yield f"Runs with five results in a row that brought nothing new: {p.loops.stalled_runs:,}."
    if p.unused is not None and p.unused.judged:
        u = p.unused
        yield (
            f"{u.calls:,} of {u.judged:,} results left no trace in what the agent said later "
            f"({100 * u.tokens_share:.1f}% of all characters sent; a guess, and an upper bound)."
        )
    if p.repeats.observations:
        again = share(p.repeats.observation_chars, sum(x.new for x in p.parts if x.kind == "tool"))
        yield f"{p.repeats.observations:,} results equal an earlier one, {again} of all results."


def _table(
    console: Console, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    found = list(rows)
    if not found:
        return
    table = Table(title=title, title_justify="left")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in found:
        table.add_row(*row)
    console.print(table)
