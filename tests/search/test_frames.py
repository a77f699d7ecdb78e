"""Results and runs as frames of polars and pyarrow."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from decimal import Decimal

import polars as pl
import pytest
from msgspec.structs import replace

import leanloop
from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.run import ModelCall, RecordedCost, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Split
from leanloop.core.tokens import CLASSES, Tokens
from leanloop.gateway.session_runs import FINGERPRINT
from leanloop.pricing.cost import PriceBook
from leanloop.pricing.per_token import PerToken
from leanloop.search.result_frame import parts_of
from leanloop.search.run_frame import frame_of_runs, runs_of_study
from leanloop.search.study import Study
from leanloop.store.protocol import StudyRecord
from leanloop.store.sql import SqlStore
from tests.report.results import bare, hostile, result
from tests.search.studies import write_study

PRICES = PriceBook({"small": PerToken(Decimal(1), Decimal(4), Decimal(1), Decimal(1))})


def run(number: int, configuration: Configuration, *, cached: int | None = 0) -> Run:
    tokens = Tokens(100, cached, 0, 0, 10, 0)
    step = Step(
        (ModelCall("small", "openai:small", "act", tokens, 0.5, 1.0),),
        (ToolUse("look", "{}", 0.1), ToolUse("look", "{}", 0.1, answered_by="tools.result_cache")),
    )
    key = RunKey(configuration.id, f"task-{number}")
    family = "odd" if number % 2 else "even"
    return Run(key, Split.SEARCH, Status.FINISHED, 1.0, (step, step), 3.0, 3.0, 1.0, family=family)


async def test_the_runs_of_a_study_are_those_of_its_store(tmp_path):
    study = Study.from_toml(write_study(tmp_path))
    store = SqlStore(tmp_path / "store.sqlite")
    found = await study.optimize(store)
    frame = study.runs(store).to_polars()
    assert len(frame) == found.runs
    assert frame["split"].value_counts(sort=True)["split"].to_list()[0] == "search"
    of_baseline = frame.filter(configuration=found.baseline.id, split="holdout")
    holdout = found.baseline.holdout
    assert len(of_baseline) == holdout.success.n
    for name in ("success", "usd", "tokens", "tool_calls"):
        assert of_baseline[name].mean() == pytest.approx(getattr(holdout, name).mean)
    assert of_baseline["tools.projection"].unique().to_list() == ["off"]
    best = found.member(found.recommended)
    of_best = frame.filter(configuration=best.id)
    assert of_best["tools.projection"].unique().to_list() == ["on"]
    assert frame["steps"].min() == 2
    assert frame["latency_s"].min() > 0
    store.close()


async def test_a_study_without_a_result_has_its_levers_all_the_same(tmp_path):
    study = Study.from_toml(write_study(tmp_path))
    store = SqlStore(tmp_path / "store.sqlite")
    store.open_study(study.record())
    masked = Configuration({"tools.projection": "on", "stopping.max_steps": 6})
    store.record("coins", run(1, masked))
    store.record("coins", run(2, Configuration({"memory.notes": "on"})))
    frame = leanloop.runs_of_study(store, "coins").to_polars()
    assert frame["stopping.max_steps"].to_list() == ["6", None]
    assert frame["tools.projection"].to_list() == ["on", None]
    assert "memory.notes" not in frame.columns
    store.close()


def test_what_is_unknown_is_null():
    plain = Configuration()
    outage = replace(run(3, plain), status=Status.OUTAGE, success=None, steps=())
    recorded = replace(run(4, plain), steps=(), recorded=RecordedCost(usd=0.5))
    runs = [run(1, plain), run(2, plain, cached=None), outage, recorded]
    frame = frame_of_runs(runs, PRICES, {plain.id: {}}).to_polars()
    assert frame["success"].to_list() == [1.0, 1.0, None, 1.0]
    assert frame["cache_read_tokens"].to_list() == [0, None, 0, None]
    assert frame["tokens"].to_list() == [220.0, None, 0.0, None]
    assert frame["output_tokens"].to_list() == [20, 20, 0, None]
    assert frame["usd"].to_list() == [pytest.approx(0.00028), None, 0.0, 0.5]
    assert frame["tool_calls"].to_list() == [2.0, 2.0, 0.0, None]
    assert frame["steps"].to_list() == [2, 2, 0, None]
    assert frame["cluster"].to_list() == [None] * 4


def test_no_runs_make_a_frame_with_the_same_types():
    one = frame_of_runs([run(1, Configuration())], PRICES, {}).to_polars()
    none = frame_of_runs([], PRICES, {}).to_polars()
    assert none.schema == one.schema
    assert len(none) == 0


def test_arrow_has_what_polars_has():
    own = frame_of_runs([run(i, Configuration()) for i in range(3)], PRICES, {})
    table = own.to_arrow()
    assert table.to_pylist() == own.to_polars().to_dicts()
    assert str(table.schema.field("uncached_input_tokens").type) == "int64"
    assert str(table.schema.field("cluster").type) == "string"
    assert {*CLASSES} < {*table.column_names}
    assert len(own) == table.num_rows == 3


def test_a_result_has_a_row_for_each_configuration():
    found = result()
    frame = found.to_polars()
    assert len(frame) == frame["configuration"].n_unique() == 7
    assert frame["part"].to_list() == [
        "baseline",
        "recommended",
        "frontier",
        "frontier",
        "reference",
        "reference",
        "dropped",
    ]
    assert frame["on_frontier"].to_list() == [True, True, True, True, False, False, False]
    row = frame.row(1, named=True)
    best = found.member(found.recommended)
    assert row["stopping.max_steps"] == "5"
    assert row["p_frontier"] == best.p_frontier
    for axis in ("success", "usd", "latency_s", "tokens", "tool_calls"):
        for split in ("search", "holdout"):
            interval = getattr(getattr(best, split), axis)
            ends = [row[f"{split}_{axis}_{end}"] for end in ("mean", "low", "high", "n")]
            assert ends == [interval.mean, interval.low, interval.high, interval.n]
    gone = frame.row(6, named=True)
    assert gone["holdout_success_n"] is None
    assert gone["search_usd_mean"] is None
    assert frame["reference"].drop_nulls().to_list() == [*found.references]
    assert found.to_arrow().to_pylist() == frame.to_dicts()


def test_a_reference_that_is_recommended_is_one_row_with_both_said():
    found = hostile()
    (row,) = [p for p in parts_of(found) if p.id == found.recommended]
    assert row.part == "recommended"
    assert row.on_frontier
    assert row.reference == next(iter(found.references))
    shown = found.to_polars().filter(configuration=found.recommended)
    assert shown["holdout_latency_s_high"].item() == math.inf


def test_a_bare_result_keeps_its_types_and_nulls():
    frame = bare().to_polars()
    assert frame.schema["holdout_usd_mean"] == pl.Float64
    assert frame.schema["holdout_usd_n"] == pl.Int64
    row = frame.row(0, named=True)
    assert row["p_frontier"] is None
    assert row["search_usd_mean"] is None
    assert row["search_usd_n"] == 0
    assert row["holdout_usd_n"] is None


@pytest.mark.parametrize(
    ("module", "method", "extra"),
    [("polars", "to_polars", "'polars'"), ("pyarrow", "to_arrow", "'arrow'")],
)
def test_a_missing_library_names_its_extra(monkeypatch, module, method, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInputError, match=extra) as caught:
        getattr(result(), method)()
    assert "\n" not in str(caught.value)


def test_a_study_that_is_not_there_and_a_log_are_refused(tmp_path):
    store = SqlStore(tmp_path / "store.sqlite")
    with pytest.raises(BadInputError, match="studies there: none"):
        runs_of_study(store, "nothing")
    store.open_study(StudyRecord("log", "{}", FINGERPRINT))
    with pytest.raises(BadInputError, match="calls and no runs"):
        runs_of_study(store, "log")
    store.close()


def test_a_lever_that_is_named_like_the_ids_has_a_column_of_its_own():
    recorded = Configuration({"configuration": "raw"})
    frame = frame_of_runs([run(1, recorded)], PRICES, {recorded.id: recorded}).to_polars()
    assert frame["recorded_as"].to_list() == ["raw"]
    assert frame["configuration"].to_list() == [recorded.id]


def test_many_runs_are_converted_quickly():
    count = 5_000
    runs = [run(i, Configuration()) for i in range(count)]
    started = time.process_time()
    frame = frame_of_runs(runs, PRICES, {}).to_polars()
    # 25,000 in well under 2 s of one processor.
    assert time.process_time() - started < 1.5 * count / 25_000 + 0.5
    assert len(frame) == count


def test_neither_the_package_nor_a_study_loads_what_only_frames_need():
    code = (
        "import sys, leanloop; assert 'numpy' not in sys.modules; leanloop.Study; "
        "print(sorted({'polars', 'pyarrow'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
