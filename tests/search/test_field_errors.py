"""An error in a field of a study names the study's file and the field."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from leanloop.core.errors import BadInputError
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore
from tests.search.studies import write_study

SCRIPTED = 'provider = "scripted"\nname = "tests.search.coins:script"'
SUITE = 'name = "tests.search.coins:coins"'
OPENAI = 'provider = "openai"\nname = "m"\nbase_url = "http://127.0.0.1:9/v1"\n'

CASES = [
    ("suite", SUITE, 'name = "office"', "suite.name"),
    ("suite's options", SUITE, f"{SUITE}\noptions = {{ coins = 0 }}", "suite.options"),
    ("built-in options", SUITE, 'name = "backoffice"\noptions = { drift = 2 }', "suite.options"),
    ("tasks", SUITE, 'name = "jsonl"\noptions.file = "no.jsonl"', "suite.options.file: "),
    ("empty split", SUITE, f"{SUITE}\noptions = {{ search_tasks = 0 }}", "suite"),
    ("recorded", SUITE, 'recorded = "no.csv"', "suite.recorded: no.csv"),
    ("script", "coins:script", "coins:scrip", "models.scripted.name"),
    ("provider", SCRIPTED, 'provider = "acme"\nname = "m"', "models.scripted.provider"),
    ("key", SCRIPTED, f'{OPENAI}api_key_env = "NO_KEY"', "models.scripted.api_key_env"),
    ("bad key", SCRIPTED, f'{OPENAI}api_key_env = "SPACED"', "models.scripted.api_key_env"),
    (
        "weights",
        SCRIPTED,
        'provider = "embedded"\nname = "m"\npath = "no.gguf"',
        "models.scripted.path: no.gguf",
    ),
    (
        "address",
        SCRIPTED,
        'provider = "openai"\nname = "m"\nbase_url = "127.0.0.1:8000/v1"',
        "models.scripted.base_url",
    ),
    ("price", "input = 1.0, ", "", "models.scripted.price.input"),
    ("transfer", "[plan]", '[plan]\ntransfer = "gone"', "plan.transfer"),
    ("agent", "[levers]", '[agent]\npython = "no:no"\n[levers]', "agent.python"),
]


@pytest.mark.parametrize(("old", "new", "field"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_an_error_in_a_field_names_file_and_field(tmp_path, monkeypatch, old, new, field):
    monkeypatch.setenv("SPACED", "two words")
    path = write_study(tmp_path, **{old: new})
    if field == "agent.python":
        # The study's levers do not all act on an outside agent, which would be said first.
        path.write_text(path.read_text().split("[levers]")[0])
    store = SqlStore(tmp_path / "s.sqlite")
    with pytest.raises(BadInputError) as caught:
        asyncio.run(Study.from_toml(path).optimize(store))
    store.close()
    assert str(caught.value).startswith(f"{path}: {field}"), str(caught.value)
    assert str(caught.value).count(str(path)) == 1


def test_a_study_that_is_from_no_file_names_the_field(tmp_path):
    spec = Study.from_toml(write_study(tmp_path)).spec
    nameless = replace(spec, file="", suite=replace(spec.suite, name="office"))
    with pytest.raises(BadInputError, match=r"^suite\.name: no suite 'office'"):
        Study(nameless)
