"""What levers would have changed in recorded runs."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.levers.builtin import all_levers
from leanloop.traces.prices import TracePrices
from leanloop.traces.profile import profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.reading import Reading
from leanloop.traces.replay import Replaying, drive, ready, replay
from leanloop.traces.trace import ToolTime, conversation
from leanloop.traces.whatif import JUDGED, PLANNING, WHY_NOT, Terms, WhatIfs, worth
from leanloop.traces.writing import without_contents
from tests.traces.made_runs import need, run_of, steps

LONG = "x" * 4000
PRICED = TracePrices()
EDITING = (
    {"memory.keep_observations": 1},
    {"memory.keep_turns": 2},
    {"memory.dedupe": "on"},
    {"memory.truncate_observation": 500},
    {"memory.keep_turns": 2, "memory.stable_prefix": "on"},
    {"tools.result_cache": "on"},
)


def replayed(run, settings_=None):
    replaying = Replaying(all_levers())
    return replay(
        ready(run), Configuration(settings_ or {}), replaying, lambda c: PRICED.find(c.model)
    )


@settings(deadline=None)
@given(steps(), st.booleans())
def test_with_no_lever_it_is_the_recorded_run(made, tokens):
    run = run_of(made, tokens=tokens)
    found, p = replayed(run), profile_runs([run])
    assert not found.changed
    assert not found.cut
    assert found.model_calls == len(run.calls)
    assert abs(found.input_tokens - p.token_totals.input) <= len(run.calls) * (not tokens)
    assert found.output_tokens == p.token_totals.output
    if tokens:
        assert float(found.cached_usd) == pytest.approx(p.dollars.modelled, abs=1e-9)
        assert float(found.list_usd) == pytest.approx(p.dollars.list, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(steps(), st.sampled_from(EDITING))
def test_it_is_the_same_every_time_and_never_sends_more(made, levers):
    run = run_of(made, tokens=True)
    found = replayed(run, levers)
    assert found == replayed(run, levers)
    assert found.input_tokens <= replayed(run).input_tokens + 30 * len(run.calls)


@settings(max_examples=20, deadline=None)
@given(st.lists(steps(), min_size=2, max_size=4), st.sampled_from(EDITING))
def test_a_runs_figures_do_not_depend_on_other_runs(many, levers):
    runs = [run_of(made, run_id=f"{i}", tokens=True) for i, made in enumerate(many)]
    both = WhatIfs(runs).ask(levers).tokens_saved
    assert both == sum(WhatIfs([r]).ask(levers).tokens_saved for r in runs)


def test_masking_old_observations_saves_them_from_the_next_call_on():
    run = run_of([("get_order", f"{i}", LONG) for i in range(6)], tokens=True)
    found = replayed(run, {"memory.keep_observations": 1})
    saved = replayed(run).input_tokens - found.input_tokens
    masked = sum(range(1, 5)) * (4000 - len("[older observation left out]"))
    assert saved == pytest.approx(masked / 4, rel=0.02)


def test_fewer_tokens_can_cost_more_where_prompts_are_cached():
    run = run_of([("get_order", f"{i}", LONG) for i in range(14)], tokens=True)
    change = WhatIfs([run]).ask({"memory.keep_turns": 8})
    assert change.tokens.mean < 1 < change.usd.mean
    held = WhatIfs([run]).ask({"memory.keep_turns": 8, "memory.stable_prefix": "on"})
    assert held.usd.mean < change.usd.mean


def test_a_cached_result_saves_the_call_and_a_write_in_between_keeps_it():
    made = [("get_order", "1", "ok"), ("get_order", "1", "ok"), ("update_order", "1", "ok")]
    run = run_of([*made, ("get_order", "1", "ok"), ("", "done", "")])
    times = {f"c{i}": ToolTime(2.0) for i in range(4)}
    calls = tuple(msgspec.structs.replace(c, latency_s=1.0) for c in run.calls)
    run = msgspec.structs.replace(run, tool_times=times, calls=calls)
    before, after = replayed(run), replayed(run, {"tools.result_cache": "on"})
    assert (before.tool_calls, after.tool_calls) == (4, 3)
    assert (before.seconds, after.seconds) == (13.0, 11.0)


def test_tools_that_only_read_can_be_named():
    made = [("frob", "1", "ok"), ("frob", "1", "ok"), ("", "done", "")]
    by_name = WhatIfs([run_of(made)]).ask({"tools.result_cache": "on"})
    stated = WhatIfs([run_of(made)], Terms(read_only=frozenset({"frob"})))
    assert by_name.tool_calls.mean == 1
    assert stated.ask({"tools.result_cache": "on"}).tool_calls.mean == 0.5


def test_a_step_limit_cuts_runs_and_says_which_were_solved():
    long = [("search", f"{i}", "nothing") for i in range(9)]
    runs = [
        run_of([*long[:n], ("", "done", "")], run_id=f"{n}", task=f"{n}", success=float(n < 6))
        for n in (2, 4, 8, 9)
    ]
    asked = WhatIfs(runs)
    change = asked.ask({"stopping.max_steps": 4})
    assert (change.cut_runs, change.cut_solved, change.cut_failed) == (3, 1, 2)
    assert worth(change, asked.baseline.solved) == pytest.approx(2 * change.usd.mean)
    none_left = asked.ask({"stopping.max_steps": 1})
    assert worth(none_left, asked.baseline.solved) == float("inf")


def test_a_summary_is_a_stated_share_and_its_call_is_counted():
    run = run_of([("get_order", f"{i}", LONG) for i in range(6)], tokens=True)
    short, long = (
        WhatIfs([run], Terms(summary_ratio=r)).ask({"memory.summarise": "1500:1"})
        for r in (0.01, 0.5)
    )
    assert short.model_calls.mean > 1
    assert short.tokens_saved > long.tokens_saved
    assert short.notes


def test_another_models_prices_stand_beside_the_levers():
    run = run_of([("get_order", f"{i}", LONG) for i in range(6)], tokens=True)
    asked = WhatIfs([run])
    model = asked.ask({}, "gpt-4.1-nano")
    both = asked.ask({"memory.keep_observations": 1}, "gpt-4.1-nano")
    assert model.tokens.mean == 1
    assert both.usd_uncached.mean < model.usd_uncached.mean == pytest.approx(0.05, abs=0.005)
    with pytest.raises(BadInputError, match="no price is known of 'm-none'"):
        asked.ask({}, "m-none")


def test_a_lever_that_cannot_be_judged_says_why():
    asked = WhatIfs([run_of([("", "done", "")])])
    with pytest.raises(BadInputError, match=r"planning\.dag.*what the agent does"):
        asked.ask({"planning.dag": "on"})
    with pytest.raises(BadInputError, match="do not have the tools' schemas"):
        asked.ask({"tools.shortlist": 4})


def test_every_lever_is_judged_or_has_a_reason():
    others = set(all_levers()) - set(JUDGED) - set(WHY_NOT)
    assert {n.partition(".")[0] for n in others} <= {"planning", "stopping"}
    assert PLANNING


def test_all_ranks_levers_and_pairs_of_the_best():
    made = [("get_order", f"{i % 3}", LONG) for i in range(12)]
    runs = [run_of([*made, ("", "done", "")], run_id=f"{i}", tokens=True) for i in range(3)]
    asked = WhatIfs(runs)
    found = asked.ranked(asked.all())
    assert max(len(c.settings) for c in found) == 2
    assert {n for c in found for n in c.settings} <= set(JUDGED)
    costs = [worth(c, None) for c in found]
    assert costs == sorted(costs)


def test_traces_without_contents_are_one_clear_line():
    with pytest.raises(BadInputError, match="has no contents"):
        WhatIfs([without_contents(run_of([("", "done", "")]))])


def test_no_run_at_all_gives_no_figures():
    asked = WhatIfs([])
    assert asked.baseline.runs == 0
    assert asked.ask({"memory.keep_turns": 2}).tokens.mean is None


def test_a_lever_that_waits_is_told():
    async def waits():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="waits"):
        drive(waits())


def test_an_agents_own_edits_are_followed():
    run = run_of([("get_order", "1", LONG), ("get_order", "2", LONG), ("", "done", "")])
    last = run.calls[2]
    edited = msgspec.structs.replace(last, kept=2, added=last.added)
    run = msgspec.structs.replace(run, calls=(*run.calls[:2], edited))
    sizes = [sum(e.chars for e in entries) for _, entries in conversation(run)]
    assert replayed(run).input_tokens == pytest.approx(sum(sizes) / 4, abs=5)


class TestRecordedRuns:
    """Real agents' runs, where they are there."""

    def test_twenty_settings_take_less_than_five_seconds(self):
        path = need("tau-bench-airline/gpt-4o.json.gz")
        start = time.process_time()
        asked = WhatIfs(Reading([path], Wanted(contents=True)))
        for keep in range(1, 11):
            asked.ask({"memory.keep_observations": keep})
            asked.ask({"memory.keep_turns": keep})
        assert time.process_time() - start < 10  # five on a machine with nothing else to do
        assert asked.baseline.runs == 100

    def test_the_baseline_is_what_the_profile_says(self):
        path = need("tau2-bench/gpt-4.1-airline.json.gz")
        reading = Reading([path], Wanted(contents=True))
        runs = list(reading)
        asked, p = WhatIfs(runs), profile_runs(runs)
        assert asked.baseline.input_tokens == p.token_totals.input
        assert asked.baseline.usd == pytest.approx(p.dollars.modelled, rel=1e-6)
