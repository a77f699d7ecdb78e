"""model.route, model.effort and model.max_output."""

from __future__ import annotations

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import Request, UserMessage
from leanloop.levers.model import effort, escalate, max_output
from leanloop.levers.planning import plan_first
from leanloop.loop.agent import Limits
from leanloop.models.builtin import ModelSpec
from leanloop.search.spec import StudySpec
from tests.levers.conversations import run_context
from tests.loop.toy import bench, opens, says

NAME = "model.route"


class TestRoute:
    async def test_the_first_step_is_the_planners(self) -> None:
        b = bench([opens(4), says("red")], large=[opens(3)])
        run = await b.run({NAME: "large"})
        assert run.success == 1.0
        assert [c.model for c in run.model_calls] == ["large", "small", "small"]

    async def test_what_it_said_is_in_the_conversation_of_the_other(self) -> None:
        said = opens(3)
        b = bench([says("red")], large=[said])
        await b.run({NAME: "large"})
        assert b.sent[0].messages[2] is said

    async def test_choice_acts_from_the_second_step_on(self) -> None:
        b = bench([opens(3)], large=[says("red")])
        run = await b.run({NAME: "small", "model.choice": "large"})
        assert [c.model for c in run.model_calls] == ["small", "large"]

    async def test_the_plan_is_the_planners_too(self) -> None:
        b = bench([says("red")], large=[says("1. open box 3"), opens(3)])
        run = await b.run({NAME: "large", plan_first.NAME: "on"})
        assert [(c.model, c.purpose) for c in run.model_calls] == [
            ("large", plan_first.NAME),
            ("large", "act"),
            ("small", "act"),
        ]

    async def test_a_run_that_is_escalated_stays_so(self) -> None:
        b = bench([says("")], large=[opens(3), opens(4), says("red")])
        run = await b.run({NAME: "large", escalate.NAME: "large"})
        assert [(c.model, c.purpose) for c in run.model_calls] == [
            ("large", "act"),
            ("small", "act"),
            ("large", escalate.NAME),
            ("large", "act"),
        ]

    async def test_trouble_in_the_first_step_is_escalated_at_once(self) -> None:
        b = bench([says("")], large=[opens(3), says("red")])
        run = await b.run({NAME: "small", "model.choice": "small", escalate.NAME: "large"})
        assert [c.model for c in run.model_calls] == ["small", "large", "large"]

    def test_a_study_must_have_the_model(self) -> None:
        study = StudySpec("s", models={"small": ModelSpec("scripted", "m")})
        with pytest.raises(BadInputError, match="no such model 'large'"):
            study.configuration({"model": {"route": "large"}}, "baseline")
        assert study.configuration({"model": {"route": "small"}}, "baseline")[NAME] == "small"


class TestEffort:
    async def test_every_step_and_what_levers_ask_in_it(self) -> None:
        b = bench([says("1. open"), opens(3), says("red")])
        await b.run({effort.LEVER.card.name: "low", plan_first.NAME: "on"})
        assert [r.effort for r in b.sent] == ["low"] * 3

    async def test_off_asks_for_none(self) -> None:
        b = bench([says("red")])
        await b.run()
        assert b.sent[0].effort == ""

    @pytest.mark.parametrize("bad", ["", "LOW", "none", 1, True, None])
    def test_settings(self, bad: object) -> None:
        assert not effort.LEVER.card.domain.accepts(bad)


class TestMaxOutput:
    @pytest.mark.parametrize(("setting", "bound"), [(99, 99), (100, 100), (101, 100), (1, 1)])
    async def test_it_lowers_and_never_raises(self, setting: int, bound: int) -> None:
        b = bench([opens(3), says("red")], limits=Limits(max_output_tokens=100))
        await b.run({max_output.LEVER.card.name: setting})
        assert [r.max_output_tokens for r in b.sent] == [bound] * 2

    async def test_nothing_to_lower_is_the_very_same_request(self) -> None:
        stage = max_output.LEVER.stage(256, run_context())
        request = Request("m", (UserMessage("task"),))
        assert await stage.on_request(request) is request

    async def test_an_answer_over_it_is_cut_off(self) -> None:
        b = bench([says("red " * 99)])
        run = await b.run({max_output.LEVER.card.name: 20})
        assert run.reason == "cut off"
        assert run.usage.tokens.output_tokens == 20

    async def test_a_plan_has_a_bound_of_its_own(self) -> None:
        b = bench([says("1. open"), says("red")])
        await b.run({max_output.LEVER.card.name: 20, plan_first.NAME: "on"})
        assert [r.max_output_tokens for r in b.sent] == [120, 20]

    @pytest.mark.parametrize("bad", [0, -1, True, "64", 64.0])
    def test_settings(self, bad: object) -> None:
        assert not max_output.LEVER.card.domain.accepts(bad)
