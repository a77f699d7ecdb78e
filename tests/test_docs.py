"""Pages that are written from the code say what the code says."""

from __future__ import annotations

from benchmarks import design_or_size, persistent, suites, warm_start
from benchmarks.levers import PAGE, TRIED, measured, page, searched

from leanloop.core.domain import check_setting
from leanloop.core.task import Split
from leanloop.levers.builtin import BUILT_IN
from leanloop.search.study import Study
from leanloop.traces.builtin import BUILT_IN as READERS


def test_the_page_of_levers_is_that_of_the_cards():
    cards = {name: lever.card for name, lever in BUILT_IN.items()}
    assert PAGE.read_text() == page(cards, measured(), searched()), (
        "write it anew: python -m benchmarks.levers --page"
    )


def test_every_setting_that_is_measured_is_one():
    for name, settings in TRIED.items():
        for setting in settings:
            assert check_setting(name, BUILT_IN[name].card.domain, setting, "TRIED") == setting


def test_the_page_of_traces_names_every_reader():
    text = (PAGE.parent / "traces.md").read_text()
    for reader in READERS.values():
        assert f"| `{reader.card.name}` | {reader.card.summary} | {reader.card.source} |" in text


def test_the_tables_of_streams_are_those_that_were_measured():
    text = persistent.PAGE.read_text()
    assert text == persistent.with_tables(text), "python -m benchmarks.persistent --page"


def test_the_table_of_saved_prefixes_is_that_which_was_measured():
    text = persistent.PAGE.read_text()
    assert text == warm_start.with_table(text), "python -m benchmarks.warm_start --page"


def test_the_page_on_design_or_size_is_what_was_measured():
    text = design_or_size.PAGE.read_text()
    assert text == design_or_size.with_table(text), "python -m benchmarks.design_or_size --page"


def test_the_table_of_suites_is_that_which_was_measured():
    text = suites.PAGE.read_text()
    assert text == suites.with_table(text, suites.measured()), "python -m benchmarks.suites --page"


def test_the_study_of_streams_is_a_study_and_so_is_that_of_its_page(tmp_path):
    example = (persistent.PAGE.parents[1] / "examples" / "stream.toml").read_text()
    block = persistent.PAGE.read_text().split("```toml\n")[1].split("```")[0]
    models = '[models.small]\nprovider = "embedded"\nname = "qwen2.5-coder-0.5b"\n'
    for text in (example, f'name = "x"\n{block}{models}'):
        file = tmp_path / "study.toml"
        file.write_text(text)
        study = Study.from_toml(file)
        assert "planning.plan_cache" in study.space()
        assert study.suite.tasks(Split.SEARCH)[3].position == 3
