"""Where a study's name is taken: unknown ones, those without a result, files in their place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from leanloop.cli.compare import compare
from leanloop.cli.dashboard import dashboard
from leanloop.cli.explain import explain
from leanloop.cli.frontier import frontier
from leanloop.cli.optimize import optimize
from leanloop.cli.report import report
from leanloop.cli.run import run
from leanloop.cli.run_tables import Source
from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.search.study import Silent, Study
from leanloop.store.find_study import find_study
from leanloop.store.protocol import StudyRecord
from leanloop.store.sql import SqlStore
from tests.search.studies import write_study


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store with a study that has runs of one configuration and no result."""
    folder = tmp_path_factory.mktemp("unfinished")
    study = Study.from_toml(write_study(folder))
    kept = SqlStore(folder / "runs.sqlite")
    asyncio.run(study.run_one(Configuration({}), Split.SEARCH, kept, Silent()))
    kept.close()
    return folder / "runs.sqlite"


COMMANDS = {
    "report": lambda name, store: report(name, store=store),
    "dashboard": lambda name, store: dashboard(name, store=store, json=True),
    "frontier": lambda name, store: frontier(name, store=store),
    "compare": lambda name, store: compare(name, "a", "b", store=store),
    "explain": lambda name, store: explain(name, store=store),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_study_is_said_to_be_unknown(place, command):
    with pytest.raises(BadInputError) as caught:
        COMMANDS[command]("coin", str(place))
    said = str(caught.value)
    assert f"study 'coin': is not in the store {place}; studies there: coins" in said
    assert "did you mean 'coins'?" in said


@pytest.mark.parametrize("command", ["report", "explain"])
def test_a_study_without_a_result_says_what_to_run(place, command):
    with pytest.raises(BadInputError) as caught:
        COMMANDS[command]("coins", str(place))
    assert "has 24 runs and no result yet" in str(caught.value)
    assert f"'leanloop optimize {place.parent / 'study.toml'}'" in str(caught.value)


def test_a_split_without_a_run_says_which_has_some(place):
    with pytest.raises(BadInputError, match=r"no run on the holdout split yet; .* has 24"):
        compare("coins", "a", "b", store=str(place))


def test_a_file_stands_for_the_study_in_it(place, capsys):
    file = str(place.parent / "study.toml")
    assert Source(file, split=Split.SEARCH, store=str(place)).table().task_counts() == {
        Configuration({}).id: 24
    }
    dashboard(file, store=str(place), json=True)
    assert '"coins"' in capsys.readouterr().out
    with pytest.raises(BadInputError, match=r"study 'coins' in .*no result yet"):
        report(file, store=str(place))


def test_a_name_where_a_file_is_wanted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (optimize, run):
        with pytest.raises(BadInputError, match=r"^coins: no such file; a study's TOML file"):
            command(Path("coins"))
    write_study(tmp_path).rename("coins.toml")
    for command in (optimize, run):
        with pytest.raises(BadInputError, match=r"^coins: no such file; did you mean coins\.toml"):
            command(Path("coins"))


def test_a_file_that_is_no_study_is_said_to_be_none(tmp_path):
    (tmp_path / "a.toml").write_text("seed = 3\n")
    with pytest.raises(BadInputError, match=r"a\.toml: name: is missing"):
        report(str(tmp_path / "a.toml"), store=str(tmp_path / "s.sqlite"))


def test_of_many_studies_the_last_are_named(tmp_path):
    store = SqlStore(tmp_path / "s.sqlite")
    for i in range(20):
        store.open_study(StudyRecord(f"study-{i}", msgspec.json.encode({}).decode(), "x"))
    with pytest.raises(BadInputError) as caught:
        find_study(store, "zebra")
    assert "study-19 and 12 older ones" in str(caught.value)
    assert "study-3," not in str(caught.value)
    store.close()
