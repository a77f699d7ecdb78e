from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from leanloop.cli.compare import compare
from leanloop.cli.explain import explain
from leanloop.cli.frontier import frontier
from leanloop.cli.gate import gate
from leanloop.cli.options import answers_console
from leanloop.core.task import Split
from leanloop.report.html import render_report
from leanloop.report.terminal import show_result
from leanloop.search.result import Result
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore
from tests.command_line import leanloop
from tests.search.studies import write_study

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "complexity-trap" / "runs.csv"
PLAIN = (
    "experiment AS configuration, instance_id AS task, outcome AS success, "
    "cost + summary_cost AS usd"
)
CLUSTERED = f"{PLAIN}, split_part(instance_id, '__', 1) AS cluster"
QWEN = "local-Qwen3-Coder_480B_A35B_Instruct_FP8-baseline"
HANDS = "gemini-2.5-flash_maxiter_250_N_v0.43.0-no-hint"


def document(*arguments: object, cwd: Path | None = None) -> Any:
    done = leanloop(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a finished study of coins."""
    folder = tmp_path_factory.mktemp("study")
    study = Study.from_toml(write_study(folder))
    kept = SqlStore(folder / "runs.sqlite")
    result = asyncio.run(study.optimize(kept))
    kept.save_result("coins", msgspec.json.encode(result))
    kept.close()
    return folder / "runs.sqlite"


recorded = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded runs are not here")


@recorded
@pytest.mark.parametrize("select", [PLAIN, CLUSTERED])
def test_masking_on_recorded_runs_of_swe_agent(select):
    ends = (f"{QWEN}_raw.0-verified-500", f"{QWEN}_N_1_M_10.0-verified-500")
    found = document("compare", RECORDED, "--select", select, "--a", ends[0], "--b", ends[1])
    assert found["usd"]["ratio"] == pytest.approx(0.474, abs=0.001)
    assert found["usd"]["low"] == pytest.approx(0.39, abs=0.03)
    assert found["usd"]["high"] == pytest.approx(0.57, abs=0.03)
    assert found["success"]["standard_error"] == pytest.approx(0.0151, abs=0.0005)
    assert found["verdict"] == "cheaper and not worse"


@recorded
@pytest.mark.parametrize("select", [PLAIN, CLUSTERED])
def test_masking_on_recorded_runs_of_openhands(select):
    ends = (
        f"{HANDS}-raw_agent-run_1",
        f"{HANDS}-observation_masking-observation_masking_for_eval-run_1",
    )
    found = document("compare", RECORDED, "--select", select, "--a", ends[0], "--b", ends[1])
    assert found["success"]["difference"] == pytest.approx(-0.112)
    assert found["verdict"] == "cheaper but worse"


@recorded
def test_the_frontier_of_recorded_runs_says_how_little_overlaps():
    found = document("frontier", RECORDED, "--select", CLUSTERED)
    assert found["n_tasks"] == 49
    assert found["dropped_tasks"] == 451
    assert "only 49 tasks are common to all 23 configurations" in found["warnings"][0]
    assert len(found["configurations"]) == 23


@pytest.mark.parametrize("by_path", [True, False])
def test_a_study_is_a_run_table(store, by_path):
    place = (store,) if by_path else ("coins", "--store", store)
    found = document("frontier", *place)
    assert 0 < found["n_tasks"] <= 24
    assert found["objectives"] == {"success": "max", "usd": "min"}
    result = msgspec.json.decode(SqlStore(store).result("coins"))
    pair = document(
        "compare", *place, "--a", result["baseline"]["id"], "--b", result["recommended"]
    )
    assert pair["n_tasks"] == 12
    assert pair["tokens"]["ratio"] < 1
    shares = document("explain", *place)
    assert shares["chosen"] == result["recommended"]
    assert "tools.projection" in {x["lever"] for x in shares["levers"]}


def test_a_gate_passes_and_fails_and_leaves_its_files(store, tmp_path):
    result = msgspec.json.decode(SqlStore(store).result("coins"))
    base, found = result["baseline"]["id"], result["recommended"]
    files = ("--junit", tmp_path / "g.xml", "--markdown", tmp_path / "g.md")
    ends = [(base, found), (found, base)]
    for (before, after), code in zip(ends, (0, 1), strict=True):
        done = leanloop(
            "gate", store, "--baseline", store, "--baseline-configuration", before,
            "--configuration", after, "--margin", 0.3, "--costs", "usd,tokens", *files,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert ET.parse(tmp_path / "g.xml").getroot().get("failures") != ("0" if code else "1")
        assert ("failed" if code else "passed") in (tmp_path / "g.md").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frontier", "nowhere.csv"), "nowhere.csv: no such file"),
        (("frontier", "nothing"), "nothing: no such file, and no store"),
        (("frontier", "STORE", "--study", "other"), "study 'other'"),
        (("frontier", "STORE", "--objectives", "joy"), "--objectives: no column 'joy'"),
        (("frontier", "STORE", "--within", "usd"), "--within: takes AXIS=BOUND"),
        (("compare", "STORE", "--a", "x", "--b", "y"), "--a: no configuration 'x'"),
        (("gate", "STORE", "--baseline", "STORE"), "--baseline-configuration:"),
        (("explain", "bad.csv"), "--baseline: is to be named"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(store, tmp_path, arguments, says):
    (tmp_path / "bad.csv").write_text("configuration,task,success\na,b,1\n")
    given = [str(store) if a == "STORE" else a for a in arguments]
    done = leanloop(*given, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert says in line


def test_tables_for_people_keep_every_figure(store):
    done = leanloop("frontier", store)
    assert done.returncode == 0
    assert "…" not in done.stdout
    assert "on the frontier" in done.stdout


@pytest.mark.parametrize(("split", "tasks"), [("search", 24), ("holdout", 12)])
def test_a_split_of_a_study_by_name_and_by_path(store, split, tasks):
    result = msgspec.json.decode(SqlStore(store).result("coins"))
    ends = ("--a", result["baseline"]["id"], "--b", result["recommended"], "--split", split)
    by_path = document("compare", store, "--study", "coins", *ends)
    assert by_path == document("compare", "coins", "--store", store, *ends)
    assert by_path["n_tasks"] <= tasks
    assert by_path["n_tasks"] == tasks or split == "search"
    assert by_path["success"]["difference"] > 0


def test_the_files_of_a_gate_hold_its_verdict_and_every_check(store, tmp_path):
    result = msgspec.json.decode(SqlStore(store).result("coins"))
    xml, summary = tmp_path / "g.xml", tmp_path / "g.md"
    arguments = (
        "gate", store, "--baseline", store, "--baseline-configuration", result["recommended"],
        "--configuration", result["baseline"]["id"], "--junit", xml, "--markdown", summary,
    )  # fmt: skip
    done = leanloop(*arguments, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert not found["passed"]
    suite = ET.parse(xml).getroot()
    assert [c.get("name") for c in suite] == [c["name"] for c in found["checks"]]
    failed = [c.get("name") for c in suite if c.find("failure") is not None]
    assert failed == [c["name"] for c in found["checks"] if not c["passed"]]
    assert suite.get("failures") == str(len(failed))
    assert found["comparison"]["sentence"] in summary.read_text()


HEADER = "configuration,task,success,usd"
OK = f"{HEADER}\na,t,1,1\nb,t,1,2\n"


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("empty.csv", b"", ()),
        ("junk.csv", bytes(range(256)) * 9, ()),
        ("junk.csv.gz", bytes(range(256)), ()),
        ("junk.parquet", bytes(range(256)) * 9, ()),
        ("junk.sqlite", bytes(range(256)) * 9, ()),
        ("empty.jsonl", b"", ()),
        ("text.csv", f"{HEADER}\na,t,1,n/a\n".encode(), ()),
        ("ragged.csv", f"{HEADER}\na,t,1,1,9,9\nb\n".encode(), ()),
        ("debt.csv", f"{HEADER}\na,t,1,-1\n".encode(), ()),
        ("runs.xlsx", OK.encode(), ()),
        ("ok.csv", OK.encode(), ("--select", "*; DROP TABLE x")),
        ("ok.csv", OK.encode(), ("--select", "nothing AS task")),
        ("ok.csv", OK.encode(), ("--select", "")),
        ("ok.csv", OK.encode(), ("--where", "success >")),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_exit_code_2(tmp_path, name, content, more):
    (tmp_path / name).write_bytes(content)
    done = leanloop("frontier", tmp_path / name, *more)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("leanloop: ")
    assert "Traceback" not in line


@pytest.mark.parametrize(
    "name",
    [
        "it's",
        "Ü 🦊",
        "x" * 300,
        "[/]",
        "a[red]b",
        "a:fox:b",
    ],
)
def test_a_name_is_shown_as_it_is(tmp_path, name):
    (tmp_path / "runs.csv").write_text(f"{HEADER}\n{name},t,1,1\nb,t,1,2\n")
    done = leanloop("frontier", tmp_path / "runs.csv")
    assert done.returncode == 0
    assert name in "".join(done.stdout.split("\n"))


SPLITS = "--split: there is no split 'train'; there are search (tasks that configurations are "


@recorded
def test_a_recorded_configuration_may_be_named_by_its_end():
    ends = ("--a", f"{HANDS}-raw_agent-run_1", "--b", "no-hint-observation_masking-"
            "observation_masking_for_eval-run_1")  # fmt: skip
    found = document("compare", RECORDED, "--select", PLAIN, *ends)
    assert found["success"]["difference"] == pytest.approx(-0.112)
    assert found["success"]["high"] < 0
    assert found["usd"]["high"] < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("frontier",), "Missing argument 'RUNS'"),
        (("frontier", "runs.csv", "--bogus"), "--bogus"),
        (("compare", "runs.csv", "--a", "x", "--b", "y", "--margin", "wide"), "--margin"),
        (("nothing",), "nothing"),
        (("compare", "runs.csv", "--a", "x", "--b", "y", "--split", "train"), SPLITS),
        (("run", "study.toml", "--split", "train"), SPLITS),
        (("memory", "burn"), "'burn' is not one of 'list'"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(options, said):
    done = leanloop(*options)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("leanloop: ")
    assert "Value error" not in line
    assert said in line


def test_the_margin_is_the_studys_own_unless_the_option_says_another(store, capsys):
    result = msgspec.json.decode(SqlStore(store).result("coins"))
    ends = result["baseline"]["id"], result["recommended"]
    compare("coins", *ends, store=str(store), split=Split.HOLDOUT)
    assert "(margin 30 points, the study's own)" in capsys.readouterr().out
    compare(str(store), *ends, store=None, split=Split.HOLDOUT, margin=0.1)
    assert "(margin 10 points, from --margin)" in capsys.readouterr().out
    explain("coins", store=str(store))
    assert "(margin 30 points, the study's own)" in capsys.readouterr().out
    # Whether it passes hangs on the seconds of this machine; the margin does not.
    with suppress(typer.Exit):
        gate("coins", "coins", ends[1], ends[0], store=str(store))
    out = capsys.readouterr().out
    assert "Margin of success: 30 points, the study's own." in out
    assert "not worse by 30 points" in out


def test_the_margin_of_a_file_is_the_default_and_said_to_be(tmp_path, capsys):
    (tmp_path / "runs.csv").write_text(f"{HEADER}\na,t,1,1\na,u,1,1\nb,t,1,2\nb,u,1,2\n")
    compare(str(tmp_path / "runs.csv"), "a", "b", json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["margin"] == 0.02
    assert found["margin_from"] == "the default, as no study says one"


def test_two_probabilities_of_the_frontier_say_what_each_is_of(store, capsys):
    result = msgspec.json.decode(SqlStore(store).result("coins"), type=Result)
    show_result(answers_console(), result)
    shown = capsys.readouterr().out
    assert "p is of the search's runs alone: the modelled probability" in shown
    assert "at least as good on success and tokens and better on one by more than" in shown
    for split in (Split.SEARCH, Split.HOLDOUT):
        frontier("coins", store=str(store), split=split)
        told = capsys.readouterr().out
        assert f"study 'coins', {split} split: " in told
        assert "share of 4,000 resamples of these tasks" in told
        assert "good on success and usd and better on one, by however little" in told
        assert "Note: a study's own p ('leanloop optimize', its report and dashboard)" in told
    page = render_report(result)
    assert "of the search's runs alone" in page.replace("&#39;", "'")
    assert "in how many resamples" in page


def test_a_frontier_of_a_file_has_no_study_to_be_told_from(tmp_path, capsys):
    (tmp_path / "runs.csv").write_text(f"{HEADER}\na,t,1,1\na,u,1,1\nb,t,1,2\nb,u,1,2\n")
    frontier(str(tmp_path / "runs.csv"))
    told = capsys.readouterr().out
    assert "share of 4,000 resamples" in told
    assert "study" not in told
