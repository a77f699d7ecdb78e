"""Budgets in dollars and seconds, no_progress and abort_doomed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Request,
)
from leanloop.core.run import ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Split
from leanloop.core.tokens import Tokens
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.protocol import GO, Answer, SimpleLever, Stage, Stop
from leanloop.levers.stopping import (
    abort_doomed,
    no_progress,
    time_budget,
    usd_budget,
)
from leanloop.levers.stopping.abort_doomed import FEATURES, REASON, RunSoFar, run_features
from tests.levers.conversations import TASK, run_context
from tests.loop.toy import TASK as BOX_TASK
from tests.loop.toy import bench, opens, says

READ, WRITE, UNMARKED = "get_order", "cancel_order", "add"


def asks(stage: Stage, *steps: Step) -> list[bool]:
    """Whether the stage asks for the answer after each step."""
    return [isinstance(stage.after_step(s), Answer) for s in steps]


def query(model: str = "m", tokens: int | None = 1, latency_s: float = 0.0) -> ModelCall:
    used = Tokens() if tokens is None else Tokens(tokens, 0, 0, 0, 0, 0)
    return ModelCall(model, f"x:{model}", "act", used, latency_s, 0.0)


def use(
    name: str = READ,
    observation: str = "",
    *,
    arguments: str = "{}",
    error: bool = False,
    by: str = "tool",
    latency_s: float = 0.0,
) -> ToolUse:
    return ToolUse(name, arguments, latency_s, by, error, observation)


def on_and_on(request: Request) -> AssistantMessage:
    return opens(3) if request.tools_allowed else says("red")


class TestUsdBudget:
    PRICES = {"cheap": Decimal("0.1"), "dear": Decimal(2), "unknown": None}

    def _stage(self, dollars: float) -> Stage:
        context = replace(run_context(), price=lambda c: self.PRICES[c.model])
        return usd_budget.LEVER.stage(dollars, context)

    def test_asks_once_it_is_spent_and_from_then_on(self) -> None:
        step = Step((query("cheap"),))
        assert asks(self._stage(0.3), step, step, step, Step()) == [False, False, True, True]

    def test_tenths_add_up_to_the_cent(self) -> None:
        assert asks(self._stage(0.7), *[Step((query("cheap"),))] * 7) == [False] * 6 + [True]

    def test_every_call_of_a_step_counts(self) -> None:
        both = Step((query("dear"), query("cheap")))
        assert asks(self._stage(4.2), both, both) == [False, True]
        assert asks(self._stage(4), both, both) == [False, True]
        assert asks(self._stage(4.3), both, both) == [False, False]

    def test_unknown_price_counts_as_none_and_hides_no_other(self) -> None:
        step = Step((query("unknown"), query("dear"), query("unknown")))
        assert asks(self._stage(3), step, step) == [False, True]
        assert "unknown price counts as none" in usd_budget.LEVER.card.summary
        assert usd_budget.LEVER.card.needs == ("prices",)

    def test_without_prices_it_never_asks(self) -> None:
        stage = usd_budget.LEVER.stage(0.001, run_context())
        assert asks(stage, *[Step((query("dear"),))] * 50) == [False] * 50

    async def test_in_a_run(self) -> None:
        b = bench(on_and_on)
        agent = replace(b.agent, price=lambda _: Decimal("0.25"))
        run = await agent.run(Configuration({"stopping.usd_budget": 0.6}), BOX_TASK)
        assert (run.status, run.answer, run.usage.steps) == (Status.FINISHED, "red", 4)


class TestTimeBudget:
    def _stage(self, seconds: float) -> Stage:
        return time_budget.LEVER.stage(seconds, run_context())

    def test_models_and_tools_count(self) -> None:
        step = Step((query(latency_s=1.0), query(latency_s=0.5)), (use(latency_s=0.25),) * 2)
        assert time_budget.step_latency_s(step) == 2.0
        assert asks(self._stage(4), step, step, Step()) == [False, True, True]
        assert asks(self._stage(4.01), step, step) == [False, False]

    def test_what_a_lever_answered_is_not_counted_twice(self) -> None:
        helped = Step((query(latency_s=1.0),), (use(by="planning.delegate", latency_s=1.0),))
        assert time_budget.step_latency_s(helped) == 1.0

    def test_goes_by_no_clock(self) -> None:
        steps = [Step((query(latency_s=s),)) for s in (0.5, 2.0, 0.1)]
        said = [asks(self._stage(2.5), *steps) for _ in range(2)]
        assert said == [[False, True, True]] * 2

    async def test_in_a_run(self) -> None:
        run = await bench(on_and_on).run({"stopping.time_budget": 1.4})  # half a second a query
        assert (run.status, run.answer) == (Status.FINISHED, "red")
        assert run.usage.steps == 4


@pytest.mark.parametrize("name", ["stopping.usd_budget", "stopping.time_budget"])
def test_budgets_take_positive_numbers(name: str) -> None:
    domain = BUILT_IN[name].card.domain
    assert all(domain.accepts(v) for v in (0.01, 1, 5000.0))
    assert not any(domain.accepts(v) for v in (0, -0.5, True, "1", math.inf, math.nan))


class TestNoProgress:
    def _stage(self, limit: int) -> Stage:
        return no_progress.LEVER.stage(limit, run_context())

    def test_the_same_over_and_over(self) -> None:
        step = Step((), (use(observation="a"),))
        assert asks(self._stage(2), step, step, step) == [False, False, True]
        assert asks(self._stage(1), step, step) == [False, True]

    def test_errors_bring_nothing_however_new(self) -> None:
        steps = [Step((), (use(observation=f"no {i}", error=True),)) for i in range(3)]
        assert asks(self._stage(3), *steps) == [False, False, True]

    def test_an_error_is_not_remembered(self) -> None:
        stage = self._stage(1)
        assert asks(stage, Step((), (use(observation="x"),))) == [False]
        stage = self._stage(2)
        error, same = use(observation="x", error=True), use(observation="x")
        assert asks(stage, Step((), (error,)), Step((), (same,)), Step((), (error,))) == [
            False,
            False,
            False,
        ]

    def test_one_new_observation_in_a_step_is_enough_and_starts_anew(self) -> None:
        old, new = use(observation="a"), use(observation="b")
        said = asks(
            self._stage(2),
            Step((), (old,)),
            Step((), (old,)),
            Step((), (old, new, use(error=True))),
            Step((), (old,)),
            Step((), (new, old)),
        )
        assert said == [False, False, False, False, True]

    def test_another_call_with_the_same_result_is_nothing_new(self) -> None:
        first = use(observation="[]", arguments='{"id": 1}')
        second = use("list_orders", "[]", arguments='{"id": 2}')
        assert asks(self._stage(1), Step((), (first,)), Step((), (second,))) == [False, True]

    @pytest.mark.parametrize("name", [WRITE, UNMARKED])
    def test_writes_may_all_say_done(self, name: str) -> None:
        done = [use(name, "done", arguments=str(i)) for i in range(3)]
        steps = [Step((), (d,)) for d in done]
        assert asks(self._stage(1), *steps) == [False] * 3
        assert asks(self._stage(1), steps[0], steps[0]) == [False, True]

    def test_word_for_word(self) -> None:
        steps = [Step((), (use(observation=o),)) for o in ("a", "a ", "A", "\ud800", "")]
        assert asks(self._stage(1), *steps) == [False] * 5

    def test_a_step_without_calls_counts_neither_way(self) -> None:
        step = Step((), (use(observation="a"),))
        assert asks(self._stage(2), step, step, Step(), step) == [False, False, False, True]

    def test_the_answer_stays_asked_for(self) -> None:
        stage = self._stage(1)
        bad, new = Step((), (use(error=True),)), Step((), (use(observation="new"),))
        assert asks(stage, bad, new) == [True, True]

    async def test_in_a_run(self) -> None:
        run = await bench(on_and_on).run({"stopping.no_progress": 2})
        assert (run.status, run.answer, run.usage.steps) == (Status.FINISHED, "red", 4)


@dataclass
class FakeDoom:
    """Fails runs by the number of their errors, and keeps what it was asked."""

    least: float | None = 0.5
    levels: list[float] = field(default_factory=list)
    seen: list[tuple[float, ...]] = field(default_factory=list)

    def threshold(self, level: float) -> float | None:
        self.levels.append(level)
        return self.least

    def chance(self, features: Sequence[float]) -> float:
        self.seen.append(tuple(features))
        return min(features[FEATURES.index("errors")] / 4, 1.0)


def with_doom(doom: FakeDoom) -> dict[str, SimpleLever]:
    lever = abort_doomed.LEVER
    made = SimpleLever(lever.card, lambda s, c: lever.make(s, replace(c, doom=doom)))
    return {lever.card.name: made}


class TestAbortDoomed:
    ON = {"stopping.abort_doomed": 0.9}
    BAD = Step((), (use(error=True),))

    def test_ends_at_the_threshold_not_before(self) -> None:
        doom = FakeDoom()
        stage = abort_doomed.LEVER.stage(0.9, replace(run_context(), doom=doom))
        assert stage.after_step(self.BAD) is GO
        assert stage.after_step(self.BAD) == Stop("abort_doomed")
        assert doom.levels == [0.9]

    def test_does_nothing_without_a_model_or_where_none_is_sure(self) -> None:
        unsure = replace(run_context(), doom=FakeDoom(least=None))
        for context in (run_context(), unsure):
            stage = abort_doomed.LEVER.stage(0.5, context)
            assert [stage.after_step(self.BAD) for _ in range(20)] == [GO] * 20

    async def test_in_a_run_it_is_stopped_without_an_answer(self) -> None:
        run = await bench([opens(7)] * 9, levers=with_doom(FakeDoom())).run(self.ON)
        assert (run.status, run.reason, run.answer) == (Status.STOPPED, REASON, None)
        assert run.usage.steps == 2
        assert run.success == 0.0

    async def test_it_acts_by_what_it_learns_from(self) -> None:
        """The features at work and those of the recorded run are the same numbers."""
        doom = FakeDoom(least=2.0)
        script = [opens(3), opens(7, why=1), opens(3, 3), opens(4), says("red")]
        run = await bench(script, levers=with_doom(doom)).run(self.ON)
        assert run.status is Status.FINISHED
        assert len(doom.seen) == 4
        assert run_features(run) == doom.seen

    def test_features_count_from_the_start_of_the_run(self) -> None:
        so_far = RunSoFar()
        first = Step(
            (query(tokens=9, latency_s=1.0), query(tokens=None)),
            (use(observation="a"), use(observation="a"), use(observation="b", error=True)),
        )
        second = Step((query(tokens=90, latency_s=2.0),), (use(WRITE, "a", latency_s=3.0),))
        found = [dict(zip(FEATURES, so_far.after(s), strict=True)) for s in (first, second)]
        assert found[0] == {
            "steps": 1,
            "log_tokens": math.log1p(9),
            "errors": 1,
            "repeated_calls": 2,
            "repeated_observations": 1,
            "log_seconds": math.log1p(1),
        }
        assert found[1] == {
            "steps": 2,
            "log_tokens": math.log1p(99),
            "errors": 1,
            "repeated_calls": 2,
            "repeated_observations": 2,
            "log_seconds": math.log1p(6),
        }

    def _run(self, *, success: float | None = 0.0, reason: str = "", steps: int = 3) -> Run:
        key = RunKey("c", TASK.task_id)
        status = Status.STOPPED if reason else Status.FINISHED
        made = (self.BAD,) * steps
        return Run(key, Split.SEARCH, status, success, made, 1.0, 1.0, 0.0, reason=reason)

    def test_last_step_teaches_nothing(self) -> None:
        assert [f[0] for f in run_features(self._run(steps=3))] == [1.0, 2.0]
        assert run_features(self._run(steps=1)) == []
        assert run_features(self._run(steps=0)) == []

    def test_runs_that_do_not_say_how_they_end_teach_nothing(self) -> None:
        assert run_features(self._run(success=None)) == []
        assert run_features(self._run(reason=REASON)) == []
        assert run_features(self._run(reason="max_steps")) != []

    def test_level_is_half_to_nearly_one(self) -> None:
        domain = abort_doomed.LEVER.card.domain
        assert all(domain.accepts(v) for v in (0.5, 0.95, 0.999))
        assert not any(domain.accepts(v) for v in (0.4, 1.0, 1, True, "0.9", math.nan))


def test_bad_setting_says_what_it_takes() -> None:
    card = usd_budget.LEVER.card
    with pytest.raises(BadInputError, match="takes off, or dollars above 0"):
        check_setting(card.name, card.domain, 0, "study.toml levers")
