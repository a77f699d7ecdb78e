"""The demo's study, short and full, is what the README says of it."""

from __future__ import annotations

from leanloop.cli.demo import FILE, full
from leanloop.search.spec import check_study, read_study


def test_the_short_demo_fits_a_quarter_of_an_hour():
    spec = read_study(FILE)
    assert spec.suite.options["holdout_tasks"] >= 40
    assert spec.budget.max_wall_s is not None
    assert spec.budget.max_wall_s <= 800
    assert spec.margin == 0.10
    assert spec.references["larger model alone"] == {"model": {"choice": "large"}}
    assert spec.baseline_configuration()["model.choice"] == "off"


def test_the_full_demo_is_the_same_study_with_more_tasks():
    short, long = read_study(FILE), full(read_study(FILE))
    check_study(long)
    assert long.name != short.name
    assert long.baseline == short.baseline
    assert long.space() == short.space()
    assert long.suite.options["holdout_tasks"] == 4 * short.suite.options["holdout_tasks"]
    assert long.budget.max_wall_s is not None
    assert long.budget.max_wall_s <= 3600
