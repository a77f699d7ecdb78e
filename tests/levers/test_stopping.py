"""stopping.max_steps, stopping.repeat_guard and stopping.token_budget."""

from __future__ import annotations

import itertools

import pytest

from leanloop.core.message import AssistantMessage, Request
from leanloop.core.run import ModelCall, Status, Step, ToolUse
from leanloop.core.tokens import Tokens
from leanloop.levers.protocol import GO, Answer, Stage, Stop
from leanloop.levers.stopping import max_steps, repeat_guard, token_budget
from leanloop.loop.agent import Limits
from tests.levers.conversations import run_context
from tests.loop.toy import bench, opens, says


class TestMaxSteps:
    @pytest.mark.parametrize("limit", [2, 3, 5])
    async def test_last_step_must_answer(self, limit: int) -> None:
        def script(request: Request) -> AssistantMessage:
            return opens(3) if request.tools_allowed else says("red")

        b = bench(script)
        run = await b.run({"stopping.max_steps": limit})
        assert (run.status, run.answer) == (Status.FINISHED, "red")
        assert (run.usage.steps, run.usage.tool_calls) == (limit, limit - 1)
        assert [r.tools_allowed for r in b.sent] == [True] * (limit - 1) + [False]

    def test_stops_who_goes_on_all_the_same(self) -> None:
        stage = max_steps.LEVER.stage(3, run_context())
        said = [stage.after_step(Step()) for _ in range(4)]
        assert said[0] is GO
        assert isinstance(said[1], Answer)
        assert isinstance(said[2], Stop)
        assert isinstance(said[3], Stop)

    async def test_early_answer_is_not_touched(self) -> None:
        run = await bench([opens(3), says("red")]).run({"stopping.max_steps": 8})
        assert run.usage.steps == 2


READ, WRITE, UNMARKED = "get_order", "cancel_order", "add"


def use(name: str, arguments: str = "{}", *, error: bool = False) -> ToolUse:
    return ToolUse(name, arguments, 0.0, is_error=error)


class TestRepeatGuard:
    def _steps(self, limit: int, *uses: ToolUse) -> list[bool]:
        """Whether the guard asks for the answer after each of these calls."""
        stage = repeat_guard.LEVER.stage(limit, run_context())
        return [isinstance(stage.after_step(Step((), (u,))), Answer) for u in uses]

    def test_same_call_limit_times(self) -> None:
        assert self._steps(2, use(READ), use(READ)) == [False, True]
        assert self._steps(3, use(READ), use(READ), use(READ)) == [False, False, True]

    def test_need_not_be_in_a_row(self) -> None:
        assert self._steps(2, use(READ), use("list_orders"), use(READ)) == [False, False, True]

    def test_other_arguments_are_another_call(self) -> None:
        uses = [use(READ, f'{{"id": {i}}}') for i in range(5)]
        assert not any(self._steps(2, *uses))

    def test_repeats_in_one_step_count(self) -> None:
        stage = repeat_guard.LEVER.stage(2, run_context())
        assert isinstance(stage.after_step(Step((), (use(READ), use(READ), use(WRITE)))), Answer)

    @pytest.mark.parametrize("writer", [WRITE, UNMARKED, "no_such_tool"])
    def test_read_after_a_write_is_fresh(self, writer: str) -> None:
        said = self._steps(2, use(READ), use(writer), use(READ), use(READ))
        assert said == [False, False, False, True]

    def test_read_after_a_repeated_write_is_fresh_too(self) -> None:
        said = self._steps(3, *[use(READ), use(WRITE)] * 2, use(READ), use(READ), use(READ))
        assert said == [False] * 6 + [True]

    def test_repeated_write_is_a_repeat(self) -> None:
        assert self._steps(2, use(WRITE), use(WRITE)) == [False, True]
        assert self._steps(2, use(WRITE), use(READ), use(WRITE)) == [False, False, True]

    def test_retry_after_an_error_is_no_repeat(self) -> None:
        said = self._steps(2, use(READ, error=True), use(READ), use(READ))
        assert said == [False, False, True]
        said = self._steps(2, use(READ), use(READ, error=True), use(READ), use(READ))
        assert said == [False, False, False, True]

    def test_failed_write_makes_no_read_fresh(self) -> None:
        assert self._steps(2, use(READ), use(WRITE, error=True), use(READ)) == [False, False, True]

    async def test_in_a_run_the_answer_is_asked_for(self) -> None:
        def script(request: Request) -> AssistantMessage:
            return opens(3) if request.tools_allowed else says("red")

        run = await bench(script).run({"stopping.repeat_guard": 3})
        assert (run.status, run.answer, run.usage.steps) == (Status.FINISHED, "red", 4)


def spent(*tokens: Tokens) -> Step:
    return Step(tuple(ModelCall("m", "x:m", "act", t, 0.0, 0.0) for t in tokens))


class TestTokenBudget:
    def _said(self, stage: Stage, *steps: Step) -> list[bool]:
        return [isinstance(stage.after_step(s), Answer) for s in steps]

    def test_asks_once_the_budget_is_used(self) -> None:
        stage = token_budget.LEVER.stage(100, run_context())
        step = spent(Tokens(20, 20, 0, 0, 9, 0))
        assert self._said(stage, step, step, spent(Tokens(1, 0, 0, 0, 0, 0))) == [
            False,
            False,
            False,
        ]
        assert self._said(stage, spent(Tokens(1, 0, 0, 0, 0, 0))) == [True]
        assert self._said(stage, spent()) == [True], "and it stays used"

    def test_every_class_and_every_call_counts(self) -> None:
        stage = token_budget.LEVER.stage(42, run_context())
        assert self._said(stage, spent(Tokens(1, 2, 3, 4, 5, 6), Tokens(6, 5, 4, 3, 2, 1))) == [
            True
        ]
        for short in range(12):
            flat = [6, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 6]
            flat[short] -= 1
            stage = token_budget.LEVER.stage(42, run_context())
            assert self._said(stage, spent(Tokens(*flat[:6]), Tokens(*flat[6:]))) == [False]

    def test_unknown_call_does_not_hide_the_others(self) -> None:
        stage = token_budget.LEVER.stage(10, run_context())
        known = Tokens(10, 0, 0, 0, 0, 0)
        assert self._said(stage, spent(Tokens(output_tokens=99)), spent(Tokens(), known)) == [
            False,
            True,
        ]

    async def test_in_a_run_it_is_passed_by_two_steps_at_most(self) -> None:
        def script(request: Request) -> AssistantMessage:
            return opens(3) if request.tools_allowed else says("red")

        free = await bench(script, limits=Limits(max_steps=10)).run()
        budget = (free.usage.tokens.total_tokens or 0) // 3
        run = await bench(script, limits=Limits(max_steps=10)).run(
            {"stopping.token_budget": budget}
        )
        assert (run.status, run.answer) == (Status.FINISHED, "red")
        used = list(
            itertools.accumulate(
                sum(c.tokens.total_tokens or 0 for c in s.model_calls) for s in run.steps
            )
        )
        assert used[-3] < budget <= used[-2]
