"""What runs read from caches that they share, and what they do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from leanloop.core.message import ToolSpec
from leanloop.traces.prices import TracePrices
from leanloop.traces.profile import Asked, profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.reading import Reading
from leanloop.traces.repricing import CallPrice, Repricing
from leanloop.traces.sizes import request_chars, sizes_of
from leanloop.traces.trace import ACT, TraceRun, inclusive
from tests.traces.made_runs import need, run_of, steps

SYSTEM = "s" * 6000
HIDDEN_TOKENS = 1500
PRICES = TracePrices()
LIST_USD, CACHED_USD, OUT_USD = 2e-6, 0.5e-6, 8e-6
"""Of a token of gpt-4.1."""


def counted(
    run: TraceRun, *, wobble: Sequence[int] = (0,), hidden: int = HIDDEN_TOKENS
) -> TraceRun:
    """The run with reported tokens: hidden ones, a quarter of its characters, and a wobble."""
    sent = iter(request_chars(run))
    calls = [
        replace(c, counts=inclusive(hidden + next(sent) // 4 + wobble[i % len(wobble)], 10))
        for i, c in enumerate(run.calls)
    ]
    return replace(run, calls=tuple(calls))


def later(run: TraceRun, seconds: float) -> TraceRun:
    """The same at another time."""
    calls = [replace(c, started_at=(c.started_at or 0.0) + seconds) for c in run.calls]
    return replace(run, calls=tuple(calls))


def long_run(name: str, *, system: str = SYSTEM) -> TraceRun:
    """A run of its own results."""
    made = [("search", f"{name}{i}", f"{name}{i} " * 60) for i in range(5)]
    return run_of(made, run_id=name, system=system)


def together(runs: Sequence[TraceRun]) -> list[list[CallPrice]]:
    """The calls of each run, with their caches shared."""
    found = defaultdict(list)
    for place, priced in Repricing(PRICES).together([(r, "") for r in runs]):
        found[place].append(priced)
    return [found[i] for i in range(len(runs))]


def first_reads(runs: Sequence[TraceRun]) -> list[int]:
    """What each run's first call read."""
    return [calls[0].tokens.cache_read_tokens or 0 for calls in together(runs)]


def test_a_head_is_found_again_although_each_run_has_it_of_another_size():
    wobbles = [(0, 9, -20), (40, -30, 7), (-11, 60, 3), (5, 5, 80)]
    runs = [later(counted(long_run(f"r{i}"), wobble=w), 10.0 * i) for i, w in enumerate(wobbles)]
    assert len({round(sizes_of(r).hidden_tokens) for r in runs}) == len(runs)
    none, *others = first_reads(runs)
    assert none == 0
    # Hidden tokens and the system text, up to the last whole step of 128.
    assert all(3000 - 300 < read <= 3000 + 128 for read in others)


def test_a_run_in_which_no_hidden_tokens_were_found_has_the_same_head():
    short = replace(long_run("b"), calls=long_run("b").calls[:1])
    assert sizes_of(counted(short)).hidden_tokens == 0
    assert first_reads([counted(long_run("a")), later(counted(short), 9)])[1] > 2500


def test_behind_other_heads_hidden_tokens_are_not_the_same():
    one, other = counted(long_run("a")), counted(long_run("b", system="t" * 6000))
    assert first_reads([one, later(other, 9)]) == [0, 0]


@pytest.mark.parametrize("known", [True, False])
def test_tools_that_were_shown_say_what_is_hidden(known):
    def shown(run: TraceRun, name: str) -> TraceRun:
        tools = (ToolSpec(name, "d" * 6000, {}),) if known else None
        return replace(run, calls=tuple(replace(c, tools=tools) for c in run.calls))

    runs = [counted(long_run(str(i))) for i in range(3)]
    a, b, other = (shown(r, n) for r, n in zip(runs, ("look", "look", "find"), strict=True))
    reads = first_reads([a, later(b, 9), later(other, 18)])
    assert reads[1] > 2500
    assert (reads[2] == 0) is known


def test_with_neither_tools_nor_system_text_a_run_is_like_no_other():
    def bare(name: str) -> TraceRun:
        run = long_run(name, system="")
        first, *rest = run.calls
        user = tuple(e for e in first.added if e.chars and e.role != "system")
        return counted(
            replace(
                run,
                calls=(replace(first, added=user), *(replace(c, kept=c.kept - 1) for c in rest)),
            ),
            hidden=5000,
        )

    assert first_reads([bare("a"), later(bare("b"), 9)]) == [0, 0]


def test_the_order_in_which_runs_are_read_says_nothing_and_time_does():
    runs = [later(counted(long_run(f"r{i}")), 10.0 * i) for i in range(4)]
    assert first_reads(runs[::-1]) == first_reads(runs)[::-1]
    # Beyond its life nothing is left of a prefix, whichever run is read first.
    apart = [runs[0], later(runs[1], 5000.0)]
    assert first_reads(apart) == first_reads(apart[::-1]) == [0, 0]


def test_runs_without_times_follow_each_other():
    runs = [
        replace(r, calls=tuple(replace(c, started_at=None) for c in r.calls))
        for r in (counted(long_run("a")), counted(long_run("b")))
    ]
    none, some = first_reads(runs)
    assert none == 0
    assert some > 2500


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(steps(), st.integers(0, 2000)), min_size=1, max_size=5))
def test_where_writes_are_free_sharing_never_costs_more_and_one_run_is_as_alone(made):
    runs = [
        later(counted(run_of(s, run_id=f"r{i}", system=SYSTEM)), float(t))
        for i, (s, t) in enumerate(made)
    ]
    shared = together(runs)
    for run, found in zip(runs, shared, strict=True):
        alone = list(Repricing(PRICES).calls(run))
        assert [c.call for c in found] == list(run.calls)
        for a, b in zip(alone, found, strict=True):
            assert a.usd is not None
            assert b.usd is not None
            assert b.usd <= a.usd
            assert b.tokens.input_tokens == a.tokens.input_tokens
    assert together(runs[:1])[0] == list(Repricing(PRICES).calls(runs[0]))


@pytest.mark.parametrize("shared", [True, False])
def test_a_profile_adds_up_what_each_run_costs(shared):
    runs = [later(counted(long_run(f"r{i}")), 10.0 * i) for i in range(3)]
    p = profile_runs(runs, Asked(shared_caches=shared))
    each = together(runs) if shared else [list(Repricing(PRICES).calls(r)) for r in runs]
    sums = [float(sum(c.usd for c in calls if c.usd is not None)) for calls in each]
    assert p.dollars.modelled == pytest.approx(sum(sums))
    assert sorted(r.usd.modelled or 0 for r in p.by_run) == pytest.approx(sorted(sums))
    assert p.token_totals == profile_runs(runs).token_totals


@pytest.mark.parametrize("domain", ["airline", "retail"])
def test_first_calls_read_what_was_recorded_of_them(domain):
    """By the recorded cost, which a discount on cached input explains to the token."""
    path = need(f"tau2-bench/gpt-4.1-{domain}.json.gz")
    runs = list(Reading([path], Wanted()))
    recorded = modelled = 0.0
    for calls in together(runs):
        first = next(c for c in calls if c.call.purpose == ACT)
        assert first.call.usd is not None
        assert first.input_tokens is not None
        plain = first.input_tokens * LIST_USD + (first.output_tokens or 0) * OUT_USD
        recorded += (plain - first.call.usd) / (LIST_USD - CACHED_USD)
        modelled += first.tokens.cache_read_tokens or 0
    assert modelled == pytest.approx(recorded, rel=0.01)
