"""What every lever must do, whoever wrote it: subclass and give the lever."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

from leanloop.core.configuration import OFF, Configuration, Setting
from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.levers.protocol import Lever, RunContext, Stage
from leanloop.loop.pipeline import build_pipeline
from tests.levers.conversations import run_context, settings_of

HOOKS = {
    "request": "on_request",
    "edit": "on_edit",
    "query": "on_query",
    "response": "on_response",
    "calls": "on_calls",
    "tool call": "on_tool_call",
    "tool result": "on_tool_result",
    "step": "after_step",
    "end": "on_end",
}
JUNK: tuple[object, ...] = (None, [], -1, "", object())


class LeverConformance:
    """Give ``lever``, and ``valid`` and ``invalid`` where the defaults do not fit."""

    @pytest.fixture
    def lever(self) -> Lever:
        raise NotImplementedError

    @pytest.fixture
    def valid(self, lever: Lever) -> tuple[Setting, ...]:
        return settings_of(lever)

    @pytest.fixture
    def invalid(self) -> tuple[object, ...]:
        return JUNK

    def test_name_is_component_and_lever(self, lever: Lever) -> None:
        component, dot, name = lever.card.name.partition(".")
        assert dot
        assert component in {"memory", "tools", "planning", "stopping", "model"}
        assert name.isidentifier()

    def test_card_says_what_it_does_and_where_it_comes_from(self, lever: Lever) -> None:
        summary = lever.card.summary
        assert summary.endswith(".")
        assert summary.count(". ") == 0, "one sentence"
        assert summary[0].isupper()
        assert lever.card.source.strip()
        assert str(lever.card.domain).strip()

    def test_domain_accepts_what_a_search_tries(
        self, lever: Lever, valid: tuple[Setting, ...]
    ) -> None:
        assert valid, "a lever that has no setting but off is no lever"
        for value in (*lever.card.search, *valid):
            assert lever.card.domain.accepts(value)
            assert check_setting(lever.card.name, lever.card.domain, value, "test") == value
        assert OFF not in lever.card.search
        assert len(set(lever.card.search)) == len(lever.card.search)

    def test_domain_rejects_junk(self, lever: Lever, invalid: tuple[object, ...]) -> None:
        for value in invalid:
            assert not lever.card.domain.accepts(value), value
            with pytest.raises(BadInputError, match=lever.card.name):
                check_setting(lever.card.name, lever.card.domain, value, "test")

    def test_off_never_reaches_the_stage(self, lever: Lever, valid: tuple[Setting, ...]) -> None:
        name, spy = lever.card.name, _Spy(lever)
        for settings in ({}, {name: OFF}):
            build_pipeline(Configuration(settings), run_context(), {name: spy})
        assert spy.asked == []
        build_pipeline(Configuration({name: valid[0]}), run_context(), {name: spy})
        assert spy.asked == [valid[0]]

    def test_card_names_the_hooks_it_uses(self, lever: Lever, valid: tuple[Setting, ...]) -> None:
        for value in valid:
            stage = type(lever.stage(value, run_context()))
            used = {w for w, h in HOOKS.items() if getattr(stage, h) is not getattr(Stage, h)}
            assert set(lever.card.acts_on) == used
        assert len(lever.card.acts_on) == len(set(lever.card.acts_on))

    def test_stages_share_nothing(self, lever: Lever, valid: tuple[Setting, ...]) -> None:
        context = run_context()
        assert lever.stage(valid[0], context) is not lever.stage(valid[0], context)

    def test_works_without_tools_and_examples(
        self, lever: Lever, valid: tuple[Setting, ...]
    ) -> None:
        bare = replace(run_context(), tools=(), examples=())
        for value in valid:
            assert isinstance(lever.stage(value, bare), Stage)


def module_of(name: str) -> object:
    """The module that a built-in lever of that name must live in."""
    return importlib.import_module(f"leanloop.levers.{name}")


class _Spy:
    def __init__(self, lever: Lever) -> None:
        self._lever = lever
        self.asked: list[Setting] = []

    @property
    def card(self):
        return self._lever.card

    def stage(self, setting: Setting, context: RunContext) -> Stage:
        self.asked.append(setting)
        return self._lever.stage(setting, context)
