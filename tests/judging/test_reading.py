from __future__ import annotations

import csv
import gzip
import json
import math

import duckdb
import pytest

from leanloop.core.errors import BadInputError
from leanloop.judging.frontier import frontier_of
from leanloop.judging.reading import Selection, read_runs
from tests.judging.tables import changed, rows, table

ROWS = rows(3, 20)


def write(path, given, kind):
    if kind in ("csv", "tsv"):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(given[0]), delimiter="\t" if kind == "tsv" else ",")
            writer.writeheader()
            writer.writerows(given)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in given))
    elif kind == "json":
        path.write_text(json.dumps(given))
    else:
        csv_path = path.with_suffix(".csv")
        write(csv_path, given, "csv")
        duckdb.sql(f"COPY (FROM '{csv_path}') TO '{path}'")
        csv_path.unlink()
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_every_kind_of_file_gives_the_same_figures(tmp_path, kind):
    found = read_runs(str(write(tmp_path / f"runs.{kind}", ROWS, kind)))
    assert frontier_of(found).configurations == frontier_of(table(ROWS)).configurations
    found.close()


def test_gzipped_and_several_files(tmp_path):
    whole = write(tmp_path / "whole.csv", ROWS, "csv")
    with gzip.open(tmp_path / "whole.csv.gz", "wb") as file:
        file.write(whole.read_bytes())
    for i in range(2):
        write(tmp_path / f"part-{i}.jsonl", ROWS[i::2], "jsonl")
    answers = [
        frontier_of(read_runs(str(tmp_path / name))).configurations
        for name in ("whole.csv", "whole.csv.gz", "part-*.jsonl")
    ]
    assert answers[0] == answers[1] == answers[2]


def test_a_select_list_names_computes_and_filters(tmp_path):
    path = write(tmp_path / "runs.csv", ROWS, "csv")
    select = "configuration, task, success, usd / 2 AS usd, 'x' AS \"memory.policy\""
    found = read_runs(str(path), Selection(select, "configuration <> 'c0'"))
    assert found.configurations == ["c1", "c2"]
    assert found.levers == ("memory.policy",)
    half, whole = (t.common(["c1"]).values["usd"].mean() for t in (found, table(ROWS)))
    assert half == pytest.approx(whole / 2)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.csv", None, "no such file"),
        ("runs.xlsx", b"x", "not a kind of file"),
        ("empty.csv", b"", "empty.csv"),
        ("header.csv", b"configuration,task,success\n", "no row with a success"),
        ("junk.parquet", b"\x00\x01junk", "junk.parquet"),
        ("junk.jsonl", b"{{{{", "junk.jsonl"),
        ("other.csv", b"a,b\n1,2\n", "--select names it"),
        ("text.csv", b"configuration,task,success\na,b,nearly\n", "text.csv"),
        ("half.csv", b"configuration,task,success\na,,1\n", "no configuration or no task"),
        ("wide.csv", b"configuration,task,success\na,b,1.5\n", "column success: takes from 0 to 1"),
        (
            "debt.csv",
            b"configuration,task,success,usd\na,b,1,-2\n",
            "column usd: takes 0 or more, got -2",
        ),
        (
            "twice.csv",
            b"configuration,task,success,cluster\na,b,1,x\na,b,1,y\n",
            "in two of them",
        ),
        (
            "seeds.csv",
            b"configuration,task,success,seed\na,b,1,0\na,b,0,0\n",
            "twice with different figures",
        ),
        (
            "levers.csv",
            b"configuration,task,success,memory\na,b,1,x\na,c,1,y\n",
            "several settings of memory",
        ),
    ],
)
def test_bad_files_are_one_line_that_names_them(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError) as raised:
        read_runs(str(path))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (Selection("configuration; DROP TABLE x"), "without ';'"),
        (Selection("*", "1=1; x"), "without ';'"),
        (Selection("nothing AS success"), "nothing"),
        (Selection("*", "nothing > 1"), "nothing"),
    ],
)
def test_bad_sql_is_one_line(tmp_path, selection, says):
    path = write(tmp_path / "runs.csv", ROWS, "csv")
    with pytest.raises(BadInputError, match=says) as raised:
        read_runs(str(path), selection)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_an_unknown_cost_makes_the_mean_unknown_and_is_said(value):
    given = changed(ROWS, lambda r: r["configuration"] == "c1" and r["task"] == "t003", usd=value)
    answer = frontier_of(table(given))
    found = {s.configuration: s for s in answer.configurations}
    assert found["c1"].usd.mean is None
    assert found["c1"].p_frontier is None
    assert found["c0"].usd.mean is not None
    assert any("unknown on 1 of 20 tasks of c1" in w for w in answer.warnings)


def test_no_dollars_with_tokens_is_an_unknown_price():
    given = [{**r, "tokens": 10, "usd": 0.0 if r["configuration"] == "c1" else 1.0} for r in ROWS]
    answer = frontier_of(table(given))
    found = {s.configuration: s for s in answer.configurations}
    assert found["c1"].usd.mean is None
    assert "20 of 60 rows cost 0 dollars with tokens: taken as unknown" in answer.notes


def test_a_missing_success_is_missing_and_is_said():
    given = changed(ROWS, lambda r: r["task"] == "t003", success=None)
    answer = frontier_of(table(given))
    assert answer.n_tasks == 19
    assert "3 of 60 rows have no success: left out as missing" in answer.notes


def test_the_same_run_written_twice_is_one_run():
    once, twice = frontier_of(table(ROWS)), frontier_of(table([*ROWS, *ROWS]))
    assert twice.configurations == once.configurations
    assert "60 of 120 rows stand there twice: counted once" in twice.notes


def test_rows_without_seeds_that_stand_there_twice_do_not_make_it_surer():
    bare = [{k: v for k, v in r.items() if k != "seed"} for r in ROWS]
    once, twice = frontier_of(table(bare)), frontier_of(table([*bare, *bare]))
    for a, b in zip(once.configurations, twice.configurations, strict=True):
        assert (a.n, a.success, a.p_frontier) == (b.n, b.success, b.p_frontier)
        assert a.usd == b.usd


def test_names_may_be_anything():
    names = ["it's", 'a "b"', "new\nline", "Ünï 🦊", "x" * 300, "; DROP TABLE cells", "%s {0}"]
    given = [{**r, "configuration": n, "task": f"{n}{r['task']}"} for n in names for r in ROWS[:20]]
    given += [{**r, "configuration": n} for n in names for r in ROWS[:20]]
    answer = frontier_of(table(given))
    assert sorted(s.configuration for s in answer.configurations) == sorted(names)
    assert answer.n_tasks == 20
