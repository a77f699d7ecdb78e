"""Every built-in lever conforms; a new one is covered as soon as it is listed."""

from __future__ import annotations

import pkgutil

import pytest

import leanloop.levers as levers_package
from leanloop.core.errors import BadInputError
from leanloop.levers.builtin import BUILT_IN, all_levers, find_lever
from leanloop.levers.protocol import Lever
from tests.levers.conformance import LeverConformance, module_of


class TestBuiltIn(LeverConformance):
    @pytest.fixture(params=list(BUILT_IN))
    def lever(self, request: pytest.FixtureRequest) -> Lever:
        return BUILT_IN[request.param]


@pytest.mark.parametrize("name", BUILT_IN)
def test_name_is_key_and_place(name: str) -> None:
    assert BUILT_IN[name].card.name == name
    assert getattr(module_of(name), "LEVER") is BUILT_IN[name]  # noqa: B009


def test_every_lever_file_is_listed() -> None:
    found = {
        f"{component.name}.{lever.name}"
        for component in pkgutil.iter_modules(levers_package.__path__)
        if component.ispkg
        for lever in pkgutil.iter_modules([f"{levers_package.__path__[0]}/{component.name}"])
    }
    assert found == set(BUILT_IN)


def test_built_in_levers_come_first_in_their_order() -> None:
    assert list(all_levers())[: len(BUILT_IN)] == list(BUILT_IN)


def test_unknown_lever_names_the_closest() -> None:
    with pytest.raises(BadInputError, match=r"mean stopping\.max_steps\?") as caught:
        find_lever("stopping.max_step", "study.toml levers")
    assert caught.value.where == "study.toml levers.stopping.max_step"
    with pytest.raises(BadInputError, match="lists them"):
        find_lever("zzz", "study.toml")
    assert find_lever("tools.shortlist", "x") is BUILT_IN["tools.shortlist"]
