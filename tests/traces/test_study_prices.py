"""What a store's runs cost by their own study, and how a price that nobody knows is stated."""

from __future__ import annotations

import asyncio
import json

import pytest

from leanloop.cli.profile import profile
from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.search.stored_runs import table_of_study
from leanloop.search.study import Silent, Study
from leanloop.store.sql import SqlStore
from leanloop.traces.prices import read_prices
from leanloop.traces.profile import Asked, profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.reading import Reading
from leanloop.traces.study_prices import book_of_study
from tests.search.studies import STUDY, write_study

PRICE = "price = { input = 1.0, output = 4.0 }"
DEARER = "price = { input = 10.0, output = 40.0 }"
MODEL = "tests.search.coins:script"


def made(folder, name, price):
    folder.mkdir(exist_ok=True)
    path = write_study(folder, STUDY, **{'"coins"': f'"{name}"', PRICE: price})
    kept = SqlStore(folder / "runs.sqlite")
    asyncio.run(Study.from_toml(path).run_one(Configuration({}), Split.SEARCH, kept, Silent()))
    kept.close()
    return folder / "runs.sqlite"


def spent(place, name):
    store = SqlStore(place)
    table = table_of_study(store, name, Split.SEARCH)
    usd = float(table.common(table.configurations).values["usd"].sum())
    table.close()
    store.close()
    return usd


def test_runs_of_a_store_cost_what_their_studies_say(tmp_path):
    made(tmp_path, "cheap", PRICE)
    place = made(tmp_path, "dear", DEARER)
    found = profile_runs(Reading([place], Wanted()), Asked(group_by="session"))
    usd = {g.name.partition("/")[0]: g.usd.best for g in found.groups}
    assert usd["cheap"] == pytest.approx(spent(place, "cheap"))
    assert usd["dear"] == pytest.approx(spent(place, "dear"))
    assert usd["dear"] == pytest.approx(10 * usd["cheap"])
    assert found.usd_evidence == "recorded"
    assert found.unpriced == ()


def test_a_model_of_this_machine_costs_its_time(tmp_path):
    place = made(tmp_path, "local", "delay_s = 0.001")
    found = profile_runs(Reading([place], Wanted()))
    assert found.usd == pytest.approx(spent(place, "local"))
    assert found.usd > 0


@pytest.mark.parametrize("spec", ["{}", "not json", '{"models": {"a": 3}}', None, 7, b"\xff"])
def test_what_is_no_study_has_no_prices(spec):
    assert book_of_study(spec) is None


def test_a_study_with_list_prices_alone_is_left_to_the_list():
    spec = '{"models": {"a": {"provider": "openai", "name": "gpt-4.1"}}}'
    assert book_of_study(spec) is None


def traced(folder, model):
    path = folder / "chat.jsonl"
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    path.write_text(json.dumps({"model": model, "messages": said}) + "\n")
    return path


def test_an_unknown_price_says_how_to_state_it(tmp_path, capsys):
    path = traced(tmp_path, "house-model")
    profile([path])
    told = " ".join(capsys.readouterr().out.split())
    assert "dollars unknown: nobody knows a price of house-model; --prices FILE.toml" in told
    assert '[models."house-model"] with input = 0.5 and output = 2' in told
    stated = tmp_path / "p.toml"
    stated.write_text('[models."house-model"]\ninput = 0.5\noutput = 2\n')
    profile([path], prices=stated)
    told = capsys.readouterr().out
    assert "dollars unknown" not in told
    assert "nobody knows" not in told


def test_a_studys_file_states_prices(tmp_path, capsys):
    study = write_study(tmp_path)
    known = read_prices(study)
    for name in (MODEL, f"scripted:{MODEL}", "scripted"):
        assert str(known.find(name).stated.input_usd) == "1.0"
    profile([traced(tmp_path, MODEL)], prices=study)
    assert "dollars unknown" not in capsys.readouterr().out


def test_a_study_without_a_price_of_its_own_says_so(tmp_path):
    study = write_study(tmp_path, **{PRICE: ""})
    with pytest.raises(BadInputError, match="states no price: none of its models has one"):
        read_prices(study)


def test_a_wrong_price_of_a_study_names_its_field(tmp_path):
    study = write_study(tmp_path, **{"input = 1.0, ": ""})
    with pytest.raises(BadInputError, match=r"study\.toml: models\.scripted\.price: .*input"):
        read_prices(study)
