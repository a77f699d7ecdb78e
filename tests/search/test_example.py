"""The example study, run for real on the embedded model."""

from __future__ import annotations

from pathlib import Path

import msgspec

from leanloop.core.task import Split
from leanloop.search.spec import read_study
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore

ROOT = Path(__file__).parent.parent.parent


async def test_the_example_study_runs_to_a_result(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    whole = read_study(ROOT / "examples" / "own_study.toml")
    # One lever of its two: every run is a model's at work.
    study = Study(msgspec.structs.replace(whole, levers={"tools.projection": ["on"]}))
    store = SqlStore(tmp_path / "store.sqlite")
    try:
        result = await study.optimize(store)
        runs = store.runs("countries")
    finally:
        await study.close()
        store.close()
    assert result.runs == len(runs)
    assert result.baseline.holdout is not None
    assert result.baseline.holdout.success.n == 4
    assert {r.split for r in runs} == set(Split)
    assert all(r.usage.tokens.total_tokens for r in runs)
    assert result.search_usd is not None
    assert result.search_usd > 0
