from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore
from tests.judging.tables import Rows, changed, rows
from tests.judging.test_reading import write

STUDY = """
name = "recorded"
seed = 7
margin = 0.1

[suite]
recorded = "runs.csv"
{suite}

[objectives]
success = "max"
usd = "min"
{rest}
"""


def study_file(folder: Path, given: Rows, suite: str = "", rest: str = "") -> Path:
    write(folder / "runs.csv", given, "csv")
    path = folder / "study.toml"
    path.write_text(STUDY.format(suite=suite, rest=rest))
    return path


def planted() -> Rows:
    """Five configurations; c1 solves what c0 does at half the cost, c2 to c4 are beaten."""
    base = [r for r in rows(1, 120) if r["configuration"] == "c0"]
    found = []
    for number, (cost, solved) in enumerate([(1.0, 1), (0.5, 1), (2.0, 0), (3.0, 0), (1.5, 0)]):
        for row in base:
            success = row["success"] if solved else float(row["task"] < "t010")
            usd = row["usd"] * cost
            found.append({**row, "configuration": f"c{number}", "success": success, "usd": usd})
    return found


async def run(path: Path):
    store = SqlStore(path.parent / "store.sqlite")
    try:
        return await Study.from_toml(path).optimize(store), list(store.runs("recorded"))
    finally:
        store.close()


async def test_the_planted_winner_is_found_and_every_look_up_counts(tmp_path):
    result, runs = await run(study_file(tmp_path, planted()))
    assert result.recommended is not None
    best = result.member(result.recommended)
    assert best.settings == {"configuration": "c1"}
    assert best.holdout.success.n == 36
    assert best.verdict.usd.mean == pytest.approx(0.5)
    assert result.runs == len(runs)
    assert result.runs_used == sum(r.split is Split.SEARCH for r in runs) < 5 * 84
    likely = [m for m in result.frontier if m.p_frontier >= 0.05]
    assert all(m.holdout is not None for m in likely)
    assert {d.settings["configuration"] for d in result.dropped} <= {"c0", "c2", "c3", "c4"}
    assert result.evidence["usd"].startswith("as recorded")
    assert not {r.key.task_id for r in runs if r.split is Split.SEARCH} & {
        r.key.task_id for r in runs if r.split is Split.HOLDOUT
    }


async def test_the_same_seed_finds_the_same_and_resumes_without_a_look_up(tmp_path):
    path = study_file(tmp_path, planted())
    first, runs = await run(path)
    again, more = await run(path)
    assert len(more) == len(runs)
    assert again.frontier == first.frontier
    assert again.runs_used == first.runs_used
    (tmp_path / "store.sqlite").unlink()
    afresh, _ = await run(path)
    assert afresh.frontier == first.frontier
    assert afresh.dropped == first.dropped


async def test_columns_named_like_levers_are_the_space(tmp_path):
    names = {"c0": ("off", "off"), "c1": ("on", "off"), "c2": ("off", "2"), "c3": ("on", "2")}
    given = [
        r | dict(zip(("tools.projection", "memory.keep"), names[r["configuration"]], strict=True))
        for r in rows(4, 60)
    ]
    path = study_file(tmp_path, given, rest='[baseline]\ntools.projection = "on"')
    study = Study.from_toml(path)
    assert study.space() == {"memory.keep": ("off", "2"), "tools.projection": ("off", "on")}
    result, _ = await run(path)
    assert result.baseline.settings == {"tools.projection": "on"}
    assert result.configurations == 4


async def test_clusters_are_split_whole(tmp_path):
    result, runs = await run(study_file(tmp_path, rows(3, 60, clusters=12)))
    sides: dict[str | None, set[Split]] = {}
    for r in runs:
        sides.setdefault(r.cluster, set()).add(r.split)
    assert all(len(s) == 1 for s in sides.values())
    assert result.baseline.holdout is not None


def test_what_is_left_out_is_said(tmp_path):
    given = [r for r in rows(3, 60) if r["configuration"] != "c2" or r["task"] < "t010"]
    study = Study.from_toml(study_file(tmp_path, given))
    assert study.recorded is not None
    assert [str(c) for c in study.recorded.configurations] == [
        "configuration=c0",
        "configuration=c1",
    ]
    assert "1 configurations with few tasks" in study.recorded.notes[-1]


@pytest.mark.parametrize(
    ("suite", "rest", "says"),
    [
        ('select = "nothing AS configuration"', "", "nothing"),
        ("where = \"configuration = 'c0'\"", "", "too little to search"),
        ("holdout = 1.5", "", "suite.holdout: takes more than 0"),
        ("", '[baseline]\nconfiguration = "c9"', "no run was recorded with configuration=c9"),
    ],
)
async def test_bad_input_is_one_line(tmp_path, suite, rest, says):
    with pytest.raises(BadInputError, match=says) as raised:
        await run(study_file(tmp_path, rows(3, 60), suite, rest))
    assert "\n" not in str(raised.value)


def test_a_dollar_cap_counts_what_was_recorded(tmp_path):
    given = changed(planted(), lambda r: True, usd=1.0)
    path = study_file(tmp_path, given, rest="[budget]\nmax_usd = 50\n")
    command = [sys.executable, "-m", "leanloop", "optimize", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["runs"] == 50
    assert "kept for the holdout: the cap of $50" in result["stopped_because"]
    assert 20 <= result["runs_used"] <= 25
    assert result["baseline"]["holdout"] is not None


async def test_a_constraint_of_the_file_bounds_what_is_recommended(tmp_path):
    cheap = planted()
    for row in cheap:
        if row["configuration"] == "c4":
            row["usd"] /= 10
    text = study_file(tmp_path, cheap, rest="").read_text()
    bound = 'constraints = ["success >= baseline - 0.1"]\nmargin = 0.1'
    (tmp_path / "study.toml").write_text(text.replace("margin = 0.1", bound))
    result, _ = await run(tmp_path / "study.toml")
    best = result.member(result.recommended)
    assert best.settings == {"configuration": "c1"}
    assert [c.kept for c in best.constraints] == ["shown"]
    assert {c.split for c in best.constraints} == {"holdout"}
    every = [*result.frontier, *result.others]
    assert "c4" not in {m.settings["configuration"] for m in result.frontier}
    breaking = {d.settings["configuration"] for d in result.dropped if d.breaks}
    assert breaking <= {"c2", "c3", "c4"}
    assert len({m.id for m in every} | {d.id for d in result.dropped}) == 5
    assert len(every) + len(result.dropped) == 5


async def test_a_study_may_start_from_what_an_earlier_one_found(tmp_path):
    first, _ = await run(study_file(tmp_path, planted()))
    later = STUDY.format(suite="", rest='[plan]\ntransfer = "recorded"\npropose = "factorial"')
    path = tmp_path / "later.toml"
    path.write_text(later.replace('name = "recorded"', 'name = "later"'))
    store = SqlStore(tmp_path / "store.sqlite")
    result = await Study.from_toml(path).optimize(store)
    ran = list(dict.fromkeys(r.key.configuration_id for r in store.runs("later")))
    store.close()
    assert ran[1 : 1 + len(first.frontier)] == [m.id for m in first.frontier if m.id != ran[0]]
    assert result.recommended == first.recommended
    path.write_text(later.replace('transfer = "recorded"', 'transfer = "nobody"'))
    with pytest.raises(BadInputError, match=r"plan.transfer: study 'nobody' has no result"):
        await Study.from_toml(path).optimize(SqlStore(tmp_path / "other.sqlite"))
