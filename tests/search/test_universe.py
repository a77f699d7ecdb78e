from __future__ import annotations

from leanloop.core.configuration import Configuration
from leanloop.search.universe import LARGEST, Universe

SPACE = {"tools.projection": ("off", "on"), "stopping.max_steps": (4, 6)}


def test_every_combination_is_there_once_with_the_baseline_first():
    baseline = Configuration({"stopping.max_steps": 8})
    universe = Universe(baseline, SPACE)
    assert universe.all[0] == baseline
    assert len(set(universe.all)) == len(universe.all) == universe.size == 6
    assert universe.alone == 4
    codes = universe.codes(universe.all)
    assert codes.shape == (6, 2)
    assert len({tuple(c) for c in codes.tolist()}) == 6


def test_codes_differ_just_where_settings_do():
    universe = Universe(Configuration(), SPACE)
    one, other = Configuration({"stopping.max_steps": 4}), Configuration({"stopping.max_steps": 6})
    first, second = universe.codes([one, other])
    assert (first != second).tolist() == [False, True]


def test_a_space_too_large_is_not_listed():
    large = {f"lever.{i}": ("off", 1, 2) for i in range(7)}
    universe = Universe(Configuration(), large)
    assert universe.size == 3**7 > LARGEST
    assert universe.all == []


def test_names_of_recorded_configurations_say_nothing_about_each_other():
    some = [Configuration({"configuration": f"c{i}"}) for i in range(4)]
    universe = Universe(
        some[2], {"configuration": ("c0", "c1", "c2", "c3")}, some, ["configuration"]
    )
    assert [c["configuration"] for c in universe.all] == ["c2", "c0", "c1", "c3"]
    assert universe.codes(universe.all).shape == (4, 0)
