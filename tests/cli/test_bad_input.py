"""Bad input is one clear line that names the file and field, and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanloop.models.weights import CACHE_VARIABLE, KNOWN, weights_folder
from tests.command_line import leanloop
from tests.search.studies import STUDY, write_study

EMBEDDED = 'provider = "embedded"\nname = "qwen2.5-coder-0.5b"\npath = "none.gguf"'
SCRIPTED = 'provider = "scripted"\nname = "tests.search.coins:script"'

CASES = [
    ("lever", "tools.projection = [", "tools.projector = [", "levers.tools.projector: no such"),
    ("close lever", "tools.projection = [", "tools.projections = [", "mean tools.projection?"),
    ("setting", "stopping.max_steps = [6]", "stopping.max_steps = [0]", "2 to 10000"),
    ("setting type", '["on"]\ntools.result', '["yes"]\ntools.result', "'yes' is not a setting"),
    ("model in a lever", "[levers]", '[levers]\nmodel.choice = ["huge"]', "no such model 'huge'"),
    ("weights", SCRIPTED, EMBEDDED, "none.gguf: no such file of weights"),
    (
        "model",
        SCRIPTED,
        'provider = "embedded"\nname = "gpt"',
        "models.scripted.name: no such model",
    ),
    ("provider", 'provider = "scripted"', 'provider = "acme"', "no provider 'acme'"),
    (
        "empty suite",
        'coins:coins"',
        'coins:coins"\noptions = { search_tasks = 0 }',
        "no task in its",
    ),
    ("suite option", 'coins:coins"', 'coins:coins"\noptions = { coins = 0 }', "suite.options"),
    ("suite", '"tests.search.coins:coins"', '"office"', "no suite 'office'"),
    ("module", "coins:script", "coins:scrip", "cannot load"),
    ("objective", 'tokens = "min"', 'dollars = "min"', "objectives.dollars"),
    ("direction", 'tokens = "min"', 'tokens = "max"', "objectives.tokens"),
    ("field", "seed = 3", "sed = 3", "study.toml: sed: no such field; did you mean seed?"),
    ("type", "seed = 3", 'seed = "three"', "study.toml: seed: expected `int`, got `str`"),
    ("not TOML", "seed = 3", "seed = = 3", "not TOML"),
    ("key", 'provider = "scripted"', 'provider = "openai"\napi_key_env = "NO_KEY"', "NO_KEY"),
]


@pytest.mark.parametrize(("old", "new", "said"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_wrong_study_is_one_line(tmp_path, old, new, said):
    path = write_study(tmp_path, STUDY, **{old: new})
    result = leanloop("optimize", str(path), "--store", str(tmp_path / "s.sqlite"), "--json")
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_missing_file_is_one_line(tmp_path):
    result = leanloop("optimize", str(tmp_path / "none.toml"))
    assert result.returncode == 2
    assert result.stderr.strip() == f"leanloop: {tmp_path / 'none.toml'}: No such file or directory"


def test_a_wrong_hash_is_refused_and_the_file_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    file = weights_folder() / KNOWN["qwen2.5-coder-0.5b"].filename
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF and nothing else")
    model = 'provider = "embedded"\nname = "qwen2.5-coder-0.5b"'
    path = write_study(tmp_path, STUDY, **{SCRIPTED: model})
    result = leanloop("optimize", str(path), "--store", str(tmp_path / "s.sqlite"))
    assert result.returncode == 2
    assert "its hash is not that of" in result.stderr
    assert not file.exists()


def test_an_unreachable_endpoint_is_missing_data_and_said_so(tmp_path):
    model = 'provider = "openai"\nname = "m"\nbase_url = "http://127.0.0.1:9/v1"\ntimeout_s = 1'
    path = write_study(tmp_path, STUDY, **{SCRIPTED: model, "max_steps = [6]": "max_steps = [6]"})
    result = leanloop("optimize", str(path), "--store", str(tmp_path / "s.sqlite"))
    assert result.returncode == 2
    assert "outages in a row" in result.stderr
    assert "[models.scripted] openai:m at http://127.0.0.1:9/v1: no answer" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_that_is_no_store(tmp_path):
    (tmp_path / "s.sqlite").write_text("not a database, only text " * 100)
    path = write_study(tmp_path)
    result = leanloop("optimize", str(path), "--store", str(tmp_path / "s.sqlite"))
    assert result.returncode == 2
    assert "not a store" in result.stderr
    assert (tmp_path / "s.sqlite").read_text().startswith("not a database")


def test_a_study_without_a_result(tmp_path):
    path = write_study(tmp_path)
    store = str(tmp_path / "s.sqlite")
    assert leanloop("optimize", str(path), "--store", store).returncode == 0
    result = leanloop("report", "coin", "--store", store)
    assert result.returncode == 2
    assert "studies there: coins" in result.stderr


def test_json_commands_print_one_document(tmp_path):
    path = write_study(tmp_path)
    store = str(tmp_path / "s.sqlite")
    config = tmp_path / "c.toml"
    config.write_text('tools.projection = "on"\n')
    commands = [
        ("optimize", str(path), "--store", store),
        ("report", "coins", "--store", store, "--out", str(tmp_path / "r.html")),
        ("run", str(path), "--config", str(config), "--store", store),
        ("levers",),
        ("levers", "tools.projection"),
        ("models",),
        ("suites",),
        ("doctor",),
    ]
    documents = {}
    for command in commands:
        result = leanloop(*command, "--json")
        assert result.returncode == 0, (command, result.stderr)
        documents[command[0]] = json.loads(result.stdout)
    found = documents["optimize"]
    assert {"runs", "configurations", "baseline", "frontier", "recommended"} <= set(found)
    assert {"search_usd", "break_even_tasks"} <= set(found)
    member = found["frontier"][0]
    assert set(member["search"]) == {"success", "usd", "latency_s", "tokens", "tool_calls"}
    assert set(member["search"]["usd"]) == {"mean", "low", "high", "n"}
    assert documents["run"]["search"]["success"]["mean"] == 1.0
    assert Path(documents["report"]["report"]).exists()


def test_a_wrong_configuration_file(tmp_path):
    path = write_study(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text("tools.projection = 3\n")
    store = str(tmp_path / "s.sqlite")
    result = leanloop("run", str(path), "--config", str(config), "--store", store)
    assert result.returncode == 2
    assert "c.toml.tools.projection" in result.stderr
