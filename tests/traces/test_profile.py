"""Where the cost of recorded runs went."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from leanloop.core.run import Evidence
from leanloop.core.tokens import Tokens
from leanloop.traces.context_growth import exponent_of
from leanloop.traces.prices import TracePrices, read_prices
from leanloop.traces.profile import Asked, profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.reading import Reading
from leanloop.traces.trace import USER, Totals, TraceCall, conversation, exclusive, inclusive
from leanloop.traces.writing import write_traces
from tests.traces.made_runs import need, run_of, steps

LONG = "x" * 400


def test_what_was_sent_is_counted_by_kind_new_and_again():
    run = run_of([("get_order", "1", LONG), ("get_order", "2", LONG), ("", "done", "")])
    p = profile_runs([run])
    call = len('get_order{"q":"1"}')
    parts = {(x.kind, x.tool): (x.new, x.resent, x.entries) for x in p.parts}
    assert parts == {
        ("system", ""): (9, 18, 1),
        ("user", ""): (6, 12, 1),
        ("assistant", ""): (0, 3 * call, 3),
        ("tool", "get_order"): (800, 400, 2),
    }
    assert p.resent_share == p.resent_share_in_run
    sent = 3 * 15 + 3 * call + 1200
    assert p.resent_share == (sent - 15 - 800) / sent
    assert [(a.first, a.chars) for a in p.ages][:2] == [
        (1, 15 + 2 * call + 400),
        (2, 15 + call + 0),
    ]


@settings(deadline=None)
@given(steps())
def test_the_sums_are_those_of_a_recount(made):
    run = run_of(made)
    p = profile_runs([run])
    sent = again = 0
    for call, entries in conversation(run):
        sizes = [e.chars for e in entries]
        sent += sum(sizes)
        again += sum(sizes[: call.kept])
    assert sum(x.new + x.resent for x in p.parts) == sent
    assert sum(x.resent for x in p.parts) == again == sum(a.chars for a in p.ages)
    assert sum(f.chars for f in p.flame) == sent
    assert sum(f.chars for f in p.flame if f.resent) == again
    r = p.repeats
    assert r.calls == r.retries + r.rereads + r.waste == p.repeated_tool_calls


@settings(deadline=None)
@given(steps())
def test_without_contents_all_but_what_needs_them_is_the_same(made):
    full, bare = (profile_runs([run_of(made, keep=keep)]) for keep in (True, False))
    assert bare.unused is None
    assert msgspec.structs.replace(full, unused=None) == bare


def test_a_system_text_of_an_earlier_run_is_sent_again_in_a_later_one():
    p = profile_runs([run_of([("", "a", "")], run_id=f"r{i}", system=LONG) for i in range(4)])
    assert p.resent_share_in_run == 0
    assert p.resent_share == 3 * 400 / (4 * 406)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ([("get_order", "1", "Error: no"), ("get_order", "1", "ok")], (1, 0, 0)),
        ([("get_order", "1", "ok"), ("update", "1", "ok"), ("get_order", "1", "ok")], (0, 1, 0)),
        ([("get_order", "1", "ok"), ("get_order", "1", "new")], (0, 1, 0)),
        ([("get_order", "1", "ok"), ("search", "1", "z"), ("get_order", "1", "ok")], (0, 0, 1)),
        ([("get_order", "1", "ok"), ("get_order", "2", "ok")], (0, 0, 0)),
        ([("update", "1", "ok"), ("update", "1", "ok")], (0, 0, 1)),
    ],
)
def test_repeated_calls_are_retries_rereads_or_waste(made, found):
    r = profile_runs([run_of(made)]).repeats
    assert (r.retries, r.rereads, r.waste) == found


def test_half_of_the_repeats_may_be_in_few_runs():
    loop = [("get_order", "1", "ok")] * 9
    runs = [run_of(loop, run_id="a"), *(run_of(loop[:2], run_id=f"b{i}") for i in range(4))]
    p = profile_runs(runs)
    assert (p.repeats.calls, p.repeats.runs, p.repeats.half_in_runs) == (12, 5, 1)
    assert (p.loops.runs, p.loops.calls, p.loops.stalled_runs) == (1, 9, 1)


def test_a_circle_of_two_calls_is_one():
    made = [("search", "a", "1"), ("search", "b", "2")] * 3
    assert profile_runs([run_of(made)]).loops.runs == 1
    assert profile_runs([run_of(made[:5])]).loops.runs == 0


def test_results_that_left_no_trace_are_counted():
    made = [
        ("get_order", "1", "order W1234567 shipped"),
        ("get_order", "2", "order Q7654321 lost"),
        ("", "I found W1234567.", ""),
    ]
    p = profile_runs([run_of(made)])
    assert (p.unused.calls, p.unused.judged) == (1, 2)


def test_tokens_are_estimated_only_where_none_are_reported():
    told, untold = run_of([("", "done", "")], tokens=True), run_of([("", "done", "")], run_id="q")
    p, q = profile_runs([told]), profile_runs([told, untold])
    assert (p.token_totals.evidence, p.estimated.get("tokens")) == (Evidence.REPORTED, None)
    assert q.token_totals.evidence == Evidence.ESTIMATED
    assert "1 of 2 calls" in q.estimated["tokens"]


def test_a_whole_runs_totals_give_the_estimate_its_scale():
    run = run_of([("get_order", "1", LONG), ("", "done", "")])
    run = msgspec.structs.replace(run, totals=Totals(inclusive(1000, 20), usd=0.5, model_calls=2))
    p = profile_runs([run])
    assert p.token_totals.input == pytest.approx(1000, abs=2)
    assert p.token_totals.evidence == Evidence.ESTIMATED
    assert p.dollars.recorded == 0.5


def test_a_modelled_users_spend_is_kept_apart():
    run = run_of([("", "done", "")], tokens=True)
    user = TraceCall(0, (), None, model="gpt-4.1", counts=inclusive(500, 50), purpose=USER, usd=0.1)
    p = profile_runs([msgspec.structs.replace(run, calls=(user, *run.calls))])
    assert (p.model_calls, p.token_totals.input) == (1, 3)
    assert (p.user.model_calls, p.user.tokens.input, p.user.usd.recorded) == (1, 500, 0.1)


def test_a_sub_agent_is_part_of_the_run_that_started_it():
    root = run_of([("get_order", "1", "ok")], tokens=True, success=1.0)
    sub = msgspec.structs.replace(
        run_of([("search", "1", "ok")] * 2, run_id="s", tokens=True), parent_id="r"
    )
    p = profile_runs([sub, root])
    assert (p.runs, p.sub_runs, p.model_calls) == (1, 1, 3)
    assert (p.by_run[0].name, p.by_run[0].sub_runs, p.by_run[0].model_calls) == ("r", 1, 3)


def test_runs_that_name_each_other_as_parents_do_not_hang():
    a = msgspec.structs.replace(run_of([("", "x", "")], run_id="a"), parent_id="b")
    b = msgspec.structs.replace(run_of([("", "x", "")], run_id="b"), parent_id="a")
    assert profile_runs([a, b]).model_calls == 2


def test_runs_of_one_name_in_two_files_are_two():
    runs = [msgspec.structs.replace(run_of([("", "x", "")]), source=name) for name in ("a", "b")]
    assert profile_runs(runs).runs == 2


def test_an_unknown_price_stays_unknown_in_the_sum():
    known, odd = (
        run_of([("", "a", "")], tokens=True),
        run_of([("", "a", "")], model="m?", tokens=True),
    )
    p = profile_runs([known, msgspec.structs.replace(odd, run_id="q")])
    assert p.usd is None
    assert p.usd_evidence == "unknown"
    assert (p.dollars.priced_calls, p.dollars.calls) == (1, 2)
    assert p.dollars.list_known > 0


def test_reported_cache_reads_are_priced_and_not_modelled():
    run = run_of([("", "a", "")])
    call = msgspec.structs.replace(run.calls[0], counts=exclusive(Tokens(10, 90, 0, 0, 5, 0)))
    p = profile_runs([msgspec.structs.replace(run, calls=(call,))])
    assert (p.cache.read_share, p.cache.reporting_calls) == (0.9, 1)
    assert (p.usd_evidence, p.dollars.modelled_calls) == ("list price", 0)
    assert p.usd == pytest.approx((10 * 2 + 90 * 0.5 + 5 * 8) / 1e6)


def test_an_edit_of_the_history_is_a_break_with_its_price():
    run = run_of([("get_order", "1", LONG)] * 3, tokens=True)
    last = run.calls[2]
    anew = (*run.calls[0].added[1:], *last.added)
    edited = msgspec.structs.replace(last, kept=1, added=anew)
    p = profile_runs([msgspec.structs.replace(run, calls=(*run.calls[:2], edited))])
    (found,) = p.cache.breaks
    assert (found.why, found.count) == ("history edited", 1)
    # gpt-4.1: $2 a million uncached, $0.50 cached.
    assert found.usd == pytest.approx(found.tokens * 1.5e-6)
    assert found.tokens > 0


def test_a_break_whose_model_has_no_price_has_unknown_dollars():
    run = run_of([("get_order", "1", LONG)] * 3, tokens=True)
    calls = [msgspec.structs.replace(c, model="nobody-knows-it") for c in run.calls]
    calls[2] = msgspec.structs.replace(calls[2], kept=1, added=run.calls[0].added[1:])
    (found,) = profile_runs([msgspec.structs.replace(run, calls=tuple(calls))]).cache.breaks
    assert (found.count, found.usd) == (1, None)


def test_success_is_over_tasks_and_failures_cost_what_they_cost():
    good = [run_of([("", "a", "")], run_id=f"g{i}", task=f"t{i}", success=1.0) for i in range(4)]
    bad = [
        run_of([("get_order", "1", LONG)] * 6, run_id=f"b{i}", task=f"t{i}", success=0.0)
        for i in range(4)
    ]
    p = profile_runs([*good, *bad])
    assert (p.success.mean, p.success.n) == (0.5, 4)
    assert (p.ended.solved, p.ended.failed, p.ended.calls_ratio.mean) == (4, 4, 6.0)
    assert p.ended.calls_ratio.low < 5  # four that agree are few
    assert p.ended.calls_ratio.high > 7


def test_growth_is_two_where_each_call_sends_all_before():
    assert exponent_of([100 * i for i in range(1, 60)]) == pytest.approx(2, abs=0.1)
    assert exponent_of([100] * 60) == pytest.approx(1, abs=1e-9)
    assert exponent_of([100] * 4) is None


def test_groups_add_up_to_all():
    runs = [run_of([("", "a", "")], run_id=f"{i}", task=f"t{i % 3}", tokens=True) for i in range(9)]
    p = profile_runs(runs, Asked(group_by="task"))
    assert [g.runs for g in p.groups] == [3, 3, 3]
    assert sum(g.tokens.total or 0 for g in p.groups) == p.tokens


def test_prices_that_change_need_no_new_reading(tmp_path):
    runs = [run_of([("", "a", "")], run_id=f"{i}", model="mine", tokens=True) for i in range(1000)]
    write_traces(runs, tmp_path / "kept.jsonl")
    (tmp_path / "p.toml").write_text('["mine"]\ninput = 1e6\noutput = 0\n')
    reading = Reading([tmp_path / "kept.jsonl"], Wanted())
    p = profile_runs(reading, Asked(read_prices(tmp_path / "p.toml")), reading)
    assert p.usd == p.token_totals.input == 3000
    assert profile_runs(runs, Asked(TracePrices())).usd is None


class TestRecordedRuns:
    """Real agents' runs, where they are there."""

    def test_tau_bench(self):
        reading = Reading([need("tau-bench-airline/gpt-4o.json.gz")], Wanted(contents=True))
        p = profile_runs(reading, None, reading)
        assert (p.runs, p.success.mean, p.success.n) == (100, 0.43, 50)
        assert p.resent_share == pytest.approx(0.97, abs=0.01)
        assert p.token_totals.evidence == Evidence.ESTIMATED
        assert {"tokens", "usd", "model"} <= set(p.estimated)
        assert (p.tool_calls, p.repeated_tool_calls, p.skipped) == (572, 17, ())
        assert 4 < p.usd < 9

    def test_tau2_bench_gives_the_recorded_tokens_to_the_token(self):
        reading = Reading([need("tau2-bench/gpt-4.1-airline.json.gz")], Wanted())
        p = profile_runs(reading, None, reading)
        assert (p.token_totals.input, p.token_totals.output) == (994_898, 16_536)
        assert (p.user.tokens.input, p.user.tokens.output) == (119_046, 4_850)
        assert p.dollars.recorded == pytest.approx(0.783, abs=0.001)
        assert p.dollars.list == pytest.approx(2.12, abs=0.01)
        assert p.dollars.modelled == pytest.approx(p.dollars.recorded, rel=0.08)

    def test_a_fine_tuned_models_cost_is_unknown_and_not_zero(self):
        reading = Reading([need("tau2-bench/sft-airline.json.gz")], Wanted())
        p = profile_runs(reading, None, reading)
        assert (p.usd, p.dollars.recorded, p.dollars.list) == (None, None, None)
        assert p.tokens == 1_277_560 + 16_829
